import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bytes } from './bytes.ts'
import { defineSettings, environmentName, setting } from './define.ts'
import { parseSettingsFile } from './file.ts'
import { boolean, choice, duration, list, optionalText, optionalUrl, port, text } from './kinds.ts'
import { readSettings, SettingsError } from './read.ts'

const settings = defineSettings({
  'http.host': setting(text, '127.0.0.1', 'Host.'),
  'http.port': setting(port, 8080, 'Port.'),
  'cache.size': setting(bytes, 0, 'Size.'),
  'cache.age': setting(duration(1, 86_400), 60, 'Age.'),
  'log.level': setting(choice('info', 'debug'), 'info', 'Level.'),
  url: setting(optionalUrl, undefined, 'URL.'),
  quiet: setting(boolean, false, 'Quiet.'),
  names: setting(list, [], 'Names.'),
  admin_password: setting(optionalText, undefined, 'Password.', { secret: true, aliases: ['harbor_admin_password'] }),
})

const read = (file: string, env: Record<string, string> = {}) =>
  readSettings(settings, { file: parseSettingsFile(settings, { name: 'atoll.yaml', text: file }), env, otherVariables: ['ATOLL_SERVER'] })

function problems(file: string, env: Record<string, string> = {}): readonly string[] {
  try {
    read(file, env)
  } catch (error) {
    if (error instanceof SettingsError) return error.problems
    throw error
  }
  return []
}

describe('settings', () => {
  it('come from the environment, else from the file, else are the defaults', () => {
    const { values, given } = read('http:\n  port: 9000\n  host: 0.0.0.0\nnames: [a, b]\nquiet: true\n', { ATOLL_HTTP_PORT: '9001', ATOLL_QUIET: '' })
    expect(values).toEqual({
      'http.host': '0.0.0.0',
      'http.port': 9001,
      'cache.size': 0,
      'cache.age': 60,
      'log.level': 'info',
      url: undefined,
      quiet: true,
      names: ['a', 'b'],
      admin_password: undefined,
    })
    expect([...given]).toEqual([
      ['http.port', 'ATOLL_HTTP_PORT'],
      ['http.host', 'atoll.yaml:3'],
      ['names', 'atoll.yaml:4'],
      ['quiet', 'atoll.yaml:5'],
    ])
  })

  it('may be written with dots, left empty, and under the names of another product', () => {
    expect(read('http.port: 1\nhttp:\n  host:\nurl:\nharbor_admin_password: geheim\n').values).toMatchObject({
      'http.port': 1,
      'http.host': '127.0.0.1',
      url: undefined,
      admin_password: 'geheim',
    })
    for (const empty of ['', '# nothing\n', '---\n', 'null']) expect(read(empty).values['http.port']).toBe(8080)
  })

  it('are read in the units that people write', () => {
    const { values } = read('cache: {size: 20G, age: 12h}\nurl: https://example.com/', { ATOLL_NAMES: 'a, b,' })
    expect(values).toMatchObject({ 'cache.size': 20 * 1024 ** 3, 'cache.age': 43_200, url: 'https://example.com', names: ['a', 'b'] })
  })
})

describe('a mistake', () => {
  it('is named with its file, its line, its key and what was expected', () => {
    expect(problems('http:\n  port: eighty\n')).toEqual(['atoll.yaml:2: http.port: expected a port from 0 to 65535, got "eighty"'])
    expect(problems('', { ATOLL_HTTP_PORT: '70000' })).toEqual(['ATOLL_HTTP_PORT: expected a port from 0 to 65535, got "70000"'])
    expect(problems('log: {level: loud}')).toEqual(['atoll.yaml:1: log.level: expected one of info, debug, got "loud"'])
    expect(problems('url: ftp://x')).toEqual([expect.stringContaining('expected an http or https URL')])
    expect(problems('http: 80')).toEqual([expect.stringMatching(/^atoll\.yaml:1: http is a section/)])
    expect(problems('http:\n  port: {a: 1}')).toEqual([expect.stringMatching(/^atoll\.yaml:2: http\.port: expected a port/)])
    expect(problems('- a\n- b')).toEqual([expect.stringContaining('expected settings')])
  })

  it('in a name brings the nearest name that there is', () => {
    expect(problems('http:\n  prot: 1')).toEqual(['atoll.yaml:2: there is no setting http.prot; did you mean http.port?'])
    expect(problems('\n\nadmin_pasword: x')).toEqual(['atoll.yaml:3: there is no setting admin_pasword; did you mean admin_password?'])
    expect(problems('port: 1')).toEqual(['atoll.yaml:1: there is no setting port; did you mean http.port?'])
    expect(problems('completely_different: 1')).toEqual(['atoll.yaml:1: there is no setting completely_different'])
  })

  it('is not the only one that is told, and all of them come in the order of the lines', () => {
    const all = problems('quiet: maybe\nwrong: 1\nlog: {level: loud}\nhttp: {prot: 1, port: x}\nurl: 1', {
      ATOLL_CACHE_SIZE: 'x',
      ATOLL_HTTP_HOTS: 'x',
    })
    expect(all.map((each) => each.split(': ')[0])).toEqual([
      ...['atoll.yaml:1', 'atoll.yaml:2', 'atoll.yaml:3', 'atoll.yaml:4', 'atoll.yaml:4', 'atoll.yaml:5'],
      ...['there is no setting ATOLL_HTTP_HOTS; did you mean ATOLL_HTTP_HOST?', 'ATOLL_CACHE_SIZE'],
    ])
  })

  it('in the name of a variable is told, too', () => {
    expect(problems('', { ATOLL_HTPP_PORT: '1' })).toEqual(['there is no setting ATOLL_HTPP_PORT; did you mean ATOLL_HTTP_PORT?'])
    expect(problems('', { ATOLL_SERVRE: 'x' })).toEqual(['there is no setting ATOLL_SERVRE; did you mean ATOLL_SERVER?'])
    expect(problems('', { ATOLL_ENTIRELY_DIFFERENT_THING: 'x' })).toEqual(['there is no setting ATOLL_ENTIRELY_DIFFERENT_THING'])
    expect(problems('', { ATOLL_SERVER: 'x', PATH: 'x', ATOLLO: 'x' })).toEqual([])
  })

  it('is not made by the variables that Kubernetes sets for a service called atoll', () => {
    const env = {
      ATOLL_PORT: 'tcp://10.0.0.1:8080',
      ATOLL_PORT_8080_TCP: 'tcp://10.0.0.1:8080',
      ATOLL_PORT_8080_TCP_ADDR: '10.0.0.1',
      ATOLL_SERVICE_HOST: '10.0.0.1',
      ATOLL_SERVICE_PORT: '8080',
      ATOLL_SERVICE_PORT_HTTP: '8080',
      ATOLL_HTTP_PORT: 'tcp://10.0.0.2:8080',
    }
    expect(read('', env).values['http.port']).toBe(8080)
    expect(problems('', { ATOLL_PORT: '9000' })).toHaveLength(1)
  })

  it('shows numbers that are none as they were written', () => {
    expect(problems('http.port: .nan')).toEqual(['atoll.yaml:1: http.port: expected a port from 0 to 65535, got NaN'])
    expect(problems('http.port: .inf')).toEqual(['atoll.yaml:1: http.port: expected a port from 0 to 65535, got Infinity'])
  })

  it('in YAML itself, or a setting given twice, has its line', () => {
    expect(problems('http:\n  port: 1\n  port: 2')[0]).toMatch(/^atoll\.yaml:3: /)
    expect(problems('a: [')[0]).toMatch(/^atoll\.yaml:1: /)
    expect(problems('admin_password: a\nharbor_admin_password: b')[0]).toMatch(/^atoll\.yaml:2: harbor_admin_password is the same setting/)
  })

  it('in a secret never shows the secret', () => {
    const found = problems('admin_password: [hunter2]').join()
    expect(found).toContain('atoll.yaml:1: admin_password: expected a text')
    expect(found).not.toContain('hunter2')
  })

  it('of whatever kind is a SettingsError, and nothing else', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), fc.stringMatching(/^[a-z:\n .[\]{}&*!|>-]{0,60}$/)), (file) => {
        problems(file)
      }),
    )
  })
})

describe('the rule for the environment', () => {
  it('is one', () => {
    expect(environmentName('http.port')).toBe('ATOLL_HTTP_PORT')
    expect(environmentName('data_volume')).toBe('ATOLL_DATA_VOLUME')
    expect(environmentName('edge.port')).toBe('ATOLL_EDGE_PORT')
  })
})

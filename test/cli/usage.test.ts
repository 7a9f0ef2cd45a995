import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { isAbsolute, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { EXIT } from '../../cli/exit-codes.ts'
import { sessionFile } from '../../cli/session.ts'
import { ADMIN_PASSWORD, freePort } from '../support/atoll.ts'
import { CLI, cli, here, startOriginForCli } from '../support/cli.ts'
import { run } from '../support/run.ts'

startOriginForCli()

test('whoever reads no further than the first lines gets no complaint', async () => {
  const env = {
    HOME: here().home,
    PATH: process.env.PATH ?? '',
    ATOLL_SERVER: `http://${here().atoll.origin}`,
    ATOLL_USERNAME: 'admin',
    ATOLL_PASSWORD: ADMIN_PASSWORD,
  }
  for (const args of [
    ['project', 'ls'],
    ['user', 'ls', '--json'],
    ['audit', 'export'],
  ]) {
    const child = spawn(CLI, args, { cwd: here().home, env, stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.destroy()
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    const [code] = await once(child, 'close')
    expect({ args, code, said }).toEqual({ args, code: EXIT.ok, said: '' })
  }
}, 60_000)

test('an empty or relative folder of settings counts as none', () => {
  const kept = join(here().home, '.config', 'atoll', 'session.json')
  for (const XDG_CONFIG_HOME of [undefined, '', '.', 'config']) expect(sessionFile({ HOME: here().home, XDG_CONFIG_HOME })).toBe(kept)
  expect(sessionFile({ HOME: here().home, XDG_CONFIG_HOME: '/etc/here' })).toBe('/etc/here/atoll/session.json')
  for (const HOME of [undefined, '']) expect(isAbsolute(sessionFile({ HOME }))).toBe(true)
})

describe('for whoever types', () => {
  test('wrong usage ends with 2 and says where help is', async () => {
    for (const args of ['nonsense', 'project nonsense', 'project create', 'project ls --colour', 'robot create', 'serve --role moon']) {
      expect((await cli(args, { code: EXIT.usage })).stderr, args).toMatch(/error: /)
    }
  })

  test('errors are JSON where answers are', async () => {
    const { stdout, stderr } = await cli('project show none --json', { code: EXIT.notFound })
    expect(stdout).toBe('')
    expect(JSON.parse(stderr)).toMatchObject({ error: { exitCode: EXIT.notFound, message: expect.any(String) } })
  })

  test('nobody at the address', async () => {
    const { stderr } = await cli('project ls', { env: { ATOLL_SERVER: `http://127.0.0.1:${await freePort()}` }, code: EXIT.unreachable })
    expect(stderr).toMatch(/^atoll: No answer from http:.* --server or ATOLL_SERVER\.$/m)
  })

  test('every command has help', async () => {
    const walk = async (path: readonly string[]): Promise<number> => {
      const { stdout } = await cli([...path, '--help'].join(' '))
      expect(stdout).toContain(`Usage: ${['atoll', ...path].join(' ')}`)
      const commands = stdout.split('\nCommands:\n')[1]?.split('\n\n')[0] ?? ''
      const names = [...commands.matchAll(/^ {2}([a-z][a-z-]*)/gm)]
        .map(([, name = '']) => name)
        .filter((name) => name !== 'help' && name !== 'complete')
      let count = 1
      for (const name of names) count += await walk([...path, name])
      return count
    }
    expect(await walk([])).toBeGreaterThan(30)
  }, 120_000)

  test('completion', async () => {
    for (const shell of ['bash', 'zsh', 'fish']) expect((await cli(`completion ${shell}`)).stdout.length).toBeGreaterThan(200)
    const file = join(here().home, 'completion.bash')
    await writeFile(file, (await cli('completion bash')).stdout)
    const checked = await run('bash', ['-n', file])
    expect(checked.code, checked.stderr).toBe(0)
    const offered = await run(CLI, ['complete', '--', 'project', ''], { env: { HOME: here().home } })
    for (const name of ['ls', 'create', 'show', 'rm', 'member']) expect(offered.stdout).toMatch(new RegExp(`^${name}\\b`, 'm'))
  })
})

describe('what cannot be started says why', () => {
  test('every mistake in the settings, on a line of its own', async () => {
    const file = join(here().home, 'bad.yaml')
    await writeFile(file, 'http:\n  prot: 8080\n')
    const misspelt = await cli(`serve --config ${file}`, { code: EXIT.usage })
    expect(misspelt.stderr).toBe(`atoll: ${file}:2: there is no setting http.prot; did you mean http.port?\n`)
    const { stderr } = await cli('serve', { env: { ATOLL_HTTP_PORT: 'many', ATOLL_LOG_LEVEL: 'loud' }, code: EXIT.usage })
    expect(stderr.trim().split('\n')).toEqual([
      expect.stringMatching(/^atoll: ATOLL_HTTP_PORT: /),
      expect.stringMatching(/^atoll: ATOLL_LOG_LEVEL: /),
    ])
    const { stderr: unknown } = await cli('serve', { env: { ATOLL_HTPP_PORT: '1' }, code: EXIT.usage })
    expect(unknown).toBe('atoll: there is no setting ATOLL_HTPP_PORT; did you mean ATOLL_HTTP_PORT?\n')
    const { stderr: weak } = await cli('serve', { env: { ATOLL_ADMIN_PASSWORD: 'weak' }, code: EXIT.usage })
    expect(weak).toMatch(/^atoll: ATOLL_ADMIN_PASSWORD: expected a password of 8 to 128 characters[^"]*$/)
    expect((await cli('serve --config none.yaml', { code: EXIT.usage })).stderr).toContain('none.yaml')
    expect((await cli('serve --role edge', { code: EXIT.usage })).stderr).toContain('edge.origin_url')
  })

  test('a folder that another origin works in', async () => {
    const env = { ATOLL_DATA_VOLUME: join(here().atoll.data, 'data'), ATOLL_HTTP_PORT: '0', ATOLL_EDGE_PORT: '0' }
    for (const role of ['', '--role origin']) {
      const { stderr } = await cli(`serve ${role}`, { env, code: EXIT.failed })
      expect(stderr).toMatch(/^atoll: data_volume: another origin is at work in .*ATOLL_DATA_VOLUME\.$/m)
    }
  })

  test('a folder that cannot be made', async () => {
    for (const folder of ['/proc/nope', '/proc/nope/further', join(here().home, 'file.txt', 'below')]) {
      await writeFile(join(here().home, 'file.txt'), '')
      const { stderr } = await cli('serve', { env: { ATOLL_DATA_VOLUME: folder }, code: EXIT.usage })
      expect(stderr).toMatch(/^atoll: data_volume: .* cannot be used as a folder \((ENOENT|ENOTDIR)\)\. Choose another with ATOLL_DATA_VOLUME\.$/m)
    }
  })

  test('a port that is taken, and which setting chooses another', async () => {
    const port = here().atoll.origin.split(':')[1] ?? ''
    const env = { ATOLL_DATA_VOLUME: join(here().home, 'taken'), ATOLL_HTTP_PORT: port }
    const { stderr } = await cli('serve --role origin', { env, code: EXIT.failed })
    expect(stderr).toContain(`Port ${port} is taken`)
    expect(stderr).toContain('http.port (ATOLL_HTTP_PORT)')
  })
})

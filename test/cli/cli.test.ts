import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EXIT } from '../../cli/exit-codes.ts'
import { sessionFile } from '../../cli/session.ts'
import { ADMIN_PASSWORD, type AtollProcess, freePort, startAtoll } from '../support/atoll.ts'
import { pushImage, randomImage } from '../support/images.ts'
import { type Outcome, run } from '../support/run.ts'
import { until } from '../support/until.ts'

const CLI = fileURLToPath(new URL('../../cli/atoll', import.meta.url))

let atoll: AtollProcess
let home: string

beforeAll(async () => {
  atoll = await startAtoll({ role: 'origin' })
  home = await mkdtemp(join(tmpdir(), 'atoll-cli-'))
}, 60_000)
afterAll(async () => {
  await atoll?.[Symbol.asyncDispose]()
  await rm(home, { recursive: true, force: true })
})

interface Call {
  readonly input?: string
  readonly env?: Readonly<Record<string, string>>
  readonly code?: number
}

/** Runs a command as the administrator; throws with all it said unless it ends with `code`. */
async function cli(args: string, { input, env, code = EXIT.ok }: Call = {}): Promise<Outcome> {
  const outcome = await run(CLI, args.split(' ').filter(Boolean), {
    cwd: home,
    env: { HOME: home, ATOLL_SERVER: `http://${atoll.origin}`, ATOLL_USERNAME: 'admin', ATOLL_PASSWORD: ADMIN_PASSWORD, ...env },
    ...(input !== undefined && { input }),
  })
  expect({ args, code: outcome.code, said: outcome.code === code ? '' : `${outcome.stdout}${outcome.stderr}` }).toEqual({ args, code, said: '' })
  if (args.includes('--json') && code === EXIT.ok) expect(() => JSON.parse(outcome.stdout), outcome.stdout).not.toThrow()
  return outcome
}

async function json<T>(args: string, call: Call = {}): Promise<T> {
  return JSON.parse((await cli(`${args} --json`, call)).stdout) as T
}

/** The table of a list, and its JSON, hold the same names. */
async function expectListed(args: string, names: readonly string[], key = 'name'): Promise<void> {
  const rows = await json<Record<string, unknown>[]>(args)
  expect(rows.map((row) => String(row[key]))).toEqual(expect.arrayContaining([...names]))
  const { stdout } = await cli(args)
  for (const row of rows) expect(stdout).toContain(String(row[key]))
  expect(stdout.trim().split('\n')).toHaveLength(rows.length + 1)
}

function v2(path: string, username: string, password: string): Promise<Response> {
  return fetch(`http://${atoll.origin}/v2/${path}`, {
    headers: { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` },
  })
}

test('whoever reads no further than the first lines gets no complaint', async () => {
  const env = {
    HOME: home,
    PATH: process.env.PATH ?? '',
    ATOLL_SERVER: `http://${atoll.origin}`,
    ATOLL_USERNAME: 'admin',
    ATOLL_PASSWORD: ADMIN_PASSWORD,
  }
  for (const args of [
    ['project', 'ls'],
    ['user', 'ls', '--json'],
    ['audit', 'export'],
  ]) {
    const child = spawn(CLI, args, { cwd: home, env, stdio: ['ignore', 'pipe', 'pipe'] })
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
  const kept = join(home, '.config', 'atoll', 'session.json')
  for (const XDG_CONFIG_HOME of [undefined, '', '.', 'config']) expect(sessionFile({ HOME: home, XDG_CONFIG_HOME })).toBe(kept)
  expect(sessionFile({ HOME: home, XDG_CONFIG_HOME: '/etc/here' })).toBe('/etc/here/atoll/session.json')
  for (const HOME of [undefined, '']) expect(isAbsolute(sessionFile({ HOME }))).toBe(true)
})

test('login takes the password from standard input, keeps it where only its owner can read it, and logout forgets it', async () => {
  const nobody = { HOME: home, PATH: process.env.PATH ?? '' }
  const bare = (args: readonly string[], input = '') => run(CLI, args, { cwd: home, env: nobody, input })
  expect((await bare(['login', atoll.origin, '--username', 'admin', '--password-stdin'], 'wrong\n')).code).toBe(EXIT.denied)
  const logged = await bare(['login', atoll.origin, '--username', 'admin', '--password-stdin'], `${ADMIN_PASSWORD}\n`)
  expect(logged.code, logged.stderr).toBe(EXIT.ok)
  const file = join(home, '.config', 'atoll', 'session.json')
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  expect(logged.stdout + logged.stderr).not.toContain(ADMIN_PASSWORD)
  expect((await bare(['project', 'ls'])).stdout).toContain('library')
  const elsewhere = await bare(['--server', `http://127.0.0.1:${await freePort()}`, 'user', 'ls'])
  expect(elsewhere.code).toBe(EXIT.unreachable)
  expect((await bare(['logout'])).code).toBe(EXIT.ok)
  await expect(stat(file)).rejects.toMatchObject({ code: 'ENOENT' })
  const anonymous = await bare(['--server', atoll.origin, 'user', 'ls'])
  expect(anonymous.code).toBe(EXIT.denied)
  expect(anonymous.stderr).toContain('atoll login')
  const noTerminal = await bare(['login', atoll.origin])
  expect(noTerminal.code).toBe(EXIT.usage)
  expect(noTerminal.stderr).toContain('--password-stdin')
})

test('projects and their members', async () => {
  await cli('project create team --storage-limit 10GiB')
  await cli('project create open --public')
  await cli('project create team', { code: EXIT.conflict })
  await cli('project create Team', { code: EXIT.failed })
  await cli('project create other --storage-limit lots', { code: EXIT.usage })
  await expectListed('project ls', ['team', 'open', 'library'])
  expect(await json<{ name: string }[]>('project ls --name tea')).toMatchObject([{ name: 'team' }])
  expect((await cli('project show team')).stdout).toMatch(/^team: private, 0 repositories, 0 B of 10 GiB used, owner admin$/m)
  expect(await json('project show open')).toMatchObject({ name: 'open', metadata: { public: 'true' } })
  await cli('project show none', { code: EXIT.notFound })

  await cli('user create ana --email ana@example.com --new-password-stdin', { input: 'Passw0rd-ana\n' })
  await cli('project member add team ana')
  await cli('project member add team ana', { code: EXIT.conflict })
  await expectListed('project member ls team', ['admin', 'ana'], 'entity_name')
  await cli('project member set team ana --role guest')
  expect((await cli('project member ls team')).stdout).toMatch(/^ana +user +guest$/m)
  await cli('project member set team ana --role emperor', { code: EXIT.usage })
  const asAna = { env: { ATOLL_USERNAME: 'ana', ATOLL_PASSWORD: 'Passw0rd-ana' } }
  const seen = (await json<{ name: string }[]>('project ls', asAna)).map(({ name }) => name)
  expect(seen).toEqual(expect.arrayContaining(['library', 'open', 'team']))
  await cli('project rm open', { ...asAna, code: EXIT.denied })
  await cli('project member rm team ana')
  await cli('project member rm team ana', { code: EXIT.notFound })

  await cli('project rm open')
  await cli('project show open', { code: EXIT.notFound })
})

test('users', async () => {
  await expectListed('user ls', ['ana'], 'username')
  await cli('user create bo --email bo@example.com --realname Bo --admin --new-password-stdin', { input: 'Passw0rd-bo\n' })
  await cli('user create bo --email bo2@example.com --new-password-stdin', { input: 'Passw0rd-bo\n', code: EXIT.conflict })
  const weak = await cli('user create cy --email cy@example.com --new-password-stdin', { input: 'weak\n', code: EXIT.failed })
  expect(weak.stderr).toMatch(/password/i)
  await cli('user create cy', { code: EXIT.usage })
  expect((await cli('user ls')).stdout).toMatch(/^bo +Bo +bo@example.com +yes$/m)
  await cli('user admin bo --off')
  expect((await cli('user ls')).stdout).toMatch(/^bo +Bo +bo@example.com +no$/m)
  await cli('user passwd bo --new-password-stdin', { input: 'Passw0rd-bo-2\n' })
  await cli('project ls', { env: { ATOLL_USERNAME: 'bo', ATOLL_PASSWORD: 'Passw0rd-bo' }, code: EXIT.denied })
  await cli('project ls', { env: { ATOLL_USERNAME: 'bo', ATOLL_PASSWORD: 'Passw0rd-bo-2' } })
  await cli('user rm bo')
  await cli('user rm bo', { code: EXIT.notFound })
})

test('robots: the secret works with the registry, a disabled or old one is refused', async () => {
  expect((await cli('robot ls --project team')).stderr).toContain('atoll robot create')
  const made = await cli('robot create ci --project team --allow push')
  const [name = '', secret = ''] = made.stdout.trim().split('\n')
  expect(name).toBe('robot$team+ci')
  expect(made.stderr).toContain('not shown again')
  const authorization = `Basic ${Buffer.from(`${name}:${secret}`).toString('base64')}`
  await pushImage({ url: new URL(`http://${atoll.origin}`), repository: 'team/app', headers: { authorization } }, randomImage(), '1')
  expect((await v2('team/app/manifests/1', name, secret)).status).toBe(200)
  expect((await v2('other/app/manifests/1', name, secret)).status).not.toBe(200)

  await expectListed('robot ls --project team', [name])
  await cli(`robot disable ${name}`)
  expect((await v2('team/app/manifests/1', name, secret)).status).toBe(401)
  expect((await cli('robot ls --project team')).stdout).toMatch(/^robot\$team\+ci +- +no/m)
  await cli('robot enable team+ci')
  expect((await v2('team/app/manifests/1', name, secret)).status).toBe(200)
  const { secret: fresh } = await json<{ secret: string }>('robot refresh team+ci')
  expect((await v2('team/app/manifests/1', name, secret)).status).toBe(401)
  expect((await v2('team/app/manifests/1', name, fresh)).status).toBe(200)
  await cli('robot create ci --project team', { code: EXIT.conflict })
  await cli('robot create x --project nowhere', { code: EXIT.notFound })
  await cli('robot create x --project team --allow nonsense', { code: EXIT.usage })
  await cli('robot rm team+ci')
  await cli('robot rm team+ci', { code: EXIT.notFound })
  expect((await v2('team/app/manifests/1', name, fresh)).status).toBe(401)
  await cli('project rm team', { code: EXIT.conflict })
})

test('a second edge, with its own data folder, is enrolled, serves pulls, and is revoked', async () => {
  expect((await cli('edge ls')).stderr).toContain('atoll edge token')
  const { token } = await json<{ token: string }>('edge token berlin --region eu')
  const data = join(home, 'edge-berlin')
  const port = await freePort()
  const env = { ATOLL_DATA_VOLUME: data, ATOLL_EDGE_PORT: String(port), ATOLL_EDGE_URL: `http://127.0.0.1:${port}` }
  const refused = await cli(`edge enroll --origin http://${atoll.origin} --token wrong`, { env, code: EXIT.denied })
  expect(refused.stderr).toContain('atoll edge token')
  await cli(`edge enroll --origin http://127.0.0.1:${await freePort()} --token ${token}`, { env, code: EXIT.unreachable })
  const enrolled = await json<{ name: string; region: string }>(`edge enroll --origin http://${atoll.origin} --token ${token}`, { env })
  expect(enrolled).toMatchObject({ name: 'berlin', region: 'eu' })

  await using edge = await startAtoll({
    role: 'edge',
    env: { ...env, ATOLL_EDGE_ORIGIN_URL: `http://${atoll.origin}` },
    ready: [`127.0.0.1:${port}`],
  })
  await pushImage(
    {
      url: new URL(`http://${atoll.origin}`),
      repository: 'library/app',
      headers: { authorization: `Basic ${Buffer.from(`admin:${ADMIN_PASSWORD}`).toString('base64')}` },
    },
    randomImage(),
    '1',
  )
  const authorization = `Basic ${Buffer.from(`admin:${ADMIN_PASSWORD}`).toString('base64')}`
  const tokens = `http://127.0.0.1:${port}/service/token?service=atoll&scope=repository:library/app:pull`
  const { token: bearer } = (await (await fetch(tokens, { headers: { authorization } })).json()) as { token: string }
  const pulled = await fetch(`http://127.0.0.1:${port}/v2/library/app/manifests/1`, { headers: { authorization: `Bearer ${bearer}` } })
  expect(pulled.status, await pulled.text()).toBe(200)
  await expectListed('edge ls', ['berlin'])
  expect((await cli('edge ls')).stdout).toMatch(/^berlin +eu/m)
  expect((await cli('edge show berlin')).stdout).toMatch(/^name +berlin\n(?:.*\n)*status +connected\n/)
  const ready = async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).status
  await cli('edge drain berlin')
  await until('the edge knows that it is drained', async () => (await ready()) === 503)
  expect((await cli('edge ls')).stdout).toContain('connected, drained')
  expect(await json('edge show berlin')).toMatchObject({ name: 'berlin', draining: true })
  await cli('edge undrain berlin')
  await until('the edge is back', async () => (await ready()) === 200)
  await cli('edge show paris', { code: EXIT.notFound })
  await cli('edge revoke berlin')
  expect(await json('edge ls')).toEqual([])
  await cli('edge revoke berlin', { code: EXIT.notFound })
  expect(edge.pid).toBeGreaterThan(0)
})

test('signing keys are rotated and withdrawn', async () => {
  const [before] = await json<{ kid: string; signs: boolean }[]>('key ls')
  expect(before).toMatchObject({ signs: true })
  const rotated = await json<{ kid: string; signs: boolean }[]>('key rotate')
  const made = rotated.find(({ kid }) => kid !== before?.kid)
  // It is published for a while before it signs.
  expect(made).toMatchObject({ signs: false })
  expect((await cli('key ls')).stdout).toContain(made?.kid)
  await cli(`key withdraw ${before?.kid}`)
  expect(await json('key ls')).toMatchObject([{ kid: made?.kid, signs: true }])
  await cli(`key withdraw ${before?.kid}`, { code: EXIT.notFound })
})

test('endpoints, rules and executions, from nothing to their end', async () => {
  for (const [list, next] of [
    ['replicate endpoint ls', 'replicate endpoint add'],
    ['replicate rule ls', 'replicate rule create'],
    ['replicate ls', 'replicate run'],
  ]) {
    if (list !== 'replicate endpoint ls') expect((await cli(`${list}`)).stderr).toContain(next)
    expect(await json(`${list}`)).toBeInstanceOf(Array)
  }
  const nobody = `http://127.0.0.1:${await freePort()}`
  const added = await cli(`replicate endpoint add away ${nobody} --login admin`, { input: 'secret-word\n' })
  expect(added.stderr).toMatch(/does not work yet: connection: /)
  expect(added.stdout + added.stderr).not.toContain('secret-word')
  await cli(`replicate endpoint add away ${nobody}`, { code: EXIT.conflict })
  await cli('replicate endpoint ping away', { code: EXIT.failed })
  await cli('replicate endpoint ping none', { code: EXIT.notFound })
  await expectListed('replicate endpoint ls', ['away'])

  await cli('replicate rule create r', { code: EXIT.usage })
  await cli('replicate rule create r --push-to away --pull-from away', { code: EXIT.usage })
  await cli('replicate rule create r --pull-from away --on-push', { code: EXIT.usage })
  await cli('replicate rule create r --push-to away --repository team/** --tag v*')
  await cli('replicate rule create r --push-to away', { code: EXIT.conflict })
  await expectListed('replicate rule ls', ['r'])
  await cli('replicate endpoint rm away', { code: EXIT.conflict })

  const idle = await cli('replicate run r --wait')
  expect(idle.stdout).toMatch(/Execution \d+: Succeed/)
  await cli('replicate run none', { code: EXIT.notFound })
  const [execution] = await json<{ id: number; rule: string; status: string }[]>('replicate ls --rule r')
  expect(execution).toMatchObject({ rule: 'r', status: 'Succeed' })
  expect((await cli('replicate ls')).stdout).toMatch(/^\d+ +r +Succeed +manual +0\/0 +0 +0 B/m)
  expect(await json(`replicate logs ${execution?.id}`)).toEqual([])
  await cli(`replicate stop ${execution?.id}`)
  await cli('replicate logs 4711', { code: EXIT.notFound })
  await cli('replicate rule rm r')
  await cli('replicate rule rm r', { code: EXIT.notFound })
  await cli('replicate endpoint rm away')
})

test('what a rule lets through is said at its making, changed piece by piece and taken away', async () => {
  await cli('replicate endpoint add there http://127.0.0.1:1')
  await cli('replicate rule create picky --push-to there --tag v* --exclude-tag *-rc --label released --kind image --speed 1MiB')
  await cli('replicate rule set picky', { code: EXIT.usage })
  await cli('replicate rule set none --disable', { code: EXIT.notFound })
  await cli('replicate rule set picky --manual --on-push', { code: EXIT.usage })
  await cli('replicate rule set picky --kind sbom', { code: EXIT.usage })
  await cli('replicate rule set picky --tag semver:nonsense', { code: EXIT.failed })
  const tag = { type: 'tag', value: 'v*', decoration: 'matches' }
  const rest = [
    { type: 'tag', value: '*-rc', decoration: 'excludes' },
    { type: 'label', value: ['released'] },
    { type: 'resource', value: 'image' },
  ]
  expect(await json('replicate rule set picky --disable')).toMatchObject({
    enabled: false,
    override: true,
    speed: 1024,
    trigger: { type: 'manual' },
    filters: [tag, ...rest],
  })
  expect(await json('replicate rule set picky --enable --tag v2* --on-push --speed 0')).toMatchObject({
    enabled: true,
    override: true,
    speed: 0,
    trigger: { type: 'event_based' },
    filters: expect.arrayContaining([...rest, { ...tag, value: 'v2*' }]),
    dest_registry: { name: 'there' },
  })
  expect(await json('replicate rule set picky --tag= --label=')).toMatchObject({ filters: [rest[0], rest[2]] })
  await cli('replicate rule rm picky')
  await cli('replicate endpoint rm there')
})

test('how much an endpoint is used is said at its making, changed and shown', async () => {
  await cli('replicate endpoint add far http://127.0.0.1:1 --jobs-at-once 3')
  await cli('replicate endpoint set far', { code: EXIT.usage })
  expect(await json('replicate endpoint set far --speed 20MiB')).toMatchObject({ jobs_at_once: 3, speed: 20 * 1024 })
  expect((await cli('replicate endpoint ls')).stdout).toMatch(/^far +harbor +\S+ +3 +20 MiB\/s/m)
  expect(await json('replicate endpoint set far --speed 0')).toMatchObject({ jobs_at_once: 3, speed: 0 })
  await cli('replicate endpoint rm far')
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
    const file = join(home, 'completion.bash')
    await writeFile(file, (await cli('completion bash')).stdout)
    const checked = await run('bash', ['-n', file])
    expect(checked.code, checked.stderr).toBe(0)
    const offered = await run(CLI, ['complete', '--', 'project', ''], { env: { HOME: home } })
    for (const name of ['ls', 'create', 'show', 'rm', 'member']) expect(offered.stdout).toMatch(new RegExp(`^${name}\\b`, 'm'))
  })
})

describe('what cannot be started says why', () => {
  test('every mistake in the settings, on a line of its own', async () => {
    const file = join(home, 'bad.yaml')
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
    const env = { ATOLL_DATA_VOLUME: join(atoll.data, 'data'), ATOLL_HTTP_PORT: '0', ATOLL_EDGE_PORT: '0' }
    for (const role of ['', '--role origin']) {
      const { stderr } = await cli(`serve ${role}`, { env, code: EXIT.failed })
      expect(stderr).toMatch(/^atoll: data_volume: another origin is at work in .*ATOLL_DATA_VOLUME\.$/m)
    }
  })

  test('a folder that cannot be made', async () => {
    for (const folder of ['/proc/nope', '/proc/nope/further', join(home, 'file.txt', 'below')]) {
      await writeFile(join(home, 'file.txt'), '')
      const { stderr } = await cli('serve', { env: { ATOLL_DATA_VOLUME: folder }, code: EXIT.usage })
      expect(stderr).toMatch(/^atoll: data_volume: .* cannot be used as a folder \((ENOENT|ENOTDIR)\)\. Choose another with ATOLL_DATA_VOLUME\.$/m)
    }
  })

  test('a port that is taken, and which setting chooses another', async () => {
    const port = atoll.origin.split(':')[1] ?? ''
    const env = { ATOLL_DATA_VOLUME: join(home, 'taken'), ATOLL_HTTP_PORT: port }
    const { stderr } = await cli('serve --role origin', { env, code: EXIT.failed })
    expect(stderr).toContain(`Port ${port} is taken`)
    expect(stderr).toContain('http.port (ATOLL_HTTP_PORT)')
  })
})

test('passwords are in no log of the origin', async () => {
  const log = await readFile(join(atoll.data, 'process.log'), 'utf8')
  expect(log).not.toContain('Passw0rd-ana')
})

test('garbage is collected by hand and by schedule', async () => {
  expect((await cli('gc ls')).stderr + (await cli('gc ls')).stdout).toContain('atoll gc run')
  expect((await cli('gc schedule')).stdout).toContain('not collected by itself')
  const dry = await cli('gc run --dry-run --wait')
  expect(dry.stdout).toMatch(/Collection \d+: Success: 0 manifests and \d+ blobs would go/)
  const { id } = await json<{ id: number }>('gc run --delete-untagged --wait')
  expect((await cli(`gc log ${id}`)).stdout).toContain('[INFO] Freed ')
  await expectListed('gc ls', [String(id)], 'id')
  await cli('gc log 4711', { code: EXIT.notFound })
  await cli('gc stop 4711', { code: EXIT.notFound })
  const schedule = (cron: string) =>
    run(CLI, ['gc', 'schedule', cron], {
      cwd: home,
      env: { HOME: home, ATOLL_SERVER: `http://${atoll.origin}`, ATOLL_USERNAME: 'admin', ATOLL_PASSWORD: ADMIN_PASSWORD },
    })
  expect(await schedule('0 0 3 * * *')).toMatchObject({ code: EXIT.ok, stdout: expect.stringContaining('0 0 3 * * * (UTC), next at ') })
  expect(await schedule('3 o’clock')).toMatchObject({ code: EXIT.failed, stderr: expect.stringContaining('six fields') })
  expect((await cli('gc schedule off')).stdout).toContain('not collected by itself')
})

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { EXIT } from '../../cli/exit-codes.ts'
import { ADMIN_PASSWORD, type AtollProcess, startAtoll } from '../support/atoll.ts'
import { pushImage, randomImage, randomIndex } from '../support/images.ts'
import { run } from '../support/run.ts'

const CLI = fileURLToPath(new URL('../../cli/atoll', import.meta.url))

let atoll: AtollProcess
let folder: string

beforeAll(async () => {
  atoll = await startAtoll()
  folder = await mkdtemp(join(tmpdir(), 'atoll-edge-commands-'))
}, 60_000)
afterAll(async () => {
  await atoll?.[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

/** Its answer, if it ends with `code`. */
async function cli(code: number, ...args: string[]): Promise<string> {
  const outcome = await atoll.cli(...args)
  expect({ args, code: outcome.code, said: outcome.code === code ? '' : `${outcome.stdout}${outcome.stderr}` }).toEqual({ args, code, said: '' })
  return code === EXIT.ok ? outcome.stdout : outcome.stderr
}

test('warm fetches images to an edge, by its name or its address, and says what is wrong with others', async () => {
  const image = randomImage({ layers: [50_000, 60_000] })
  const authorization = `Basic ${Buffer.from(`admin:${ADMIN_PASSWORD}`).toString('base64')}`
  await pushImage({ url: new URL(`http://${atoll.origin}`), repository: 'library/app', headers: { authorization } }, image, '1.0.0')
  const [warmed] = JSON.parse(await cli(EXIT.ok, 'warm', 'local', 'library/app:1.0.0', '--json')) as object[]
  expect(warmed).toMatchObject({ image: 'library/app:1.0.0', digest: image.manifest.digest, manifests: 1, blobs: 3 })
  expect(await cli(EXIT.ok, 'warm', `http://${atoll.edge}`, `library/app@${image.manifest.digest}`)).toContain('3 blobs')
  expect(await cli(EXIT.notFound, 'warm', 'local', 'library/app:none')).toContain('library/app:none')
  expect(await cli(EXIT.notFound, 'warm', 'nowhere', 'library/app:1.0.0')).toContain('atoll edge ls')
  expect(await cli(EXIT.unreachable, 'warm', 'http://127.0.0.1:1', 'library/app:1.0.0')).toContain('127.0.0.1:1')
})

test('warm goes on after an image that fails, and tells of each what became of it', async () => {
  const image = randomImage({ layers: [20_000] })
  const index = randomIndex(['amd64', 'arm64'])
  const authorization = `Basic ${Buffer.from(`admin:${ADMIN_PASSWORD}`).toString('base64')}`
  const target = { url: new URL(`http://${atoll.origin}`), repository: 'library/several', headers: { authorization } }
  await pushImage(target, image, '1')
  await pushImage(target, index, 'index')
  const several = ['warm', 'local', 'library/several:none', 'library/several:1']
  const { code, stdout, stderr } = await atoll.cli(...several, '--json')
  expect(JSON.parse(stdout)).toEqual([
    { image: 'library/several:none', error: { message: expect.stringContaining('library/several:none'), exitCode: EXIT.notFound } },
    expect.objectContaining({ image: 'library/several:1', digest: image.manifest.digest, blobs: 2 }),
  ])
  expect([code, stderr]).toEqual([EXIT.notFound, expect.stringContaining('library/several:none')])
  const elsewhere = ['library/several:index', '--platform', 'windows/amd64']
  expect(await cli(EXIT.failed, 'warm', 'local', ...elsewhere)).toMatch(/windows\/amd64.*linux\/amd64, linux\/arm64/)
  expect(await cli(EXIT.failed, ...several, ...elsewhere)).toContain('library/several:none')
  expect(await cli(EXIT.ok, 'warm', 'local', 'library/several:index', '--platform', 'linux/arm64')).toContain('2 blobs')
})

test('who may pull an image warms it by the URL of an edge, and is told so where a name is not for them to look up', async () => {
  const image = randomImage({ layers: [10_000] })
  const admin = `Basic ${Buffer.from(`admin:${ADMIN_PASSWORD}`).toString('base64')}`
  await atoll.api('POST', '/api/v2.0/projects', { project_name: 'guarded', public: false })
  await pushImage({ url: new URL(`http://${atoll.origin}`), repository: 'guarded/app', headers: { authorization: admin } }, image, '1.0.0')
  const guest = { username: 'guest', password: 'Guest12345' }
  await atoll.api('POST', '/api/v2.0/users', { ...guest, email: 'guest@example.com', realname: 'A guest' })
  await atoll.api('POST', '/api/v2.0/projects/guarded/members', { role_id: 3, member_user: { username: guest.username } })
  const asGuest = async (edge: string) =>
    await run(CLI, ['warm', edge, 'guarded/app:1.0.0'], {
      cwd: folder,
      env: { HOME: folder, ATOLL_SERVER: `http://${atoll.origin}`, ATOLL_USERNAME: guest.username, ATOLL_PASSWORD: guest.password },
    })
  const byName = await asGuest('local')
  expect([byName.code, byName.stderr]).toEqual([EXIT.denied, expect.stringContaining('by its URL')])
  const byUrl = await asGuest(`http://${atoll.edge}`)
  expect([byUrl.code, byUrl.stdout]).toEqual([EXIT.ok, expect.stringContaining('2 blobs')])
})

test('mirror-config writes a file for every registry that is mirrored, and never over another', async () => {
  const printed = await cli(EXIT.ok, 'edge', 'mirror-config', '--edge', 'local')
  for (const registry of ['docker.io', 'quay.io']) expect(printed).toContain(`# certs.d/${registry}/hosts.toml`)
  const write = (code: number) => cli(code, 'edge', 'mirror-config', '--edge', 'local', '--registry', 'docker.io', '--only', '--out', folder)
  await write(EXIT.ok)
  const text = await readFile(join(folder, 'certs.d/docker.io/hosts.toml'), 'utf8')
  expect(text).toContain(`server = "http://${atoll.edge}"`)
  expect(text).toContain(`[host."http://${atoll.edge}"]`)
  expect(await write(EXIT.conflict)).toContain('is there already')
  await cli(EXIT.usage, 'edge', 'mirror-config', '--edge', 'local', '--registry', 'no host')
  for (const option of [['--only'], ['--registry', 'quay.io'], ['--ca', '/etc/ca.pem']])
    expect(await cli(EXIT.usage, 'edge', 'mirror-config', '--edge', 'local', '--docker', ...option)).toContain(option[0])
  expect(await cli(EXIT.usage, 'edge', 'mirror-config', '--edge', 'ftp://edge')).toContain('is no address')
  expect(await cli(EXIT.notFound, 'edge', 'mirror-config', '--edge', 'local', '--registry', 'foo.example.com')).toContain('docker.io, quay.io')
  await cli(EXIT.ok, 'replicate', 'endpoint', 'add', 'plain', `http://${atoll.origin}`)
  await cli(EXIT.ok, 'project', 'create', 'plain-proxy', '--proxy', 'plain')
  expect(await cli(EXIT.ok, 'edge', 'mirror-config', '--edge', 'local', '--registry', atoll.origin)).toContain(`server = "http://${atoll.origin}"`)
  await cli(EXIT.ok, 'project', 'mirror', 'set', 'quay-proxy', '--off')
  expect(await cli(EXIT.ok, 'edge', 'mirror-config', '--edge', 'local')).not.toContain('quay.io')
  await cli(EXIT.ok, 'project', 'mirror', 'set', 'quay-proxy', '--registry', 'mirror.example.com')
  expect(await cli(EXIT.ok, 'edge', 'mirror-config', '--edge', 'local')).toContain('certs.d/mirror.example.com/')
  expect(await cli(EXIT.ok, 'project', 'mirror', 'clear', 'quay-proxy')).toContain('the registry that its endpoint names')
})

test('rules are set, shown and taken back, and what is no rule is refused by name', async () => {
  const set = ['project', 'upstream-rules', 'set', 'dockerhub-proxy']
  await cli(EXIT.ok, ...set, '--allow', 'library/*', 'grafana/**', '--deny', '**:edge', '--minimum-age', '7')
  const rules = { allow: ['library/*', 'grafana/**'], deny: ['**:edge'], minimum_age_days: 7, exempt: [] }
  expect(JSON.parse(await cli(EXIT.ok, 'project', 'upstream-rules', 'show', 'dockerhub-proxy', '--json'))).toEqual(rules)
  expect(await cli(EXIT.failed, ...set, '--allow', 'Not A Pattern')).toContain('allow.0')
  expect(await cli(EXIT.failed, ...set, '--exempt', 'sha256:short')).toContain('exempt.0')
  await cli(EXIT.usage, ...set, '--minimum-age', '-1')
  expect(await cli(EXIT.conflict, 'project', 'upstream-rules', 'set', 'library', '--deny', 'x')).toContain('no proxy cache')
  expect(await cli(EXIT.ok, 'project', 'upstream-rules', 'clear', 'dockerhub-proxy')).toContain('everything')
  // Harbor's own API says nothing of them, and keeps them.
  await cli(EXIT.ok, ...set, '--deny', 'evil/**')
  const settings = (await (await atoll.api('GET', '/api/v2.0/projects/dockerhub-proxy')).json()) as { metadata: object }
  expect(Object.keys(settings.metadata).filter((name) => name.startsWith('atoll'))).toEqual([])
  const listed = (await (await atoll.api('GET', '/api/v2.0/projects/dockerhub-proxy/metadatas/')).json()) as object
  expect(Object.keys(listed).filter((name) => name.startsWith('atoll'))).toEqual([])
  expect((await atoll.api('PUT', '/api/v2.0/projects/dockerhub-proxy', { metadata: { public: 'true' } })).status).toBe(200)
  expect(JSON.parse(await cli(EXIT.ok, 'project', 'upstream-rules', 'show', 'dockerhub-proxy', '--json'))).toMatchObject({ deny: ['evil/**'] })
  const warming = ['project', 'warming', 'set', 'library', '--pattern', 'web/*:v*', '--edge', 'local', '--platform', 'linux/amd64']
  expect(await cli(EXIT.ok, ...warming)).toContain('web/*:v*')
  expect(await cli(EXIT.ok, 'project', 'warming', 'clear', 'library')).toContain('nothing')
  expect(await cli(EXIT.ok, 'project', 'grace', 'set', 'library', '--for', '90m', '--public-afterwards')).toContain(
    '90m at most, and afterwards what is public',
  )
  expect(JSON.parse(await cli(EXIT.ok, 'project', 'grace', 'show', 'library', '--json'))).toEqual({ seconds: 5_400, public_afterwards: true })
  expect(await cli(EXIT.failed, 'project', 'grace', 'set', 'library', '--for', '31d')).toContain('seconds')
  await cli(EXIT.usage, 'project', 'grace', 'set', 'library', '--for', 'long')
  expect(await cli(EXIT.ok, 'project', 'grace', 'clear', 'library')).toContain('as long as their own grace, and afterwards nothing')
})

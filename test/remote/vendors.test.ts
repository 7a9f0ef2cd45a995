import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { copy } from '../../registry/copy/copy.ts'
import { SMALL_BLOB } from '../../registry/copy/limits.ts'
import { type Credentials, RemoteRegistry, type RemoteRegistryOptions, vendorOf } from '../../registry/remote/index.ts'
import { probe } from '../../registry/remote/probe.ts'
import { parseRepositoryName, parseTag } from '../../registry/spec/names.ts'
import { createHasher } from '../../stores/hasher.ts'
import { type BareRegistry, bareRegistry, memoryLog } from '../support/bare-registry.ts'
import { TestClock } from '../support/clock.ts'
import { pushImage, randomImage, sha256, type TestImage } from '../support/images.ts'
import { AcrServer, unsignedToken } from '../support/vendors/acr.ts'
import { EcrServer } from '../support/vendors/ecr.ts'
import { GoogleServer } from '../support/vendors/google.ts'
import { basicOf, bearerOf, behind, type Handler, json, World } from '../support/vendors/world.ts'

const v1 = parseTag('v1')
const app = parseRepositoryName('team/app')
const HOURS = 3600_000

let source: BareRegistry
let target: BareRegistry
let image: TestImage
let clock: TestClock
let world: World
/** What everything behind a vendor's login does; a test may put itself before it. */
let registry: Handler

beforeAll(async () => {
  ;[source, target] = await Promise.all([bareRegistry({ projects: ['team'] }), bareRegistry({ projects: ['team'] })])
  // Large enough to take several requests each.
  image = randomImage({ layers: [SMALL_BLOB + 40_000, SMALL_BLOB + 50_000, SMALL_BLOB + 60_000] })
  await pushImage({ url: new URL(source.server.url), repository: 'team/app' }, image, 'v1')
})
afterAll(async () => {
  await source?.[Symbol.asyncDispose]()
  await target?.[Symbol.asyncDispose]()
})
beforeEach(() => {
  clock = new TestClock()
  world = new World()
  registry = behind(new URL(target.server.url))
})

const open = (type: string, url: string, credentials: Credentials | undefined, options: Partial<RemoteRegistryOptions> = {}) =>
  RemoteRegistry.open({ url: new URL(url), vendor: vendorOf(type), fetch: world.fetch, clock, createHasher, credentials, ...options })

/** Copies the image as a replication does, and reads it back as another would. */
async function copyTo(remote: RemoteRegistry, name = app): Promise<void> {
  await remote.prepare(name)
  const from = source.local.as('system').repository(app)
  const to = remote.with().repository(name)
  // One after the other: where a request takes hours here, another that is under way meets a token that has ended twice.
  await copy(from, to, { tag: v1 }, { createHasher, clock, fetch: world.fetch as typeof fetch, override: true, referrers: true, parallel: 1 })
  expect((await to.manifests.get({ tag: v1 }))?.descriptor.digest).toBe(image.manifest.digest)
}

const names = async (remote: RemoteRegistry, limit = 2) => {
  const found: string[] = []
  for (let last: string | undefined; ; last = found.at(-1)) {
    const { items, more } = await remote.with().repositories({ limit, ...(last !== undefined && { last }) })
    found.push(...items)
    if (!more) return found
  }
}

describe('Amazon ECR', () => {
  const REGISTRY = '123456789012.dkr.ecr.eu-central-1.amazonaws.com'
  const API = 'api.ecr.eu-central-1.amazonaws.com'
  const credentials = { username: 'AKIAIOSFODNN7EXAMPLE', password: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' }
  let ecr: EcrServer

  const start = (denied: readonly string[] = []) => {
    ecr = new EcrServer({
      clock,
      region: 'eu-central-1',
      account: '123456789012',
      accessKeyId: credentials.username,
      secretAccessKey: credentials.password,
      registryUrl: `https://${REGISTRY}`,
      forward: (request) => registry(request),
      denied,
    })
    world.host(API, ecr.api).host(REGISTRY, ecr.registry)
  }

  it('makes the repository, and shows the key to the API alone and the token to the registry alone; the secret goes nowhere', async () => {
    start()
    const log = memoryLog()
    const remote = await open('aws-ecr', `https://${REGISTRY}`, credentials, { log })
    await copyTo(remote)
    await copyTo(remote)
    expect(ecr.calls).toEqual(['DescribeRepositories', 'CreateRepository', 'GetAuthorizationToken', 'DescribeRepositories'])
    expect(world.hostsThatSaw(credentials.password)).toEqual([])
    expect(world.hostsThatSaw(credentials.username)).toEqual([API])
    expect(world.hostsThatSaw('AWS:')).toEqual([REGISTRY])
    expect(JSON.stringify(log.entries)).not.toMatch(/wJalr|AKIA|AWS:/)
  })

  it('gets another token before the old one ends, so that an upload of days is never refused', async () => {
    start()
    const remote = await open('aws-ecr', `https://${REGISTRY}`, credentials)
    const statuses: number[] = []
    world.host(REGISTRY, async (request) => {
      const answer = await ecr.registry(request)
      statuses.push(answer.status)
      return answer
    })
    await remote.prepare(parseRepositoryName('team/slow'))
    const { uploads } = remote.with().repository(parseRepositoryName('team/slow'))
    const parts = Array.from({ length: 12 }, () => randomBytes(1_000))
    let upload = await uploads.begin()
    for (const part of parts) {
      clock.advance(3 * HOURS)
      upload = await uploads.append(upload.id, new Blob([part]).stream())
    }
    const digest = sha256(Buffer.concat(parts))
    expect(await uploads.finish(upload.id, digest)).toMatchObject({ digest, size: 12_000 })
    expect(statuses).not.toContain(401)
    expect(ecr.calls.filter((call) => call === 'GetAuthorizationToken')).toHaveLength(4)
  })

  it('gets another token when one is refused that should have lived', async () => {
    start()
    const remote = await open('aws-ecr', `https://${REGISTRY}`, credentials)
    await copyTo(remote)
    ecr.revoke()
    expect(await remote.with().repository(app).manifests.get({ tag: v1 })).toBeDefined()
    expect(ecr.calls.filter((call) => call === 'GetAuthorizationToken')).toHaveLength(2)
  })

  it('lists repositories by the API, page by page', async () => {
    start()
    for (const name of ['zeta', 'team/app', 'alpha', 'team/b', 'c']) ecr.repositories.add(name)
    expect(await names(await open('aws-ecr', `https://${REGISTRY}`, credentials))).toEqual(['zeta', 'team/app', 'alpha', 'team/b', 'c'])
  })

  it('takes a tag away by the API, since the registry does not', async () => {
    start()
    const remote = await open('aws-ecr', `https://${REGISTRY}`, credentials)
    const name = parseRepositoryName('team/deleted')
    await copyTo(remote, name)
    const { tags, manifests } = remote.with().repository(name)
    expect(await tags.delete(v1)).toBe(true)
    expect(await manifests.stat({ tag: v1 })).toBeUndefined()
    expect(await tags.delete(v1)).toBe(false)
  })

  it('finds the registry of an account from its region’s API, as Harbor’s forms give it', async () => {
    start()
    const remote = await open('aws-ecr', `https://${API}`, credentials)
    expect(remote.url.host).toBe(REGISTRY)
    await remote.ping()
  })

  it('says what is wrong with a key, and repeats none of what was signed', async () => {
    start(['CreateRepository'])
    const wrong = await open('aws-ecr', `https://${REGISTRY}`, { ...credentials, password: 'another secret' })
    await expect(wrong.ping()).rejects.toMatchObject({
      code: 'DENIED',
      message: `${API} does not accept the access key or its secret (InvalidSignatureException).`,
    })
    const narrow = await open('aws-ecr', `https://${REGISTRY}`, credentials)
    await expect(narrow.prepare(app)).rejects.toMatchObject({
      code: 'DENIED',
      message: 'The access key may not do ecr:CreateRepository (AccessDeniedException).',
    })
    const looked = await probe({
      url: new URL(`https://${REGISTRY}`),
      vendor: vendorOf('aws-ecr'),
      fetch: world.fetch,
      clock,
      credentials: { ...credentials, password: 'x' },
      timeMs: 1000,
    })
    expect(looked).toMatchObject({ ok: false, step: 'login' })
  })
})

describe('Google', () => {
  const HOST = 'europe-west3-docker.pkg.dev'
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const email = 'replicator@project.iam.gserviceaccount.com'
  const file = (changes: object = {}) =>
    JSON.stringify({
      type: 'service_account',
      client_email: email,
      private_key_id: 'k1',
      private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
      token_uri: 'https://oauth2.googleapis.com/token',
      ...changes,
    })
  let google: GoogleServer

  beforeEach(() => {
    const tokenUri = 'https://oauth2.googleapis.com/token'
    google = new GoogleServer({ clock, host: HOST, email, publicKey, keyId: 'k1', tokenUri, forward: (request) => registry(request) })
    world.host('oauth2.googleapis.com', google.tokens).host(HOST, google.registry)
  })

  it('exchanges a signed assertion for a token, and sends the key nowhere', async () => {
    const remote = await open('google-gcr', `https://${HOST}`, { username: '_json_key', password: file() })
    await copyTo(remote)
    expect(google.assertions).toHaveLength(1)
    const body = (privateKey.export({ type: 'pkcs8', format: 'pem' }) as string).split('\n')[1] ?? 'none'
    expect(world.hostsThatSaw(body)).toEqual([])
    expect(world.hostsThatSaw(google.assertions[0] ?? 'none')).toEqual(['oauth2.googleapis.com'])
    expect(world.hostsThatSaw('oauth2accesstoken')).toEqual([HOST])
  })

  it('goes on through the ends of both tokens in a long copy', async () => {
    const remote = await open('google-gar', `https://${HOST}`, { username: '_json_key_base64', password: Buffer.from(file()).toString('base64') })
    registry = async (request) => {
      if (request.method === 'PUT') clock.advance(HOURS)
      return await behind(new URL(target.server.url))(request)
    }
    await copyTo(remote, parseRepositoryName('team/google'))
    expect(google.assertions.length).toBeGreaterThan(2)
  })

  it.each([
    ['a key that was deleted', file({ private_key_id: 'gone' }), /does not accept the key of replicator@/],
    [
      'another’s key',
      file({ private_key: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' }) }),
      /does not accept the key/,
    ],
    ['no JSON', '-----BEGIN', /it is not JSON/],
    ['a person’s credentials', JSON.stringify({ type: 'authorized_user' }), /its type is not service_account/],
    ['a token service without encryption', file({ token_uri: 'http://oauth2.googleapis.com/token' }), /its token_uri is no https address/],
  ])('says what is wrong with %s', async (_what, password, message) => {
    const remote = await open('google-gcr', `https://${HOST}`, { username: '_json_key', password })
    await expect(remote.ping()).rejects.toMatchObject({ code: 'DENIED', message: expect.stringMatching(message) })
  })
})

describe('Azure', () => {
  const HOST = 'fleet.azurecr.io'
  const TOKEN_USER = '00000000-0000-0000-0000-000000000000'
  const admin = { name: 'fleet', secret: 'the admin’s password' }
  let acr: AcrServer
  let entra: string

  beforeEach(() => {
    entra = unsignedToken({ iss: 'https://sts.windows.net/t-1/', tid: 't-1', exp: Math.floor(clock.now() / 1000) + 24 * 3600 })
    acr = new AcrServer({
      clock,
      host: HOST,
      tenant: 't-1',
      entraTokens: [entra],
      admin,
      repositories: ['a', 'b', 'c', 'd'],
      forward: (request) => registry(request),
    })
    world.host(HOST, acr.handler)
  })

  it('exchanges a token of Entra ID for a refresh token, that for access tokens, and goes on through the ends of both', async () => {
    const remote = await open('azure-acr', `https://${HOST}`, { username: TOKEN_USER, password: entra })
    registry = async (request) => {
      if (request.method === 'PUT') clock.advance(2 * HOURS)
      return await behind(new URL(target.server.url))(request)
    }
    await copyTo(remote, parseRepositoryName('team/azure'))
    expect(acr.exchanges).toBeGreaterThan(1)
    expect(world.lines(HOST).filter((line) => line.startsWith('GET /oauth2'))).toEqual([])
  })

  it('takes a refresh token as it is, and says when it has ended', async () => {
    const remote = await open('azure-acr', `https://${HOST}`, { username: TOKEN_USER, password: acr.refreshToken() })
    await copyTo(remote)
    expect(acr.exchanges).toBe(0)
    clock.advance(5 * HOURS)
    await expect(remote.with().repository(app).manifests.get({ tag: v1 })).rejects.toMatchObject({
      code: 'DENIED',
      message: expect.stringMatching(/^The refresh token for fleet\.azurecr\.io expired at 2026-01-01T03:00:00/),
    })
  })

  it('logs in by name and password, lists tags with the right that this takes, and repositories by a catalog of its own', async () => {
    const remote = await open('azure-acr', `https://${HOST}`, { username: admin.name, password: admin.secret })
    await copyTo(remote)
    expect((await remote.with().repository(app).tags.list({ limit: 10 }))?.items).toEqual(['v1'])
    expect(await names(remote)).toEqual(['a', 'b', 'c', 'd'])
    expect(await remote.with().repository(app).tags.delete(v1)).toBe(true)
    expect(await remote.with().repository(app).tags.delete(v1)).toBe(false)
    expect(world.lines(HOST).filter((line) => line.startsWith('POST /oauth2'))).toEqual([])
  })

  it('says that a token is not accepted', async () => {
    const stranger = unsignedToken({ tid: 't-2' })
    const remote = await open('azure-acr', `https://${HOST}`, { username: TOKEN_USER, password: stranger })
    await expect(remote.ping()).rejects.toMatchObject({ code: 'DENIED', message: `${HOST} does not accept the token of Entra ID.` })
  })
})

describe('Docker Hub', () => {
  it('lists the repositories of the account, and shows the password to its own hosts alone', async () => {
    const credentials = { username: 'team', password: 'dckr_pat_secret' }
    const all = Array.from({ length: 5 }, (_, at) => ({ name: `app-${at}`, namespace: 'team' }))
    world.host('hub.docker.com', async (request) => {
      const url = new URL(request.url)
      if (url.pathname === '/v2/auth/token') {
        const { identifier, secret } = (await request.json()) as Record<string, string>
        return identifier === 'team' && secret === credentials.password ? json({ access_token: 'hub-login' }) : json({}, 401)
      }
      if (url.pathname !== '/v2/namespaces/team/repositories' || bearerOf(request) !== 'hub-login') return json({}, 401)
      const [page, size] = [Number(url.searchParams.get('page')), Number(url.searchParams.get('page_size'))]
      const next = page * size < all.length ? `https://elsewhere.example/?page=${page + 1}` : null
      return json({ count: all.length, next, results: all.slice((page - 1) * size, page * size) })
    })
    const remote = await open('docker-hub', 'https://hub.docker.com', credentials)
    expect(await names(remote)).toEqual(['team/app-0', 'team/app-1', 'team/app-2', 'team/app-3', 'team/app-4'])
    expect(world.hostsThatSaw(credentials.password)).toEqual(['hub.docker.com'])
    expect(world.hostsThatSaw('hub-login')).toEqual(['hub.docker.com'])
    await expect(names(await open('docker-hub', 'https://hub.docker.com', undefined))).rejects.toMatchObject({ code: 'UNSUPPORTED' })
  })
})

describe('Quay', () => {
  it('makes organization and repository with the application’s token, and pushes as the robot', async () => {
    const made: string[] = []
    const token = randomBytes(20).toString('hex')
    const robot = { name: 'team+replicator', secret: 'R0B0T' }
    world.host('quay.example.com', async (request) => {
      const { pathname } = new URL(request.url)
      if (pathname.startsWith('/api/v1/')) {
        if (bearerOf(request) !== token) return json({}, 401)
        if (request.method === 'GET') return made.includes(pathname) ? json({}) : json({}, 404)
        const body = (await request.json()) as Record<string, string>
        made.push(body.repository === undefined ? `/api/v1/organization/${body.name}` : `/api/v1/repository/${body.namespace}/${body.repository}`)
        return json(body, 201)
      }
      if (pathname === '/v2/auth') {
        const login = basicOf(request)
        return login?.name === robot.name && login.secret === robot.secret ? json({ token: 'pushes' }) : json({}, 401)
      }
      if (bearerOf(request) !== 'pushes') {
        return json({}, 401, { 'www-authenticate': 'Bearer realm="https://quay.example.com/v2/auth",service="quay.example.com"' })
      }
      return made.includes('/api/v1/repository/team/quay') ? await registry(request) : json({ errors: [{ code: 'NAME_UNKNOWN' }] }, 404)
    })
    const document = { account_name: robot.name, docker_cli_password: robot.secret, oauth2_token: token }
    const remote = await open('quay', 'https://quay.example.com', { username: 'json_file', password: JSON.stringify(document) })
    await copyTo(remote, parseRepositoryName('team/quay'))
    expect(made).toEqual(['/api/v1/organization/team', '/api/v1/repository/team/quay'])
    // A robot without such a token is a name and a password.
    await (await open('quay', 'https://quay.example.com', { username: robot.name, password: robot.secret })).ping()
  })
})

describe('registries that list to nobody', () => {
  it.each(['github-ghcr', 'gitlab', 'ocir'])('%s says to name the repositories', async (type) => {
    const remote = await open(type, 'https://registry.example.com', undefined)
    await expect(names(remote)).rejects.toMatchObject({ code: 'UNSUPPORTED', message: expect.stringContaining('Name those that are meant') })
  })
})

describe('Docker Trusted Registry', () => {
  it('has the repository made before a push, and says what a name must look like', async () => {
    const made: string[] = []
    world.host('dtr.example.com', async (request) => {
      const { pathname } = new URL(request.url)
      if (basicOf(request)?.secret !== 'dtr-secret') return json({}, 401, { 'www-authenticate': 'Basic realm="dtr"' })
      if (!pathname.startsWith('/api/v0/repositories/')) return made.includes('team/dtr') ? await registry(request) : json({}, 404)
      if (request.method === 'GET') return json({}, made.includes(pathname.slice('/api/v0/repositories/'.length)) ? 200 : 404)
      made.push(`${pathname.slice('/api/v0/repositories/'.length)}/${((await request.json()) as { name: string }).name}`)
      return json({}, 201)
    })
    const remote = await open('dtr', 'https://dtr.example.com', { username: 'admin', password: 'dtr-secret' })
    await copyTo(remote, parseRepositoryName('team/dtr'))
    expect(made).toEqual(['team/dtr'])
    await expect(remote.prepare(parseRepositoryName('team/deep/app'))).rejects.toMatchObject({ code: 'NAME_INVALID' })
  })
})

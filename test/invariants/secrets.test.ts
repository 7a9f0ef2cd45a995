import { randomBytes } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ADMIN_PASSWORD, type AtollProcess, startAtoll } from '../support/atoll.ts'
import { randomImage } from '../support/images.ts'
import { basic, type Credentials, getAt, Tenant, tokenAt } from '../support/tenant.ts'
import { startUpstream, type Upstream } from '../support/upstream/upstream.ts'

// Secrets are used in every way that we know, with the most talkative logs; then everything that was written or answered is searched for them.

const secret = () => `Aa1${randomBytes(12).toString('hex')}`
const UPSTREAM_PASSWORD = secret()
const upstream = await startUpstream({ users: { puller: UPSTREAM_PASSWORD }, isPrivate: (repository) => repository.startsWith('private/') })
const ADMIN = { username: 'admin', password: ADMIN_PASSWORD }

describe('a secret is in no log, no file and no answer', () => {
  const planted = new Map<string, string>()
  const answers = new Map<string, string>()
  let origin: AtollProcess
  let edge: AtollProcess

  const plant = (name: string, { username, password }: Credentials) => {
    planted.set(name, password)
    planted.set(`${name}, as a header`, basic({ username, password }).slice('Basic '.length))
  }

  beforeAll(async () => {
    origin = await startAtoll({ role: 'origin', env: { ATOLL_LOG_LEVEL: 'trace' } })
    const tenant = new Tenant(origin)
    plant("the administrator's password", ADMIN)

    await tenant.project('team', { public: false })
    const image = randomImage()
    await tenant.push('team/app', image, ADMIN, 'v1')
    const robot = await tenant.robot('ci', 'team')
    plant("the robot's secret", robot)
    const own = secret()
    await tenant.call('PATCH', `/api/v2.0/robots/${robot.id}`, { secret: own })
    plant("the robot's second secret", { ...robot, password: own })
    const user = await tenant.user('mia', secret())
    plant("the user's password", user)
    await tenant.call('POST', '/api/v2.0/projects/team/members', { role_id: 2, member_user: { username: 'mia' } })

    const enrolment = await tenant.enrolmentToken('elsewhere')
    planted.set('the enrolment token', enrolment)
    edge = await startAtoll({
      role: 'edge',
      env: { ATOLL_LOG_LEVEL: 'trace', ATOLL_EDGE_ORIGIN_URL: `http://${origin.origin}`, ATOLL_EDGE_ENROLMENT_TOKEN: enrolment },
    })

    const logins = [ADMIN, user, { ...robot, password: own }]
    for (const host of [origin.origin, edge.edge]) {
      for (const login of logins) {
        const token = await tokenAt(host, 'repository:team/app:pull', login)
        planted.set(`the token of ${login.username} at ${host}`, token)
        expect((await getAt(host, '/v2/team/app/manifests/v1', token)).status).toBe(200)
        expect((await getAt(host, `/v2/team/app/blobs/${image.layers[0]?.digest}`, token)).status).toBe(200)
        answers.set(`a wrong path at ${host}`, await (await getAt(host, '/v2/team/none/manifests/v1', token)).text())
      }
      // A slip of the hand: the password of another, and one in the place of a name.
      for (const wrong of [
        { username: 'admin', password: user.password },
        { username: user.password, password: 'x' },
      ]) {
        answers.set(
          `a wrong login at ${host}`,
          await (await fetch(`http://${host}/service/token`, { headers: { authorization: basic(wrong) } })).text(),
        )
      }
    }
    const next = { ...ADMIN, password: secret() }
    plant("the administrator's next password", next)
    for (const [before, after] of [
      [ADMIN, next],
      [next, ADMIN],
    ] as const) {
      const change = { old_password: before.password, new_password: after.password }
      expect((await origin.api('PUT', '/api/v2.0/users/1/password', change, before)).status).toBe(200)
    }

    if (upstream !== undefined) await useUpstream(tenant, upstream, user)
    const paths = [
      'robots',
      `robots/${robot.id}`,
      'registries',
      'users',
      'users/current',
      'projects',
      'projects/team',
      'projects/team/members',
      'configurations',
    ]
    for (const path of [...paths, 'projects/team/robots', 'audit-logs', 'replication/policies', 'systeminfo', 'health', 'search?q=a']) {
      answers.set(path, await (await origin.api('GET', `/api/v2.0/${path}`)).text())
    }
    answers.set('edges', await (await origin.api('GET', '/api/atoll/v1/edges')).text())
    for (const path of ['/healthz', '/readyz', '/metrics']) answers.set(`${path} of the edge`, await (await getAt(edge.edge, path)).text())
  }, 120_000)
  afterAll(async () => {
    await edge?.[Symbol.asyncDispose]()
    await origin?.[Symbol.asyncDispose]()
    // Fails when a credential came to the host behind a redirect.
    await upstream?.close()
  })

  /** A proxy cache of a registry that wants a login and redirects blobs to another host; one with a wrong password; and a look at both. */
  async function useUpstream(tenant: Tenant, hub: Upstream, user: Credentials): Promise<void> {
    plant('the password of the endpoint', { username: 'puller', password: UPSTREAM_PASSWORD })
    const image = randomImage()
    await hub.push('private/app', image, 'v1')
    const credential = { type: 'basic', access_key: 'puller', access_secret: UPSTREAM_PASSWORD }
    const endpoint = { name: 'paid', type: 'docker-hub', url: hub.url.origin, insecure: true, credential }
    const id = await tenant.endpoint(endpoint)
    await tenant.project('paid', { public: true, registry_id: id })
    for (const host of [origin.origin, edge.edge]) {
      const token = await tokenAt(host, 'repository:paid/private/app:pull', user)
      expect((await getAt(host, '/v2/paid/private/app/manifests/v1', token)).status).toBe(200)
      expect((await getAt(host, `/v2/paid/private/app/blobs/${image.layers[0]?.digest}`, token)).status).toBe(200)
    }
    const wrong = secret()
    planted.set('a wrong password of an endpoint', wrong)
    answers.set(
      'a ping with a wrong password',
      await (
        await origin.api('POST', '/api/v2.0/registries/ping', {
          ...endpoint,
          access_key: 'puller',
          access_secret: wrong,
          credential: { ...credential, access_secret: wrong },
        })
      ).text(),
    )
    answers.set('a second endpoint of this name', await (await origin.api('POST', '/api/v2.0/registries', endpoint)).text())
    answers.set('the endpoint', await (await origin.api('GET', `/api/v2.0/registries/${id}`)).text())
    for (const token of hub.tokens.issued) planted.set(`a token of the upstream ${token.slice(0, 4)}`, token)
  }

  it('is not in the log of the origin or the edge, however much they log', async () => {
    for (const [name, { output }] of Object.entries({ origin, edge })) {
      const log = await output()
      expect(log.length, `${name} logs something`).toBeGreaterThan(500)
      expect(foundIn(Buffer.from(log))).toEqual([])
    }
  })

  it('is not in any file of the data folders: what must be known again is sealed, the rest hashed', async () => {
    for (const { data } of [origin, edge]) {
      const files = await readdir(data, { recursive: true, withFileTypes: true })
      const found: string[] = []
      for (const file of files.filter((entry) => entry.isFile())) {
        const path = join(file.parentPath, file.name)
        for (const name of foundIn(await readFile(path))) found.push(`${name} in ${path.slice(data.length)}`)
      }
      expect(found).toEqual([])
    }
  })

  it('is not in what the API and the edge answer', () => {
    for (const [path, text] of answers) expect(foundIn(Buffer.from(text)), path).toEqual([])
    expect(answers.get('robots'), 'the robot is there').toContain('robot$ci')
  })

  it.skipIf(upstream === undefined)('does not go along with a redirect to another host', () => {
    expect(upstream?.counts.cdnGets, 'blobs were redirected').toBeGreaterThan(0)
    expect(upstream?.leaks).toEqual([])
  })

  function foundIn(bytes: Buffer): string[] {
    return [...planted].filter(([, value]) => bytes.includes(value)).map(([name]) => name)
  }
})

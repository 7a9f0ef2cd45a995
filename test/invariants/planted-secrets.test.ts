import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { createClient } from '@libsql/client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ADMIN_PASSWORD, type AtollProcess, startAtoll } from '../support/atoll.ts'
import { Browser } from '../support/browser.ts'
import { randomImage } from '../support/images.ts'
import { OpenIdProvider } from '../support/openid.ts'
import { Planted } from '../support/planted.ts'
import { BASE, ROOT, SLAPD_PRESENT, Slapd } from '../support/slapd.ts'
import { getAt, Tenant, tokenAt } from '../support/tenant.ts'
import { until } from '../support/until.ts'
import { type S3Server, s3Program, startS3 } from '../support/versitygw.ts'

// secrets.test.ts has what pulls and pushes use. Here is the rest of what a site is given: keys of buckets and of itself, directories, providers,
// webhooks, sessions. Everything is used where it works, where it is refused and where nobody answers; then all that was written is read.

const s3Binary = s3Program()

describe.skipIf(s3Binary === undefined || !SLAPD_PRESENT)('a secret that a site was given is in no log, no table, no file and no answer', () => {
  const planted = new Planted()
  const answers: { readonly what: string; readonly text: string }[] = []
  const people = new Map([['sub-ada', { name: 'ada', groups: [] }]])
  let bucket: S3Server
  let edgeBucket: S3Server
  let slapd: Slapd
  let provider: OpenIdProvider
  let echo: Server
  let origin: AtollProcess
  let controlPlane: AtollProcess
  let edge: AtollProcess

  const ask = async (method: string, path: string, body?: unknown, credentials?: { username: string; password: string }) => {
    const answer = await origin.api(method, path, body, credentials)
    const text = await answer.text()
    answers.push({ what: `${method} ${path}`, text: `${JSON.stringify([...answer.headers])}\n${text}` })
    return { status: answer.status, text, id: Number(answer.headers.get('location')?.split('/').at(-1)) }
  }
  const json = (text: string) => JSON.parse(text) as Record<string, never>

  beforeAll(async () => {
    bucket = await startS3(s3Binary ?? '', planted.make("the bucket's key"))
    edgeBucket = await startS3(s3Binary ?? '', planted.make("the edge bucket's key"))
    slapd = await Slapd.start(planted.make('the password of who searches the directory'))
    // Whoever tries webhooks out does so at a receiver that says back what it got.
    echo = createServer(async (request, response) => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      response.writeHead(request.url?.includes('refuse') ? 400 : 200)
      response.end(JSON.stringify({ errors: [{ code: 'DENIED', message: `you sent ${request.headers.authorization}` }], headers: request.headers }))
    }).listen(0, '127.0.0.1')
    await once(echo, 'listening')

    const secretKey = randomBytes(32).toString('base64')
    planted.plant('the key that seals', secretKey)
    const shared = {
      ATOLL_LOG_LEVEL: 'trace',
      ATOLL_SECRET_KEY: secretKey,
      ATOLL_CONTROL_PLANE_ENABLED: 'false',
      ATOLL_OUTBOUND_PRIVATE_NETWORKS: '127.0.0.1',
      ATOLL_SESSION_TIMEOUT: '60',
      ...bucketSettings('ATOLL_STORAGE_SERVICE', bucket),
    }
    origin = await startAtoll({ role: 'origin', env: shared })
    controlPlane = await startAtoll({
      role: 'control-plane',
      ready: [],
      env: { ...shared, ATOLL_DATA_VOLUME: join(origin.data, 'data') },
    })
    const tenant = new Tenant(origin)
    const admin = planted.login({ username: 'admin', password: ADMIN_PASSWORD })
    await tenant.project('team', { public: false })
    const image = randomImage()
    await tenant.push('team/app', image, admin, 'v1')

    const enrolment = planted.plant('the enrolment token', await tenant.enrolmentToken('elsewhere'))
    edge = await startAtoll({
      role: 'edge',
      env: {
        ATOLL_LOG_LEVEL: 'trace',
        ATOLL_EDGE_ORIGIN_URL: `http://${origin.origin}`,
        ATOLL_EDGE_ENROLMENT_TOKEN: enrolment,
        ...bucketSettings('ATOLL_EDGE_STORAGE', edgeBucket),
      },
    })
    const token = await tokenAt(edge.edge, 'repository:team/app:pull', admin)
    planted.plant('a token of the edge', token)
    expect((await getAt(edge.edge, `/v2/team/app/blobs/${image.layers[0]?.digest}`, token)).status).toBe(200)

    await useRobots()
    await useSessions()
    await useDirectory()
    await useProvider()
    await useEndpoints()
    await useWebhooks()
    await readEverything()
  }, 180_000)

  afterAll(async () => {
    for (const part of [edge, controlPlane, origin, provider, slapd]) await part?.[Symbol.asyncDispose]()
    echo?.close()
    await edgeBucket?.close()
    await bucket?.close()
  })

  async function useRobots() {
    const robot = {
      name: 'ci',
      duration: -1,
      description: '',
      level: 'project',
      permissions: [{ kind: 'project', namespace: 'team', access: [{ resource: 'repository', action: 'pull' }] }],
    }
    const made = await origin.api('POST', '/api/v2.0/robots', robot)
    const { secret, id } = (await made.json()) as { secret: string; id: number }
    planted.login({ username: 'robot$team+ci', password: secret }, "the robot's secret")
    const refreshed = await origin.api('PATCH', `/api/v2.0/robots/${id}`, { secret: '' })
    planted.plant("the robot's next secret", ((await refreshed.json()) as { secret: string }).secret)
    const weak = planted.plant('a secret too weak for a robot', `weakweakweak${randomBytes(6).toString('hex')}`)
    expect((await ask('PATCH', `/api/v2.0/robots/${id}`, { secret: weak })).status).toBe(400)
    for (const body of [{ secret: { deep: weak } }, [weak], weak]) expect((await ask('PATCH', `/api/v2.0/robots/${id}`, body)).status).toBe(400)
  }

  /** Logs in by the form; the session's cookie and its CSRF token are used, wrongly used and logged out. */
  async function useSessions() {
    const tab = new Browser()
    const base = `http://${origin.origin}`
    const login = (password: string) => tab.go(`${base}/c/login`, { method: 'POST', body: new URLSearchParams({ principal: 'admin', password }) })
    expect((await login(planted.make('a wrong password in the form'))).status).toBe(401)
    expect((await login(ADMIN_PASSWORD)).status).toBe(200)
    planted.plant('a session', tab.cookie(origin.origin, 'sid') ?? '')
    const seen = await tab.go(`${base}/api/v2.0/users/current`)
    const csrf = planted.plant('a CSRF token', seen.headers.get('x-harbor-csrf-token') ?? '')
    answers.push({ what: 'the session looks at itself', text: await seen.text() })
    const made = planted.make('the password of a user made by a session')
    const make = (headers: Record<string, string>, body: unknown) =>
      tab.go(`${base}/api/v2.0/users`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) })
    const user = { username: 'mia', email: 'mia@example.com', realname: 'Mia', password: made }
    expect((await make({}, user)).status).toBe(403)
    expect((await make({ 'x-harbor-csrf-token': csrf }, { ...user, password: [made] })).status).toBe(400)
    expect((await make({ 'x-harbor-csrf-token': csrf }, user)).status).toBe(201)
    expect((await make({ 'x-harbor-csrf-token': csrf }, user)).status).toBe(409)
    planted.login({ username: 'mia', password: made })
    const query = await tab.go(`${base}/api/v2.0/users/current?password=${made}&token=${made}`)
    expect(query.status).toBe(200)
    const oauth = await fetch(`${base}/service/token`, {
      method: 'POST',
      body: new URLSearchParams({ grant_type: 'password', service: 'atoll', username: 'mia', password: made, scope: 'repository:team/app:pull' }),
    })
    planted.plant('a token by a form', ((await oauth.json()) as { access_token: string }).access_token)
    const second = new Browser()
    await second.go(`${base}/c/login`, { method: 'POST', body: new URLSearchParams({ principal: 'mia', password: made }) })
    planted.plant('a session that ends', second.cookie(origin.origin, 'sid') ?? '')
    expect((await second.go(`${base}/c/log_out`)).status).toBe(200)
  }

  async function useDirectory() {
    const password = planted.make('the password of somebody in the directory')
    await slapd.change('ldapadd', `dn: uid=tom,ou=people,${BASE}\nobjectClass: inetOrgPerson\nuid: tom\ncn: Tom\nsn: T\nuserPassword: ${password}\n`)
    const settings = {
      auth_mode: 'ldap_auth',
      ldap_url: slapd.url,
      ldap_search_dn: ROOT.dn,
      ldap_search_password: slapd.rootPassword,
      ldap_base_dn: `ou=people,${BASE}`,
      ldap_uid: 'uid',
    }
    expect((await ask('PUT', '/api/v2.0/configurations', settings)).status).toBe(200)
    expect((await ask('GET', '/api/v2.0/users/current', undefined, planted.login({ username: 'tom', password }))).status).toBe(200)
    expect((await ask('GET', '/api/v2.0/users/current', undefined, { username: 'eve', password })).status).toBe(401)
    await tokenAt(edge.edge, 'repository:team/app:pull', { username: 'tom', password })
    const wrong = planted.make('a wrong password of who searches')
    for (const change of [
      { ldap_search_password: wrong },
      { ldap_search_password: wrong, ldap_url: 'ldap://127.0.0.1:1' },
      { ldap_search_password: wrong, ldap_url: `ldap://admin:${wrong}@127.0.0.1:1/?${wrong}` },
      { ldap_search_password: wrong, ldap_filter: '((' },
      { ldap_search_password: wrong, ldap_verify_cert: true, ldap_url: slapd.secureUrl },
    ]) {
      expect((await ask('POST', '/api/v2.0/ldap/ping', change)).text).toContain('"success":false')
    }
    await ask('PUT', '/api/v2.0/configurations', { ldap_search_password: wrong, ldap_scope: 'wrong' })
    await ask('PUT', '/api/v2.0/configurations', { ldap_url: `ldap://admin:${wrong}@127.0.0.1:1` })
    await ask('PUT', '/api/v2.0/configurations', { ldap_url: slapd.url, ldap_search_password: wrong })
    expect((await ask('GET', '/api/v2.0/users/current', undefined, { username: 'eve', password })).status).not.toBe(200)
    await ask('PUT', '/api/v2.0/configurations', { ldap_url: 'ldap://127.0.0.1:1', ldap_search_password: wrong })
    expect((await ask('GET', '/api/v2.0/users/current', undefined, { username: 'eve', password })).status).not.toBe(200)
  }

  async function useProvider() {
    const clientSecret = planted.make("the client's secret at the provider")
    const base = `http://${origin.origin}`
    provider = await OpenIdProvider.start({ registry: base, clientSecret, people })
    const settings = (secret: string) => ({
      auth_mode: 'oidc_auth',
      oidc_name: 'test',
      oidc_endpoint: provider.issuer,
      oidc_client_id: 'atoll',
      oidc_client_secret: secret,
      oidc_scope: 'openid,profile,email,offline_access',
      oidc_auto_onboard: true,
      oidc_logout: true,
    })
    expect((await ask('PUT', '/api/v2.0/configurations', settings(planted.make('a wrong secret of the client')))).status).toBe(200)
    const refused = await provider.login(new Browser(), base, 'sub-ada')
    expect(refused.status).toBe(401)
    answers.push({ what: 'a callback that fails', text: await refused.text() })
    expect((await ask('PUT', '/api/v2.0/configurations', settings(clientSecret))).status).toBe(200)
    const tab = new Browser()
    expect((await provider.login(tab, base, 'sub-ada')).headers.get('location')).toBe('/')
    planted.plant('a session by the provider', tab.cookie(origin.origin, 'sid') ?? '')
    const me = (await (await tab.go(`${base}/api/v2.0/users/current`)).json()) as { oidc_user_meta: { secret: string } }
    const cli = planted.login({ username: 'ada', password: me.oidc_user_meta.secret }, 'a CLI secret')
    planted.plant('a token by a CLI secret', await tokenAt(edge.edge, 'repository:team/app:pull', cli))
    expect((await ask('GET', '/api/v2.0/projects', undefined, cli)).status).toBe(200)
    for (const [index, one] of provider.issued.entries()) planted.plant(`code or token ${index} of the provider`, one)
    expect(provider.issued.length).toBeGreaterThanOrEqual(3)
    await tab.go(`${base}/c/log_out`)
    await ask('PUT', '/api/v2.0/configurations', { ...settings(planted.make('a secret for nobody')), oidc_endpoint: 'http://127.0.0.1:1' })
    await new Browser().go(`${base}/c/oidc/login`)
    const inUrl = planted.make('a password in the address of the provider')
    expect((await ask('PUT', '/api/v2.0/configurations', { oidc_endpoint: `http://me:${inUrl}@127.0.0.1:1` })).status).toBe(400)
    expect((await ask('POST', '/api/v2.0/system/oidc/ping', { url: `http://me:${inUrl}@127.0.0.1:1` })).status).toBe(400)
    await ask('PUT', '/api/v2.0/configurations', { auth_mode: 'db_auth' })
  }

  async function useEndpoints() {
    const at = `http://127.0.0.1:${(echo.address() as AddressInfo).port}`
    for (const [name, url] of [
      ['echoing', at],
      ['absent', 'http://127.0.0.1:1'],
    ] as const) {
      const secret = planted.make(`the password of the ${name} endpoint`)
      planted.login({ username: 'puller', password: secret }, `the password of the ${name} endpoint`)
      const endpoint = {
        name,
        type: 'docker-registry',
        url,
        insecure: true,
        credential: { type: 'basic', access_key: 'puller', access_secret: secret },
      }
      const { status, id } = await ask('POST', '/api/v2.0/registries', endpoint)
      expect(status).toBe(201)
      await ask('POST', '/api/v2.0/registries', { ...endpoint, type: 'no-such-type' })
      await ask('POST', '/api/v2.0/registries/ping', { ...endpoint, access_key: 'puller', access_secret: secret })
      await ask('POST', '/api/v2.0/registries/ping', { id })
      const rule = {
        name,
        enabled: true,
        src_registry: { id },
        dest_namespace: 'team',
        filters: [{ type: 'name', value: 'a/b' }],
        trigger: { type: 'manual' },
      }
      const policy = await ask('POST', '/api/v2.0/replication/policies', rule)
      await ask('POST', '/api/v2.0/replication/executions', { policy_id: policy.id })
      await ask('POST', '/api/v2.0/projects', { project_name: `cache-${name}`, public: true, registry_id: id })
      answers.push({ what: `a pull by ${name}`, text: await (await getAt(origin.origin, `/v2/cache-${name}/a/b/manifests/v1`)).text() })
    }
    const inUrl = planted.make('a password in the address of an endpoint')
    const withPassword = { name: 'x', type: 'docker-registry', url: `http://me:${inUrl}@127.0.0.1:1`, insecure: true }
    expect((await ask('POST', '/api/v2.0/registries', withPassword)).status).toBe(400)
    expect((await ask('POST', '/api/v2.0/registries/ping', withPassword)).status).toBe(400)
  }

  async function useWebhooks() {
    const at = `http://127.0.0.1:${(echo.address() as AddressInfo).port}`
    const policies: number[] = []
    for (const address of [`${at}/?token=${planted.make('a token in the address of a webhook')}`, `${at}/refuse`, 'http://127.0.0.1:1/']) {
      const header = `Bearer ${planted.make(`the header for ${address.slice(0, 30)}`)}`
      const target = { type: 'http', address, auth_header: header, skip_cert_verify: false }
      const policy = { name: `to ${policies.length}`, enabled: true, event_types: ['PUSH_ARTIFACT'], targets: [target] }
      const made = await ask('POST', '/api/v2.0/projects/team/webhook/policies', policy)
      expect(made.status).toBe(201)
      policies.push(made.id)
      expect((await ask('POST', `/api/atoll/v1/projects/team/webhooks/${made.id}/test`)).status).toBe(202)
    }
    for (const id of policies) {
      const path = `/api/v2.0/projects/team/webhook/policies/${id}/executions`
      const ended = async () => {
        const [run] = json((await ask('GET', path)).text) as unknown as { id: number; status: string }[]
        const [task] = json((await ask('GET', `${path}/${run?.id}/tasks`)).text) as unknown as { id: number; status: string }[]
        const log = await ask('GET', `${path}/${run?.id}/tasks/${task?.id}/log`)
        return /HTTP (200|400)|Not delivered/.test(log.text)
      }
      await until(`webhook ${id} was tried`, ended)
    }
  }

  async function readEverything() {
    const paths = [
      'configurations',
      'internalconfig',
      'systeminfo',
      'registries',
      'replication/policies',
      'replication/executions',
      'users',
      'robots',
      'audit-logs',
      'auditlog-exts',
      'projects',
      'projects/team',
      'projects/team/webhook/policies',
      'projects/team/webhook/lasttrigger',
      'usergroups',
      'quotas',
      'jobservice/jobs',
      'jobservice/pools',
      'jobservice/queues',
      'schedules',
      'health',
      'statistics',
      'openapi.json',
    ]
    for (const path of paths) await ask('GET', `/api/v2.0/${path}?page_size=100`)
    for (const format of ['csv', 'jsonl']) await ask('GET', `/api/atoll/v1/audit/entries?format=${format}`)
    await ask('GET', '/api/atoll/v1/edges')
    for (const host of [origin.origin, edge.edge]) answers.push({ what: `metrics of ${host}`, text: await (await getAt(host, '/metrics')).text() })
    const executions = json((await ask('GET', '/api/v2.0/replication/executions')).text) as unknown as { id: number }[]
    for (const { id } of executions) {
      const tasks = json((await ask('GET', `/api/v2.0/replication/executions/${id}/tasks`)).text) as unknown as { id: number }[]
      for (const task of tasks) await ask('GET', `/api/v2.0/replication/executions/${id}/tasks/${task.id}/log`)
    }
  }

  it('not in what any process logs', async () => {
    for (const [name, { output }] of Object.entries({ origin, controlPlane, edge })) {
      const log = await output()
      expect(log.length, `${name} logs something`).toBeGreaterThan(100)
      expect(planted.foundIn(log), name).toEqual([])
    }
  })

  it('not in a row of any table', async () => {
    const db = createClient({ url: pathToFileURL(join(origin.data, 'data', 'atoll.db')).href })
    const { rows: tables } = await db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    expect(tables.length).toBeGreaterThan(30)
    const found: string[] = []
    for (const { name } of tables) {
      const { rows } = await db.execute(`SELECT * FROM "${String(name)}"`)
      for (const row of rows)
        for (const [column, value] of Object.entries(row)) {
          const content = value instanceof ArrayBuffer ? new Uint8Array(value) : String(value)
          // The address of a webhook is shown to those who made it, with all that is in it.
          const allowed = name === 'webhook_policies' ? 'a token in the address of a webhook' : undefined
          for (const one of planted.foundIn(content)) if (one !== allowed) found.push(`${one} in ${String(name)}.${column}`)
        }
    }
    db.close()
    expect(found).toEqual([])
  })

  it('not in any file: the database with its journal, what edges keep, what is in the buckets', async () => {
    const found: string[] = []
    for (const folder of [origin.data, controlPlane.data, edge.data, bucket.directory, edgeBucket.directory]) {
      for (const file of await readdir(folder, { recursive: true, withFileTypes: true })) {
        if (!file.isFile()) continue
        const path = join(file.parentPath, file.name)
        for (const name of planted.foundIn(await readFile(path))) {
          if (name !== 'a token in the address of a webhook' || !file.name.startsWith('atoll.db')) found.push(`${name} in ${path}`)
        }
      }
    }
    expect(found).toEqual([])
  })

  it('not in what the API answers, nor in the audit log as it is exported', () => {
    expect(answers.find(({ what }) => what.includes('entries?format=csv'))?.text).toContain('team')
    const found = answers.flatMap(({ what, text }) => planted.foundIn(text).map((name) => `${name} in ${what}`))
    // An address is shown as it was given, to those who may change it.
    expect(found.filter((one) => !/a token in the address of a webhook.* in GET .*webhook\/policies(\?|$)/.test(one))).toEqual([])
  })
})

function bucketSettings(prefix: string, { endpoint, bucket, region, accessKeyId, secretAccessKey }: S3Server): Record<string, string> {
  return {
    [`${prefix}_KIND`]: 's3',
    [`${prefix}_S3_ENDPOINT`]: endpoint,
    [`${prefix}_S3_BUCKET`]: bucket,
    [`${prefix}_S3_REGION`]: region,
    [`${prefix}_S3_ACCESS_KEY`]: accessKeyId,
    [`${prefix}_S3_SECRET_KEY`]: secretAccessKey,
  }
}

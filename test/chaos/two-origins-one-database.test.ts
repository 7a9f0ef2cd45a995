import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { createClient } from '@libsql/client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ADMIN_PASSWORD, type AtollProcess, startAtoll } from '../support/atoll.ts'
import { Browser } from '../support/browser.ts'
import { pushImage, randomImage, type TestImage } from '../support/images.ts'
import { basic, type Credentials, getAt, Tenant, tokenAt } from '../support/tenant.ts'
import { until } from '../support/until.ts'
import { type S3Server, s3Program, startS3 } from '../support/versitygw.ts'

const ADMIN = { username: 'admin', password: ADMIN_PASSWORD }
const HOUR = 3_600_000
const program = s3Program()

describe.skipIf(program === undefined)('two origins on one database and one bucket are one', () => {
  let folder: string
  let bucket: S3Server
  let origins: [AtollProcess, AtollProcess]
  let receiver: Server
  const received: { type: string; tag: string }[] = []

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'atoll-shared-'))
    bucket = await startS3(program ?? '')
    receiver = createServer(async (request, response) => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      const event = JSON.parse(Buffer.concat(chunks).toString()) as { type: string; event_data: { resources: { tag: string }[] } }
      received.push({ type: event.type, tag: event.event_data.resources[0]?.tag ?? '' })
      response.end()
    }).listen(0, '127.0.0.1')
    await once(receiver, 'listening')
    const env = {
      ATOLL_DATABASE_URL: pathToFileURL(join(folder, 'atoll.db')).href,
      ATOLL_SECRET_KEY: randomBytes(32).toString('base64'),
      ATOLL_OUTBOUND_PRIVATE_NETWORKS: '127.0.0.1',
      ATOLL_GARBAGE_GRACE: '1h',
      ATOLL_STORAGE_SERVICE_KIND: 's3',
      ATOLL_STORAGE_SERVICE_S3_ENDPOINT: bucket.endpoint,
      ATOLL_STORAGE_SERVICE_S3_BUCKET: bucket.bucket,
      ATOLL_STORAGE_SERVICE_S3_REGION: bucket.region,
      ATOLL_STORAGE_SERVICE_S3_ACCESS_KEY: bucket.accessKeyId,
      ATOLL_STORAGE_SERVICE_S3_SECRET_KEY: bucket.secretAccessKey,
    }
    // Both at once, on a database that is not there yet.
    origins = await Promise.all([startAtoll({ role: 'origin', env }), startAtoll({ role: 'origin', env })])
  }, 90_000)
  afterAll(async () => {
    for (const origin of origins ?? []) await origin[Symbol.asyncDispose]()
    receiver?.close()
    await bucket?.close()
    await rm(folder, { recursive: true, force: true })
  })

  const call = async (at: 0 | 1, method: string, path: string, body?: unknown, credentials: Credentials = ADMIN) => {
    const answer = await origins[at].api(method, path, body, credentials)
    const text = await answer.text()
    return { status: answer.status, headers: answer.headers, body: text === '' ? undefined : JSON.parse(text) }
  }
  const push = (at: 0 | 1, repository: string, image: TestImage, ...tags: string[]) =>
    pushImage({ url: new URL(`http://${origins[at].origin}`), repository, headers: { authorization: basic(ADMIN) } }, image, ...tags)
  const other = (at: 0 | 1): 0 | 1 => (at === 0 ? 1 : 0)

  it('a session begun at one is known to the other, and ends at both', async () => {
    const [one, two] = origins.map(({ origin }) => origin) as [string, string]
    const tab = new Browser()
    await tab.go(`http://${one}/c/login`, { method: 'POST', body: new URLSearchParams({ principal: 'admin', password: ADMIN_PASSWORD }) })
    const cookie = `sid=${tab.cookie(one, 'sid')}`
    const current = (host: string) => fetch(`http://${host}/api/v2.0/users/current`, { headers: { cookie } })
    const seen = await current(two)
    expect(seen.status).toBe(200)
    const csrf = seen.headers.get('x-harbor-csrf-token') ?? ''
    const label = await fetch(`http://${one}/api/v2.0/labels`, {
      method: 'POST',
      headers: { cookie, 'x-harbor-csrf-token': csrf, 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'by-session', scope: 'g' }),
    })
    expect(label.status).toBe(201)
    await fetch(`http://${two}/c/log_out`, { headers: { cookie } })
    for (const host of [one, two]) expect((await current(host)).status).toBe(401)
  })

  it('a setting, a right and a robot that one changes hold at the other', async () => {
    for (const at of [0, 1] as const) {
      const message = `told by ${at}`
      expect((await call(at, 'PUT', '/api/v2.0/configurations', { banner_message: message })).status).toBe(200)
      await until('the other knows', async () => (await call(other(at), 'GET', '/api/v2.0/systeminfo')).body.banner_message === message, 2_000)
    }
    const tenant = new Tenant(origins[0])
    await tenant.project('rights', { public: false })
    const robot = await tenant.robot('ci', 'rights')
    for (const at of [0, 1] as const) expect((await call(at, 'GET', '/api/v2.0/users/current', undefined, robot)).status).not.toBe(401)
    const token = await tokenAt(origins[1].origin, 'repository:rights/app:pull,push', robot)
    expect((await getAt(origins[1].origin, '/v2/rights/app/tags/list', token)).status).toBe(404)
    const { body: found } = await call(0, 'GET', `/api/v2.0/robots/${robot.id}`)
    expect((await call(0, 'PUT', `/api/v2.0/robots/${robot.id}`, { ...(found as object), disable: true })).status).toBe(200)
    await until('its token opens nothing', async () => (await getAt(origins[1].origin, '/v2/rights/app/tags/list', token)).status === 401, 2_000)
    expect((await call(1, 'GET', '/api/v2.0/users/current', undefined, robot)).status).toBe(401)
  })

  it('an upload goes on at the other', async () => {
    await new Tenant(origins[0]).project('uploads', { public: false })
    const bytes = randomBytes(300_000)
    const headers = { authorization: basic(ADMIN), 'content-type': 'application/octet-stream' }
    let location = `/v2/uploads/app/blobs/uploads/`
    const send = async (at: 0 | 1, method: string, path: string, body?: Uint8Array) => {
      const url = new URL(path, `http://${origins[at].origin}`)
      const answer = await fetch(`http://${origins[at].origin}${url.pathname}${url.search}`, {
        method,
        headers,
        ...(body && { body: new Uint8Array(body) }),
      })
      await answer.arrayBuffer()
      location = answer.headers.get('location') ?? ''
      return answer.status
    }
    expect(await send(0, 'POST', location)).toBe(202)
    expect(await send(1, 'PATCH', location, bytes.subarray(0, 100_000))).toBe(202)
    expect(await send(0, 'PATCH', location, bytes.subarray(100_000, 250_000))).toBe(202)
    const digest = `sha256:${(await import('node:crypto')).createHash('sha256').update(bytes).digest('hex')}`
    const end = new URL(location, `http://${origins[1].origin}`)
    end.searchParams.set('digest', digest)
    expect(await send(1, 'PUT', `${end.pathname}${end.search}`, bytes.subarray(250_000))).toBe(201)
    const got = await fetch(`http://${origins[0].origin}/v2/uploads/app/blobs/${digest}`, { headers })
    expect(Buffer.from(await got.arrayBuffer()).equals(bytes)).toBe(true)
  })

  it('of 64 pushes that race for a quota, half at each, exactly those that fit are taken', { timeout: 180_000 }, async () => {
    const images = Array.from({ length: 64 }, () => randomImage({ layers: [20_000, 5_000] }))
    const each = [...(images[0]?.blobs ?? []), images[0]?.manifest].reduce((sum, part) => sum + (part?.bytes.length ?? 0), 0)
    const fit = 9
    const made = await call(0, 'POST', '/api/v2.0/projects', { project_name: 'race', storage_limit: fit * each + 7 })
    expect(made.status).toBe(201)
    const ended = await Promise.allSettled(images.map((image, n) => push((n % 2) as 0 | 1, `race/app${n % 5}`, image, `t${n}`)))
    const taken = ended.filter(({ status }) => status === 'fulfilled').length
    for (const one of ended)
      if (one.status === 'rejected')
        expect(String(one.reason)).toMatch(/denied: quota of project race exceeded: asked \d+, used \d+, allowed \d+ bytes/)
    expect(taken).toBe(fit)
    for (const at of [0, 1] as const) {
      const { body } = await call(at, 'GET', '/api/v2.0/projects/race/summary')
      expect(body.quota).toMatchObject({ used: { storage: fit * each }, hard: { storage: fit * each + 7 } })
    }
    expect((await call(0, 'POST', '/api/atoll/v1/projects/race/quota/recount')).body).toEqual({ before: fit * each, used: fit * each })
  })

  it('a webhook hears of each push once, and the audit log stays one chain', { timeout: 120_000 }, async () => {
    await new Tenant(origins[0]).project('hooks', { public: false })
    const address = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`
    const policy = { name: 'all', enabled: true, event_types: ['PUSH_ARTIFACT'], targets: [{ type: 'http', address }] }
    expect((await call(0, 'POST', '/api/v2.0/projects/hooks/webhook/policies', policy)).status).toBe(201)
    const tags = Array.from({ length: 24 }, (_, n) => `t${n}`)
    await Promise.all(tags.map((tag, n) => push((n % 2) as 0 | 1, `hooks/app${n % 4}`, randomImage({ layers: [500] }), tag)))
    await push(1, 'hooks/app0', randomImage({ layers: [500] }), 'last')
    await until('the last was told', () => received.some(({ tag }) => tag === 'last'), 60_000)
    expect(received.map(({ tag }) => tag).sort()).toEqual([...tags, 'last'].sort())

    for (const at of [0, 1] as const) {
      const lines = await origins[at].api('GET', '/api/atoll/v1/audit/verification')
      const last = JSON.parse((await lines.text()).trim().split('\n').at(-1) ?? '') as { rows: number; faults: unknown[] }
      expect(last.faults).toEqual([])
      expect(last.rows).toBeGreaterThan(25)
    }
  })

  it('wrong passwords are counted together', { timeout: 60_000 }, async () => {
    const user = await new Tenant(origins[0]).user('mia', 'Passw0rd-of-mia')
    for (const at of [0, 1] as const) expect((await call(at, 'GET', '/api/v2.0/users/current', undefined, user)).status).toBe(200)
    const statuses: number[] = []
    for (let n = 0; n < 12; n++) {
      statuses.push((await call((n % 2) as 0 | 1, 'GET', '/api/v2.0/users/current', undefined, { ...user, password: `wrong ${n}` })).status)
    }
    expect(statuses).toEqual([...Array.from({ length: 10 }, () => 401), 429, 429])
    for (const at of [0, 1] as const) expect((await call(at, 'GET', '/api/v2.0/users/current', undefined, user)).status).toBe(429)
    // Nobody else is locked out by that.
    for (const at of [0, 1] as const) expect((await call(at, 'GET', '/api/v2.0/users/current')).status).toBe(200)
  })

  it('a schedule comes due once', { timeout: 60_000 }, async () => {
    const schedule = (type: string, cron = '') => ({ schedule: { type, cron }, parameters: { dry_run: true } })
    expect((await call(0, 'POST', '/api/v2.0/system/gc/schedule', schedule('Custom', '*/2 * * * * *'))).status).toBe(201)
    const history = async () => (await call(1, 'GET', '/api/v2.0/system/gc?page_size=100')).body as { id: number; creation_time: string }[]
    await until('it came four times', async () => (await history()).length >= 4, 40_000)
    expect((await call(1, 'PUT', '/api/v2.0/system/gc/schedule', schedule('None'))).status).toBe(200)
    const seconds = (await history()).map(({ creation_time }) => Math.floor(Date.parse(creation_time) / 2_000))
    expect(new Set(seconds).size).toBe(seconds.length)
  })

  it('garbage that one collects is never what the other is just given again', { timeout: 180_000 }, async () => {
    await new Tenant(origins[0]).project('garbage', { public: true })
    const images = Array.from({ length: 8 }, () => randomImage({ layers: [30_000, 8_000] }))
    for (const [n, image] of images.entries()) await push((n % 2) as 0 | 1, 'garbage/app', image, `t${n}`)
    expect((await call(0, 'DELETE', '/api/v2.0/projects/garbage/repositories/app')).status).toBe(200)
    // Hours go by, as far as garbage can tell.
    const db = createClient({ url: pathToFileURL(join(folder, 'atoll.db')).href })
    await db.execute('PRAGMA busy_timeout = 10000')
    await db.execute(`UPDATE blobs SET condemned_at = condemned_at - ${3 * HOUR} WHERE condemned_at IS NOT NULL`)
    db.close()

    const collect = async (at: 0 | 1) => {
      const begun = await call(at, 'POST', '/api/v2.0/system/gc/schedule', { schedule: { type: 'Manual' }, parameters: { delete_untagged: true } })
      expect(begun.status).toBe(201)
      await until(
        'it was collected',
        async () => {
          const [newest] = (await call(at, 'GET', '/api/v2.0/system/gc?page_size=1&sort=-id')).body as { job_status: string }[]
          return newest?.job_status === 'Success'
        },
        60_000,
      )
    }
    // A blob that is being deleted at this moment is refused with 503 and to be sent again.
    const again = async (image: TestImage, tag: string) => {
      await until(
        `${tag} was pushed`,
        () =>
          push(1, 'garbage/app', image, tag).then(
            () => true,
            (error: unknown) => {
              if (/answered 503/.test(String(error))) return false
              throw error
            },
          ),
        60_000,
      )
    }
    const half = images.slice(0, 4)
    await Promise.all([collect(0), ...half.map((image, n) => again(image, `again${n}`))])
    await collect(1)
    for (const at of [0, 1] as const) {
      for (const [n, image] of half.entries()) {
        const token = await tokenAt(origins[at].origin, 'repository:garbage/app:pull')
        expect((await getAt(origins[at].origin, `/v2/garbage/app/manifests/again${n}`, token)).status).toBe(200)
        for (const blob of image.blobs) {
          const got = await getAt(origins[at].origin, `/v2/garbage/app/blobs/${blob.digest}`, token)
          expect(Buffer.from(await got.arrayBuffer()).equals(Buffer.from(blob.bytes))).toBe(true)
        }
      }
      // What nobody pushed again is gone for both.
      for (const image of images.slice(4)) expect((await call(at, 'GET', `/v2/garbage/app/blobs/${image.layers[0]?.digest}`)).status).toBe(404)
    }
  })
})

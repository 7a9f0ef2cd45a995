import type { Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ADMIN_PASSWORD, type AtollProcess, startAtoll } from '../support/atoll.ts'
import { randomImage } from '../support/images.ts'
import { heldConnections, openDescriptors } from '../support/processes.ts'
import { openRaw, type RawAnswer, sendRaw } from '../support/raw-http.ts'
import { basic, getAt, Tenant, tokenAt } from '../support/tenant.ts'
import { until } from '../support/until.ts'
import { type AtollWorker, startAtollWorker } from '../support/worker.ts'
import { ABSENT_DIGEST, attacks, MANIFEST } from './attacks.ts'

const ADMIN = { username: 'admin', password: ADMIN_PASSWORD }
const ANSWER_DEADLINE_MS = 15_000
const LET_GO_MS = 30_000
/** Nothing else calls from there: a port that was let go may soon be another's. */
const NOBODY_ELSE = '127.0.0.2'
/** schema/database.ts keeps up to eight connections for reading, opened when so many read at once, and one for writing. */
const DATABASE_CONNECTIONS = 9

/**
 * What Cloudflare's runtime answers by itself, in its own shape, before any code of ours sees the request. Everything else at a Worker
 * is ours. In front of a deployed Worker stands Cloudflare's network, which lets none of these through.
 */
const ANSWERED_BY_WORKERD: Readonly<Record<string, number>> = {
  'a length that is no number': 500,
  'two lengths': 500,
  'a header without a name': 400,
  'a header with a space in its name': 400,
  'a method that is none': 501,
  'no host': 400,
  'a host of nonsense': 500,
  'an address of another': 500,
  'an address that is none': 500,
  'a star': 500,
  noise: 501,
}

let atoll: AtollProcess
let worker: AtollWorker

beforeAll(async () => {
  atoll = await startAtoll()
  const tenant = new Tenant(atoll)
  await tenant.project('open', { public: true })
  await tenant.push('open/app', randomImage(), ADMIN, 'v1')
  worker = await startAtollWorker({ origin: `http://${atoll.origin}`, admin: ADMIN })
}, 120_000)
afterAll(async () => {
  await worker?.[Symbol.asyncDispose]()
  await atoll?.[Symbol.asyncDispose]()
})

interface Site {
  readonly host: string
  readonly pid: number
  /** Answers that are not ours, by what was sent. */
  readonly byRuntime?: Readonly<Record<string, number>>
}

describe.each<[string, () => Site]>([
  ['the origin', () => ({ host: atoll.origin, pid: atoll.pid })],
  ['the Node edge', () => ({ host: atoll.edge, pid: atoll.pid })],
  ['the Worker edge', () => ({ host: worker.direct, pid: worker.pid, byRuntime: ANSWERED_BY_WORKERD })],
])('%s, sent what it cannot use', (_site, at) => {
  const tokenHere = () => tokenAt(at().host, 'repository:open/app:pull,push,delete', ADMIN)

  it('refuses in the shape of its protocol, never with its own failure, and goes on', async () => {
    const { host, byRuntime = {} } = at()
    const wrong: string[] = []
    const theirs: Record<string, number> = {}
    let answered = 0
    for (const [title, bytes] of attacks(await tokenHere(), ADMIN)) {
      const answer = await sendRaw(host, bytes, ANSWER_DEADLINE_MS).catch((error: Error) => `${title}: ${error.message}`)
      if (typeof answer === 'string') wrong.push(answer)
      else if (answer !== undefined) {
        answered++
        if (title in byRuntime && !isJson(answer)) theirs[title] = answer.status
        else {
          const problem = problemWith(answer)
          if (problem !== undefined) wrong.push(`${title}: ${problem}\n${answer.headers}\n${answer.body.slice(0, 300)}`)
        }
      }
    }
    expect(wrong).toEqual([])
    expect(theirs).toEqual(byRuntime)
    expect(answered, 'nearly everything is answered').toBeGreaterThan(250)
    expect((await getAt(host, '/v2/open/app/manifests/v1')).status).toBe(200)
  }, 240_000)

  it('lets go of connections that were left in the middle, and serves others meanwhile', async () => {
    const { host, pid } = at()
    const token = await tokenHere()
    expect((await getAt(host, '/v2/open/app/manifests/v1')).status).toBe(200)
    const before = await openFiles(pid)
    const sockets: Socket[] = []
    const sent = new Map<number, string>()
    for (let index = 0; index < 20; index++)
      for (const [title, half] of Object.entries(halves(token))) {
        const socket = await openRaw(host, Buffer.from(half), NOBODY_ELSE)
        sockets.push(socket)
        sent.set(socket.localPort ?? 0, title)
      }
    const held = async () => (await heldConnections(pid, NOBODY_ELSE)).map((port) => sent.get(port))
    // A third of them have not said what they want: these stay, though an edge may have refused what waited too long for its turn.
    await until('the process has them', async () => (await held()).length >= sockets.length / 4)
    expect((await getAt(host, '/v2/open/app/manifests/v1')).status).toBe(200)
    for (const [index, socket] of sockets.entries()) index % 2 === 0 ? socket.destroy() : socket.resetAndDestroy()
    await expect.poll(held, { timeout: LET_GO_MS, message: 'the process let go of every one of them' }).toEqual([])
    await expect
      .poll(async () => more(await openFiles(pid), before), { timeout: LET_GO_MS, message: 'and of the files that it wrote for them' })
      .toEqual([])
    expect((await getAt(host, '/v2/open/app/manifests/half')).status).toBe(404)
    expect((await getAt(host, `/v2/open/app/blobs/${ABSENT_DIGEST}`)).status).toBe(404)
  }, 120_000)
})

describe('after all of it', () => {
  it('the database has as many connections as its pools allow, not one for each request', async () => {
    const databases = (await openDescriptors(atoll.pid)).filter((path) => path.endsWith('.db'))
    expect(databases.length).toBeGreaterThan(0)
    expect(databases.length).toBeLessThanOrEqual(DATABASE_CONNECTIONS)
  })

  it('the log tells of no failure of its own', async () => {
    const lines = (await atoll.output())
      .split('\n')
      .filter((line) => line.includes('"level":50') || line.includes('"level":60') || line.includes('"level":"error"'))
    expect(lines).toEqual([])
  })
})

/** All that a process has open but sockets and the database, whose pools grow to their bound with what is asked at once. */
async function openFiles(pid: number): Promise<string[]> {
  return (await openDescriptors(pid)).filter((path) => !path.startsWith('socket:') && !/\.db(?:-wal|-shm)?$/.test(path))
}

/** What `now` has beyond `before`. */
function more(now: readonly string[], before: readonly string[]): string[] {
  const rest = [...before]
  return now.filter((path) => {
    const index = rest.indexOf(path)
    if (index >= 0) rest.splice(index, 1)
    return index < 0
  })
}

/** Requests that go no further, by what they are half of. */
function halves(token: string): Record<string, string> {
  const head = (line: string, ...headers: string[]) =>
    `${line} HTTP/1.1\r\nHost: registry\r\n${headers.map((header) => `${header}\r\n`).join('')}\r\n`
  const bearer = `Authorization: Bearer ${token}`
  const upload = `POST /v2/open/app/blobs/uploads/?digest=${ABSENT_DIGEST}`
  return {
    'a request line': 'GET /v2/',
    headers: 'GET /v2/ HTTP/1.1\r\nX-Slow: ',
    'a manifest': `${head('PUT /v2/open/app/manifests/half', bearer, `Content-Type: ${MANIFEST}`, 'Content-Length: 1000')}{"schemaVersion"`,
    'a blob of a known length': `${head(upload, bearer, 'Content-Length: 100000000')}half a layer`,
    'a blob in chunks': `${head(upload, bearer, 'Transfer-Encoding: chunked')}5\r\nhello\r\nffffff\r\nhal`,
    'a project': `${head('POST /api/v2.0/projects', `Authorization: ${basic(ADMIN)}`, 'Content-Type: application/json', 'Content-Length: 100')}{`,
  }
}

function isJson({ headers }: Pick<RawAnswer, 'headers'>): boolean {
  return /^content-type: application\/json/im.test(headers)
}

function problemWith({ status, headers, body, whole }: RawAnswer): string | undefined {
  if (!whole) return `${status}, and it broke off`
  if (status >= 500) return `answered ${status}`
  if (/^x-injected/im.test(headers)) return 'a header was injected'
  if (status < 400) return undefined
  if (!isJson({ headers })) return body === '' ? undefined : `${status} without the envelope`
  const errors = (JSON.parse(body) as { errors?: { code?: unknown; message?: unknown }[] }).errors ?? []
  const enveloped =
    errors.length > 0 && errors.every(({ code, message }) => typeof code === 'string' && typeof message === 'string' && message !== '')
  return enveloped ? undefined : `${status} with another envelope`
}

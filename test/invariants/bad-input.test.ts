import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ADMIN_PASSWORD, type AtollProcess, startAtoll } from '../support/atoll.ts'
import { randomImage } from '../support/images.ts'
import { basic, getAt, Tenant, tokenAt } from '../support/tenant.ts'
import { until } from '../support/until.ts'

// Bytes on a socket, as no client library would send them.

const ADMIN = { username: 'admin', password: ADMIN_PASSWORD }
const ANSWER_DEADLINE_MS = 15_000
/** Connections of the process's own that come and go: to its origin, of its log. */
const DESCRIPTORS_MORE = 12
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
const DIGEST = `sha256:${'0'.repeat(64)}`

interface Answer {
  readonly status: number
  readonly headers: string
  readonly body: string
}

let atoll: AtollProcess
let token: string

beforeAll(async () => {
  atoll = await startAtoll()
  const tenant = new Tenant(atoll)
  await tenant.project('open', { public: true })
  await tenant.push('open/app', randomImage(), ADMIN, 'v1')
  token = await tokenAt(atoll.origin, 'repository:open/app:pull,push,delete', ADMIN)
}, 120_000)
afterAll(async () => {
  await atoll?.[Symbol.asyncDispose]()
})

const deep = (open: string, close: string, depth: number) => open.repeat(depth) + close.repeat(depth)
const request = (line: string, headers: readonly string[] = [], body: string | Buffer = '') =>
  Buffer.concat([
    Buffer.from(`${line}\r\nHost: registry\r\nConnection: close\r\n${headers.map((header) => `${header}\r\n`).join('')}\r\n`, 'latin1'),
    Buffer.from(body),
  ])
const withBody = (line: string, type: string, body: string, authorization: string) =>
  request(line, [`Content-Type: ${type}`, `Content-Length: ${Buffer.byteLength(body)}`, `Authorization: ${authorization}`], body)

const PATHS = [
  '/v2/..%2f..%2fetc%2fpasswd/manifests/v1',
  '/v2/open/../../etc/passwd/manifests/v1',
  '/v2/open/app/blobs/..%2f..%2f..%2fkeys',
  `/v2/open/app/blobs/${DIGEST}%00`,
  '/v2/open%00/app/manifests/v1',
  '/v2/open/app/manifests/%00',
  '/v2/open/app/manifests/v1%0d%0aX-Injected:%20yes',
  '/v2/open/app/manifests/%ff%fe',
  '/v2/open/app/manifests/%',
  '/v2/open/app/manifests/%zz',
  '/v2//manifests/v1',
  '/v2/open/app/blobs/sha256:short',
  '/v2/open/app/blobs/md5:d41d8cd98f00b204e9800998ecf8427e',
  `/v2/${'a/'.repeat(3_000)}manifests/v1`,
  `/v2/open/app/manifests/${'v'.repeat(9_000)}`,
  '/v2/open/app/tags/list?n=-1',
  '/v2/open/app/tags/list?n=1e999&last=%00',
  '/v2/open/app/referrers/sha256:xyz',
  `/v2/open/app/referrers/${DIGEST}?artifactType=%0d%0aX-Injected:yes`,
  '/v2/_catalog?n=99999999999999999999&last=%ff',
  '/service/token?scope=repository:%00:pull&service=%0d%0a',
  `/service/token?scope=${'repository:a/b:pull%20'.repeat(500)}`,
  '/service/token?scope=::::&scope=repository',
  '/api/v2.0/projects?page=-1&page_size=1e9&q=%00',
  '/api/v2.0/projects/..%2f..%2fusers',
  '/api/v2.0/projects/%ff',
  '/api/v2.0/users/99999999999999999999999',
  '/api/v2.0/projects/open/repositories/..%252f/artifacts',
  '/api/v2.0/none',
  '/api/atoll/v1/%2e%2e/edges',
] as const

const JSON_BOMBS = [
  '',
  '{',
  'null',
  '[]',
  '"text"',
  deep('[', ']', 200_000),
  deep('{"a":', '}', 100_000).replace('}', '1}'),
  `{"project_name":"${'x'.repeat(1_000_000)}"}`,
  `{"project_name":${'9'.repeat(10_000)}}`,
  '{"__proto__":{"public":true},"project_name":["x"],"metadata":{"__proto__":1}}',
  '{"project_name":"\\u0000"}',
  '{"schemaVersion":2,"config":null,"layers":7}',
  `{"schemaVersion":2,"config":{"digest":"${DIGEST}","size":-1,"mediaType":"x"},"layers":[]}`,
  `{"schemaVersion":2,"config":{"digest":"../../x","size":1e400,"mediaType":"\\r\\nX: y"},"layers":[{}]}`,
] as const

/** What is sent, by what it tries. */
function attacks(): Map<string, Buffer> {
  const found = new Map<string, Buffer>()
  for (const path of PATHS) {
    found.set(`GET ${path.slice(0, 80)}`, request(`GET ${path} HTTP/1.1`))
    found.set(`GET ${path.slice(0, 80)} with a token`, request(`GET ${path} HTTP/1.1`, [`Authorization: Bearer ${token}`]))
    found.set(`DELETE ${path.slice(0, 80)}`, request(`DELETE ${path} HTTP/1.1`, [`Authorization: Bearer ${token}`]))
  }
  for (const path of PATHS.filter((one) => one.startsWith('/api/'))) {
    found.set(`GET ${path} as an administrator`, request(`GET ${path} HTTP/1.1`, [`Authorization: ${basic(ADMIN)}`]))
  }
  for (const bomb of JSON_BOMBS) {
    const title = `${bomb.slice(0, 30)}… of ${bomb.length}`
    found.set(`a manifest ${title}`, withBody('PUT /v2/open/app/manifests/bad HTTP/1.1', MANIFEST, bomb, `Bearer ${token}`))
    for (const path of ['projects', 'robots', 'users', 'registries', 'registries/ping', 'replication/policies']) {
      found.set(`POST ${path} ${title}`, withBody(`POST /api/v2.0/${path} HTTP/1.1`, 'application/json', bomb, basic(ADMIN)))
    }
    found.set(`PUT projects/open ${title}`, withBody('PUT /api/v2.0/projects/open HTTP/1.1', 'application/json', bomb, basic(ADMIN)))
    found.set(`POST edges ${title}`, withBody('POST /api/atoll/v1/edges HTTP/1.1', 'application/json', bomb, basic(ADMIN)))
    found.set(`enrol ${title}`, withBody('POST /api/atoll/v1/mesh/enrol HTTP/1.1', 'application/json', bomb, basic(ADMIN)))
  }
  const manifest = 'GET /v2/open/app/manifests/v1 HTTP/1.1'
  for (const [title, headers] of Object.entries({
    'no scheme': ['Authorization: x'],
    'a broken login': ['Authorization: Basic !!!!'],
    'a login of nothing': ['Authorization: Basic Og=='],
    'a login with a zero byte': [`Authorization: ${basic({ username: 'ad\0min', password: '\0' })}`],
    'a token of noise': [`Authorization: Bearer ${'e'.repeat(4_000)}`],
    'a token with alg none': ['Authorization: Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.'],
    'a range of nonsense': ['Range: bytes=9-1'],
    'a range of many': [`Range: bytes=${'0-1,'.repeat(1_000)}2-3`],
    'an accept of nonsense': [`Accept: ${',;q='.repeat(1_000)}`],
    'another forwarded host': ['X-Forwarded-Host: evil"\\', 'X-Forwarded-Proto: javascript'],
    'a host that is none': ['X-Forwarded-Host: a b c'],
    'a cookie': ['Cookie: =;=;='],
    'a namespace of nonsense': ['X-Request-Id: \x01\x7f'],
    'a huge header': [`X-Filler: ${'f'.repeat(70_000)}`],
    'very many headers': Array.from({ length: 3_000 }, (_, index) => `X-Filler-${index}: f`),
  })) {
    found.set(title, request(manifest, headers))
  }
  found.set('a length that is no number', request('PUT /v2/open/app/manifests/bad HTTP/1.1', ['Content-Length: -5']))
  found.set('two lengths', request('PUT /v2/open/app/manifests/bad HTTP/1.1', ['Content-Length: 5', 'Content-Length: 6'], 'abcdef'))
  found.set('length and chunks', request('PUT /v2/open/app/manifests/bad HTTP/1.1', ['Content-Length: 5', 'Transfer-Encoding: chunked'], '0\r\n\r\n'))
  found.set(
    'a chunk that is none',
    request('POST /v2/open/app/blobs/uploads/ HTTP/1.1', ['Transfer-Encoding: chunked', `Authorization: Bearer ${token}`], 'zz\r\n'),
  )
  found.set('a line with a control character', request('GET /v2/\x01 HTTP/1.1'))
  found.set('a method that is none', request('BREW /v2/ HTTP/1.1'))
  found.set('a version that is none', request('GET /v2/ HTTP/9.9'))
  found.set('no host', Buffer.from('GET /v2/ HTTP/1.1\r\nConnection: close\r\n\r\n'))
  found.set('a host of nonsense', Buffer.from('GET /v2/ HTTP/1.1\r\nHost: a b"c\r\nConnection: close\r\n\r\n'))
  found.set('an address of another', request('GET http://evil.example/v2/ HTTP/1.1'))
  found.set('an address that is none', request('GET http://[::/v2/ HTTP/1.1'))
  found.set('a star', request('OPTIONS * HTTP/1.1'))
  found.set('noise', Buffer.from(Array.from({ length: 2_000 }, (_, index) => (index * 131) % 256)))
  return found
}

describe.each([
  ['the origin', () => atoll.origin],
  ['the Node edge', () => atoll.edge],
])('%s, sent what it cannot use', (_site, host) => {
  it('refuses in the shape of its protocol, never with its own failure, and goes on', async () => {
    const wrong: string[] = []
    let answered = 0
    for (const [title, bytes] of attacks()) {
      const answer = await send(host(), bytes).catch((error: Error) => `${title}: ${error.message}`)
      if (typeof answer === 'string') wrong.push(answer)
      else if (answer !== undefined) {
        answered++
        const problem = problemWith(answer)
        if (problem !== undefined) wrong.push(`${title}: ${problem}\n${answer.headers}\n${answer.body.slice(0, 300)}`)
      }
    }
    expect(wrong).toEqual([])
    expect(answered, 'nearly everything is answered').toBeGreaterThan(150)
    expect((await getAt(host(), '/v2/open/app/manifests/v1')).status).toBe(200)
  }, 240_000)

  it('lets go of connections that were left in the middle, and serves others meanwhile', async () => {
    const descriptors = async () => (await readdir(`/proc/${atoll.pid}/fd`)).length
    expect((await getAt(host(), '/v2/open/app/manifests/v1')).status).toBe(200)
    const before = await descriptors()
    const manifest = `PUT /v2/open/app/manifests/half HTTP/1.1\r\nHost: registry\r\nAuthorization: Bearer ${token}\r\n`
    const upload = `POST /v2/open/app/blobs/uploads/?digest=${DIGEST} HTTP/1.1\r\nHost: registry\r\nAuthorization: Bearer ${token}\r\n`
    const halves = [
      'GET /v2/',
      'GET /v2/ HTTP/1.1\r\nX-Slow: ',
      `${manifest}Content-Type: ${MANIFEST}\r\nContent-Length: 1000\r\n\r\n{"schemaVersion"`,
      `${upload}Content-Length: 100000000\r\n\r\nhalf a layer`,
      `${upload}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nffffff\r\nhal`,
      `POST /api/v2.0/projects HTTP/1.1\r\nHost: registry\r\nAuthorization: ${basic(ADMIN)}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{`,
    ]
    const sockets: Socket[] = []
    for (let index = 0; index < 20; index++) for (const half of halves) sockets.push(await opened(host(), Buffer.from(half)))
    await until('the process has them', async () => (await descriptors()) >= before + sockets.length / 2)
    expect((await getAt(host(), '/v2/open/app/manifests/v1')).status).toBe(200)
    for (const [index, socket] of sockets.entries()) index % 2 === 0 ? socket.destroy() : socket.resetAndDestroy()
    await until('the process let go of them', async () => (await descriptors()) <= before + DESCRIPTORS_MORE)
    expect((await getAt(host(), '/v2/open/app/manifests/half')).status).toBe(404)
    expect((await getAt(host(), `/v2/open/app/blobs/${DIGEST}`)).status).toBe(404)
  }, 120_000)
})

describe('after all of it', () => {
  it('the log tells of no failure of its own', async () => {
    const lines = (await atoll.output())
      .split('\n')
      .filter((line) => line.includes('"level":50') || line.includes('"level":60') || line.includes('"level":"error"'))
    expect(lines).toEqual([])
  })
})

function problemWith({ status, headers, body }: Answer): string | undefined {
  if (status >= 500) return `answered ${status}`
  if (/^x-injected/im.test(headers)) return 'a header was injected'
  if (status < 400) return undefined
  if (!/^content-type: application\/json/im.test(headers)) return body === '' ? undefined : `${status} without the envelope`
  const errors = (JSON.parse(body) as { errors?: { code?: unknown; message?: unknown }[] }).errors ?? []
  const whole = errors.length > 0 && errors.every(({ code, message }) => typeof code === 'string' && typeof message === 'string' && message !== '')
  return whole ? undefined : `${status} with another envelope`
}

async function opened(host: string, bytes: Buffer): Promise<Socket> {
  const [name = '', port] = host.split(':')
  const socket = connect(Number(port), name)
  socket.on('error', () => socket.destroy())
  await once(socket, 'connect')
  socket.write(bytes)
  return socket
}

/** undefined: the connection was closed without an answer. @throws when neither comes in time */
function send(host: string, bytes: Buffer): Promise<Answer | undefined> {
  const [name = '', port] = host.split(':')
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), name)
    const chunks: Buffer[] = []
    const end = () => {
      clearTimeout(deadline)
      socket.destroy()
      const text = Buffer.concat(chunks).toString('latin1')
      const head = text.indexOf('\r\n\r\n')
      const status = Number(text.match(/^HTTP\/1\.1 (\d{3})/)?.[1])
      if (head < 0 || Number.isNaN(status)) return resolve(undefined)
      const headers = text.slice(0, head)
      const body = text.slice(head + 4)
      resolve({ status, headers, body: /^transfer-encoding: chunked/im.test(headers) ? unchunked(body) : body })
    }
    const deadline = setTimeout(() => {
      if (chunks.length > 0) return end()
      socket.destroy()
      reject(new Error('no answer'))
    }, ANSWER_DEADLINE_MS)
    socket.on('data', (chunk) => chunks.push(chunk))
    // A server that refuses a body may reset a client that still writes; what it said before counts.
    socket.on('error', end)
    socket.on('close', end)
    socket.write(bytes)
  })
}

function unchunked(body: string): string {
  let text = ''
  let at = 0
  for (;;) {
    const line = body.indexOf('\r\n', at)
    const size = Number.parseInt(body.slice(at, line), 16)
    if (line < 0 || !(size > 0)) return text
    text += body.slice(line + 2, line + 2 + size)
    at = line + 2 + size + 2
  }
}

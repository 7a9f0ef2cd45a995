import { readdir } from 'node:fs/promises'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type BareRegistry, bareRegistry } from '../../test/support/bare-registry.ts'
import { OCI_INDEX, OCI_MANIFEST } from '../spec/media-types.ts'

/** The codes that a client may see for what it did (distribution-spec, "Error Codes"). */
const CODES = new Set([
  'BLOB_UNKNOWN',
  'BLOB_UPLOAD_INVALID',
  'BLOB_UPLOAD_UNKNOWN',
  'DIGEST_INVALID',
  'MANIFEST_BLOB_UNKNOWN',
  'MANIFEST_INVALID',
  'MANIFEST_UNKNOWN',
  'NAME_INVALID',
  'NAME_UNKNOWN',
  'SIZE_INVALID',
  'TAG_INVALID',
  'PAGINATION_NUMBER_INVALID',
  'RANGE_INVALID',
  'UNSUPPORTED',
  'UNKNOWN',
])

const DIGEST = `sha256:${'a'.repeat(64)}`
const RUNS = 400

/** Text that somebody might try in a path. */
const trick = fc.oneof(
  fc.constantFrom(
    '..%2f..%2fetc',
    '%00',
    '%2e%2e',
    '..',
    '.',
    '%252e%252e%252f',
    'a%0d%0aSet-Cookie:x=1',
    '%',
    '%zz',
    '%c0%ae',
    'p/app',
    'p',
    'P/App',
    'a'.repeat(300),
    'a//b',
    '__proto__',
    'constructor',
    'uploads',
    'list',
    'tags',
    'manifests',
    'latest',
    DIGEST,
    DIGEST.replace(':', '%3A'),
    'sha256:short',
    `sha512:${'b'.repeat(128)}`,
    'md5:abc',
    ':',
    '-x',
    '\u00e9',
    '%F0%9F%98%80',
    'a\\b',
    ';a=b',
    'p%2Fapp',
  ),
  fc.string({ maxLength: 40 }),
  fc.string({ maxLength: 20, unit: 'binary' }).map((value) => encodeURIComponent(value.toWellFormed())),
)
const kind = fc.constantFrom('manifests', 'blobs', 'blobs/uploads', 'tags', 'referrers', 'nonsense')
const path = fc.oneof(
  fc.tuple(trick, kind, trick).map(([name, what, key]) => `/v2/${name}/${what}/${key}`),
  fc.tuple(kind, trick).map(([what, key]) => `/v2/p/app/${what}/${key}`),
  fc.array(trick, { maxLength: 5 }).map((parts) => `/v2/${parts.join('/')}`),
  fc.constantFrom('/v2', '/v2/', '/v2/_catalog', '/v2//', '/v2/p/app/tags/list'),
)
const parameter = fc.tuple(fc.constantFrom('n', 'last', 'digest', 'mount', 'from', 'tag', 'artifactType', 'digest-algorithm'), trick)
const query = fc
  .array(parameter, { maxLength: 4 })
  .map((list) => (list.length === 0 ? '' : `?${list.map(([name, value]) => `${name}=${value}`).join('&')}`))
const method = fc.constantFrom('GET', 'HEAD', 'PUT', 'POST', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND')
const headerValue = fc.oneof(
  fc.constantFrom(
    'bytes=0-0',
    'bytes=-1',
    'bytes=5-1',
    'bytes=99999999999999999999-',
    '0-1',
    '5-0',
    '0-99999999999999999999',
    '*',
    `"${DIGEST}"`,
    OCI_MANIFEST,
    OCI_INDEX,
    'a/b; charset=x',
    'text',
  ),
  fc.string({ maxLength: 60 }).map((value) => value.replace(/[^\x20-\x7e]/g, '').trim()),
)
const headers = fc.dictionary(
  fc.constantFrom('Range', 'Content-Range', 'If-None-Match', 'If-Range', 'Content-Type', 'Accept', 'X-Request-Id'),
  headerValue,
  { maxKeys: 4 },
)

/** Documents that are nearly manifests. */
const descriptor: fc.Arbitrary<unknown> = fc.oneof(
  fc.record(
    {
      mediaType: fc.oneof(fc.constant('application/x'), fc.anything()),
      digest: fc.oneof(fc.constant(DIGEST), fc.anything()),
      size: fc.oneof(fc.nat(), fc.double(), fc.constant(1e308), fc.anything()),
      annotations: fc.anything(),
      platform: fc.anything(),
      urls: fc.anything(),
    },
    { requiredKeys: [] },
  ),
  fc.anything(),
)
const document = fc.record(
  {
    schemaVersion: fc.anything(),
    mediaType: fc.constantFrom(OCI_MANIFEST, OCI_INDEX, 'x/y\r\nSet-Cookie: a=b', 'é/x', 5, null, ''),
    config: descriptor,
    layers: fc.oneof(fc.array(descriptor, { maxLength: 3 }), fc.anything()),
    manifests: fc.oneof(fc.array(descriptor, { maxLength: 3 }), fc.anything()),
    subject: descriptor,
    annotations: fc.oneof(fc.dictionary(fc.oneof(fc.constantFrom('__proto__', 'constructor', 'toString'), fc.string()), fc.string()), fc.anything()),
    artifactType: fc.anything(),
  },
  { requiredKeys: [] },
)
const json = document.map((value) => JSON.stringify(value, (_, entry: unknown) => (typeof entry === 'bigint' ? String(entry) : entry)) ?? 'undefined')
const encoder = new TextEncoder()
const manifestBody: fc.Arbitrary<Uint8Array> = fc.oneof(
  json.map((value) => encoder.encode(value)),
  fc.tuple(json, fc.nat()).map(([value, cut]) => encoder.encode(value).subarray(0, cut % (value.length + 1))),
  fc.uint8Array({ maxLength: 200 }),
  fc
    .constantFrom(
      '['.repeat(100_000),
      '{"a":'.repeat(50_000),
      '{"mediaType":"a","mediaType":"b"}',
      '{"__proto__":{"mediaType":"x"},"layers":[]}',
      `{"size":${'9'.repeat(100_000)}}`,
      '\ufeff{}',
      'null',
      JSON.stringify({ mediaType: 'x/y\r\nSet-Cookie: a=b' }),
      JSON.stringify({ mediaType: '\u0416/x' }),
      '""',
      `{"schemaVersion":2,"mediaType":"${OCI_INDEX}","manifests":[${Array.from({ length: 5000 }, () => '{}').join()}]}`,
    )
    .map((value) => encoder.encode(value)),
)

describe('the /v2 surface', () => {
  let bare: BareRegistry
  beforeAll(async () => {
    bare = await bareRegistry({ projects: ['p'], limits: { drainTimeout: 200, bodyStallTimeout: 5000 } })
  })
  afterAll(() => bare[Symbol.asyncDispose]())

  /** What holds for every answer to anything. */
  async function check(what: string, response: Response): Promise<void> {
    const body = await response.text()
    expect(response.status, `${what}: ${body}`).toBeLessThan(500)
    expect(response.headers.get('set-cookie'), what).toBeNull()
    if (response.status < 400) return
    if (response.headers.get('content-length') !== String(Buffer.byteLength(body))) expect(body, what).toBe('')
    if (body !== '') expect([...CODES], what).toContain(JSON.parse(body).errors[0].code)
  }

  async function healthy(): Promise<void> {
    expect(bare.log.entries.filter(({ level }) => level === 'error')).toEqual([])
    const response = await fetch(`${bare.server.url}/v2/`)
    expect(response.status).toBe(200)
    await response.text()
  }

  it('answers any path, parameter and header with an error of the protocol, never with one of its own', async () => {
    await fc.assert(
      fc.asyncProperty(method, path, query, headers, fc.option(fc.uint8Array({ maxLength: 64 })), async (verb, where, search, extra, body) => {
        const bodied = verb !== 'GET' && verb !== 'HEAD' && body !== null
        const target = new URL(bare.server.url + where.replace(/[#?]/g, '_') + search.replace(/#/g, '_'))
        if (!target.pathname.startsWith('/v2')) return
        const response = await fetch(target, {
          method: verb,
          headers: extra,
          redirect: 'manual',
          ...(bodied && { body: body as Uint8Array<ArrayBuffer> }),
        })
        await check(`${verb} ${target}`, response)
      }),
      { numRuns: RUNS },
    )
    await healthy()
  })

  it('takes or refuses any bytes as a manifest, and serves what it took as it came', async () => {
    await fc.assert(
      fc.asyncProperty(manifestBody, fc.constantFrom(OCI_MANIFEST, OCI_INDEX, 'application/unknown', '', 'nonsense'), async (body, type) => {
        const response = await fetch(`${bare.server.url}/v2/p/app/manifests/fuzz`, {
          method: 'PUT',
          body: body as Uint8Array<ArrayBuffer>,
          headers: { 'Content-Type': type },
        })
        await check('PUT manifest', response)
        if (response.status !== 201) return
        const stored = await fetch(new URL(response.headers.get('location') ?? '', bare.server.url))
        expect(stored.status).toBe(200)
        expect(Buffer.from(await stored.arrayBuffer()).equals(body)).toBe(true)
      }),
      { numRuns: RUNS },
    )
    await healthy()
  })

  it('refuses a manifest above the limit whatever its length says', async () => {
    const url = `${bare.server.url}/v2/p/app/manifests/large`
    const large = new Uint8Array(4 * 1024 * 1024 + 1).fill(0x20)
    const declared = await fetch(url, { method: 'PUT', body: large, headers: { 'Content-Type': OCI_MANIFEST } })
    expect(declared.status).toBe(413)
    await check('declared', declared)
    const stream = new ReadableStream({
      start: (controller) => {
        controller.enqueue(large)
        controller.close()
      },
    })
    const chunked = await fetch(url, { method: 'PUT', body: stream, duplex: 'half', headers: { 'Content-Type': OCI_MANIFEST } } as RequestInit)
    expect(chunked.status).toBe(413)
    await check('chunked', chunked)
    await healthy()
  })

  it('survives any bytes on the wire: half bodies, smuggled requests, headers that split', async () => {
    const start = async () => (await fetch(`${bare.server.url}/v2/p/app/blobs/uploads/`, { method: 'POST' })).headers.get('location') ?? ''
    const descriptors = async () => (await readdir('/proc/self/fd')).length
    await healthy()
    const before = await descriptors()
    const location = await start()
    const fixed = [
      `PATCH ${location} HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf`,
      `PATCH ${location} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel`,
      `PATCH ${location} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n`,
      `PUT ${location}?digest=${DIGEST} HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /v2/ HTTP/1.1\r\n\r\n`,
      'GET /v2/p/app/tags/list?last=a%0d%0aX:1 HTTP/1.1\r\nHost: a\r\n\r\n',
      'PUT /v2/p/app/manifests/x HTTP/1.1\r\nHost: a\r\nContent-Type: a/b\r\n\tc\r\nContent-Length: 2\r\n\r\n{}',
      'PUT /v2/p/app/manifests/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{"half"',
      'POST /v2/p/app/blobs/uploads/ HTTP/1.1\r\nHost: a\r\nContent-Length: 00000000000000000000005\r\n\r\nhello',
    ]
    const wires = fc.oneof(
      fc.constantFrom(...fixed),
      fc
        .tuple(fc.constantFrom(...fixed), fc.nat(), fc.string({ maxLength: 8, unit: 'binary' }))
        .map(([wire, at, junk]) => wire.slice(0, at % wire.length) + junk + wire.slice(at % wire.length)),
      fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
    )
    await fc.assert(
      fc.asyncProperty(wires, async (wire) => {
        const socket = connect(bare.server.port, '127.0.0.1')
        socket.on('error', () => undefined)
        // The sender says that nothing more comes: what it began stays half.
        socket.end(wire, 'latin1')
        const raw = await text(socket).catch(() => '')
        for (const [, status] of raw.matchAll(/^HTTP\/1\.1 (\d{3})/gm)) expect(Number(status), wire).toBeLessThan(500)
        expect(raw.toLowerCase(), wire).not.toMatch(/^(set-cookie|x): ?/m)
      }),
      { numRuns: RUNS / 2 },
    )
    await healthy()
    await expect.poll(descriptors, { timeout: 10_000 }).toBeLessThan(before + 12)
  })

  it('keeps what arrived of a half body, and the client goes on from there', async () => {
    const started = await fetch(`${bare.server.url}/v2/p/app/blobs/uploads/`, { method: 'POST' })
    const location = new URL(started.headers.get('location') ?? '', bare.server.url)
    const socket = connect(bare.server.port, '127.0.0.1')
    socket.end(`PATCH ${location.pathname} HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello `)
    await text(socket).catch(() => '')
    await expect.poll(async () => (await fetch(location)).headers.get('range'), { timeout: 10_000 }).toBe('0-5')
    const rest = await fetch(location, { method: 'PATCH', body: 'world', headers: { 'Content-Range': '6-10' } })
    expect(rest.status).toBe(202)
    const digest = 'sha256:b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9'
    expect((await fetch(`${location}?digest=${digest}`, { method: 'PUT' })).status).toBe(201)
  })
})

import { rawRequest } from '../support/raw-http.ts'
import { basic, type Credentials } from '../support/tenant.ts'

// What no client would send: paths that are tricks, documents that are bombs, headers and lengths that contradict each other.

export const MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
export const ABSENT_DIGEST = `sha256:${'0'.repeat(64)}`

const deep = (open: string, close: string, depth: number) => open.repeat(depth) + close.repeat(depth)
const withBody = (line: string, type: string, body: string, authorization: string) =>
  rawRequest(line, [`Content-Type: ${type}`, `Content-Length: ${Buffer.byteLength(body)}`, `Authorization: ${authorization}`], body)

const PATHS = [
  '/v2/..%2f..%2fetc%2fpasswd/manifests/v1',
  '/v2/open/../../etc/passwd/manifests/v1',
  '/v2/open/app/blobs/..%2f..%2f..%2fkeys',
  `/v2/open/app/blobs/${ABSENT_DIGEST}%00`,
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
  `/v2/open/app/referrers/${ABSENT_DIGEST}?artifactType=%0d%0aX-Injected:yes`,
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
  `{"schemaVersion":2,"config":{"digest":"${ABSENT_DIGEST}","size":-1,"mediaType":"x"},"layers":[]}`,
  `{"schemaVersion":2,"config":{"digest":"../../x","size":1e400,"mediaType":"\\r\\nX: y"},"layers":[{}]}`,
] as const

/** What is sent, by what it tries. The token may pull, push and delete in `open/app`, where the tag `v1` is. */
export function attacks(token: string, administrator: Credentials): Map<string, Buffer> {
  const found = new Map<string, Buffer>()
  for (const path of PATHS) {
    found.set(`GET ${path.slice(0, 80)}`, rawRequest(`GET ${path} HTTP/1.1`))
    found.set(`GET ${path.slice(0, 80)} with a token`, rawRequest(`GET ${path} HTTP/1.1`, [`Authorization: Bearer ${token}`]))
    found.set(`DELETE ${path.slice(0, 80)}`, rawRequest(`DELETE ${path} HTTP/1.1`, [`Authorization: Bearer ${token}`]))
  }
  for (const path of PATHS.filter((one) => one.startsWith('/api/'))) {
    found.set(`GET ${path} as an administrator`, rawRequest(`GET ${path} HTTP/1.1`, [`Authorization: ${basic(administrator)}`]))
  }
  for (const bomb of JSON_BOMBS) {
    const title = `${bomb.slice(0, 30)}… of ${bomb.length}`
    found.set(`a manifest ${title}`, withBody('PUT /v2/open/app/manifests/bad HTTP/1.1', MANIFEST, bomb, `Bearer ${token}`))
    for (const path of ['projects', 'robots', 'users', 'registries', 'registries/ping', 'replication/policies']) {
      found.set(`POST ${path} ${title}`, withBody(`POST /api/v2.0/${path} HTTP/1.1`, 'application/json', bomb, basic(administrator)))
    }
    found.set(`PUT projects/open ${title}`, withBody('PUT /api/v2.0/projects/open HTTP/1.1', 'application/json', bomb, basic(administrator)))
    found.set(`POST edges ${title}`, withBody('POST /api/atoll/v1/edges HTTP/1.1', 'application/json', bomb, basic(administrator)))
    found.set(`enrol ${title}`, withBody('POST /api/atoll/v1/mesh/enrol HTTP/1.1', 'application/json', bomb, basic(administrator)))
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
    found.set(title, rawRequest(manifest, headers))
  }
  found.set('a length that is no number', rawRequest('PUT /v2/open/app/manifests/bad HTTP/1.1', ['Content-Length: -5']))
  found.set('two lengths', rawRequest('PUT /v2/open/app/manifests/bad HTTP/1.1', ['Content-Length: 5', 'Content-Length: 6'], 'abcdef'))
  found.set(
    'length and chunks',
    rawRequest('PUT /v2/open/app/manifests/bad HTTP/1.1', ['Content-Length: 5', 'Transfer-Encoding: chunked'], '0\r\n\r\n'),
  )
  found.set(
    'a chunk that is none',
    rawRequest('POST /v2/open/app/blobs/uploads/ HTTP/1.1', ['Transfer-Encoding: chunked', `Authorization: Bearer ${token}`], 'zz\r\n'),
  )
  found.set('a line with a control character', rawRequest('GET /v2/\x01 HTTP/1.1'))
  found.set('a GET with a body', withBody(manifest, 'application/json', '{"a":1}', `Bearer ${token}`))
  found.set('a GET with the body of another request', rawRequest(manifest, ['Content-Length: 30'], 'GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n'))
  found.set(
    'a body that waits to be asked for',
    rawRequest('PUT /v2/open/app/manifests/bad HTTP/1.1', ['Expect: 100-continue', 'Content-Length: 2', `Authorization: Bearer ${token}`], '{}'),
  )
  found.set('an expectation of nonsense', rawRequest(manifest, ['Expect: the-moon']))
  found.set('an upgrade', rawRequest(manifest, ['Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__']))
  found.set('a header folded over two lines', rawRequest(manifest, ['X-Filler: a\r\n b']))
  found.set('a header without a name', rawRequest(manifest, [': x']))
  found.set('a header with a space in its name', rawRequest(manifest, ['X Filler : x']))
  found.set(
    'a range of an upload that is none',
    rawRequest('PATCH /v2/open/app/blobs/uploads/none HTTP/1.1', ['Content-Range: 9-1', 'Content-Length: 1', `Authorization: Bearer ${token}`], 'x'),
  )
  found.set(
    'a mount of nonsense',
    rawRequest('POST /v2/open/app/blobs/uploads/?mount=%00&from=..%2f HTTP/1.1', ['Content-Length: 0', `Authorization: Bearer ${token}`]),
  )
  found.set('a method that is none', rawRequest('BREW /v2/ HTTP/1.1'))
  found.set('a version that is none', rawRequest('GET /v2/ HTTP/9.9'))
  found.set('no host', Buffer.from('GET /v2/ HTTP/1.1\r\nConnection: close\r\n\r\n'))
  found.set('a host of nonsense', Buffer.from('GET /v2/ HTTP/1.1\r\nHost: a b"c\r\nConnection: close\r\n\r\n'))
  found.set('an address of another', rawRequest('GET http://evil.example/v2/ HTTP/1.1'))
  found.set('an address that is none', rawRequest('GET http://[::/v2/ HTTP/1.1'))
  found.set('a star', rawRequest('OPTIONS * HTTP/1.1'))
  found.set('noise', Buffer.from([...Array.from({ length: 2_000 }, (_, index) => (index * 131) % 256), ...Buffer.from('\r\n\r\n')]))
  return found
}

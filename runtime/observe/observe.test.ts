import { describe, expect, it } from 'vitest'
import { quiet } from '../../test/support/fill-source.ts'
import { observedFetch } from './fetch.ts'
import { Exposition } from './metrics-page.ts'
import { observed } from './observed.ts'
import { RequestIdentity } from './request-id.ts'
import { routeClassOf } from './route-class.ts'
import { AnswerTimes } from './times.ts'

const HERE = { remoteAddress: '127.0.0.1' }

function setUp() {
  let ids = 0
  const identity = new RequestIdentity(() => `made-${++ids}`)
  const times = new AnswerTimes()
  const page = new Exposition(
    [
      { name: 'atoll_hits_total', help: 'Hits.', kind: 'counter', read: () => 7 },
      { name: 'atoll_bytes', help: 'Bytes.', kind: 'gauge', labels: ['of'], read: async () => [{ labels: { of: 'a "b"\n' }, value: 3 }] },
    ],
    times,
  )
  return { identity, times, page }
}

describe('one name for a request', () => {
  it('is the sender’s when that is plain, else ours; and goes to whoever is asked for it, and back', async () => {
    const { identity, times } = setUp()
    const asked: (string | null)[] = []
    const fetcher = observedFetch(
      async (_input, init) => {
        asked.push(new Headers(init?.headers).get('X-Request-Id'))
        return new Response('ok')
      },
      { identity, log: quiet },
    )
    const handler = observed(
      async (request) => {
        await new Promise(setImmediate)
        await fetcher(new URL('https://upstream.test/v2/'), {})
        return new Response(request.headers.get('X-Request-Id'))
      },
      { identity, times, log: quiet },
    )
    const of = async (headers: Record<string, string>) => await handler(new Request('http://edge.test/v2/', { headers }), HERE)
    const [given, none, bad] = await Promise.all([of({ 'X-Request-Id': 'build-17' }), of({}), of({ 'X-Request-Id': 'a b' })])
    expect([given, none, bad].map(({ headers }) => headers.get('X-Request-Id'))).toEqual(['build-17', 'made-1', 'made-2'])
    expect(await Promise.all([given, none, bad].map((response) => response.text()))).toEqual(['build-17', 'made-1', 'made-2'])
    expect(asked.sort()).toEqual(['build-17', 'made-1', 'made-2'])
    await fetcher(new URL('https://upstream.test/v2/'), {})
    expect(asked.at(-1)).toBeNull()
  })
})

describe('the page for Prometheus', () => {
  it('shows counters, labels and the times of answers', async () => {
    const { times, page } = setUp()
    for (const seconds of [0.002, 0.004, 20]) {
      times.begin()
      times.end('blob', 200, seconds)
    }
    const text = await (await page.answer()).text()
    expect(text).toContain('# TYPE atoll_hits_total counter\natoll_hits_total 7')
    expect(text).toContain('atoll_bytes{of="a \\"b\\"\\n"} 3')
    expect(text).toContain('# TYPE atoll_http_answer_seconds histogram')
    expect(text).toContain('atoll_http_answer_seconds_bucket{le="0.0025",route="blob",status="200"} 1')
    expect(text).toContain('atoll_http_answer_seconds_bucket{le="0.005",route="blob",status="200"} 2')
    expect(text).toContain('atoll_http_answer_seconds_bucket{le="+Inf",route="blob",status="200"} 3')
    expect(text).toContain('atoll_http_answer_seconds_count{route="blob",status="200"} 3')
    expect(text).toMatch(/^process_resident_memory_bytes \d+$/m)
    // A second reading is no second counting.
    expect(await (await page.answer()).text()).toContain('\natoll_hits_total 7\n')
  })

  it('is shown to this machine alone, and not through a proxy on it', async () => {
    const { identity, times, page } = setUp()
    const handler = observed(async () => new Response('the registry', { status: 404 }), { identity, times, page, log: quiet })
    const status = async (remoteAddress: string, headers: Record<string, string> = {}) =>
      (await handler(new Request('http://edge.test/metrics', { headers }), { remoteAddress })).status
    expect(await Promise.all([status('127.0.0.1'), status('::1'), status('::ffff:127.0.0.1')])).toEqual([200, 200, 200])
    expect(await Promise.all([status('10.0.0.7'), status(''), status('127.0.0.1', { 'X-Forwarded-For': '10.0.0.7' })])).toEqual([404, 404, 404])
  })
})

describe('the kind of a request', () => {
  it.each([
    ['http://h/v2/', 'ping'],
    ['http://h/v2/a/b/manifests/v1?x=/blobs/', 'manifest'],
    ['http://h/v2/a/blobs/manifests/v1', 'manifest'],
    ['http://h/v2/a/blobs/sha256:00', 'blob'],
    ['http://h/v2/a/blobs/uploads/', 'upload'],
    ['http://h/v2/a/tags/list?n=1', 'tags'],
    ['http://h/v2/a/referrers/sha256:00', 'referrers'],
    ['http://h/v2/_catalog', 'catalog'],
    ['http://h/service/token?scope=x', 'token'],
    ['http://h/api/atoll/v1/mesh/feed', 'mesh'],
    ['http://h/api/v2.0/projects', 'api'],
    ['http://h/livez', 'other'],
  ])('%s is %s', (url, kind) => expect(routeClassOf(url)).toBe(kind))
})

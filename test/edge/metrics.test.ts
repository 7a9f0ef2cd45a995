import { describe, expect, it } from 'vitest'
import { headOfChanges } from '../../schema/changes.ts'
import { scrape, sum } from '../support/metrics-page.ts'
import { until } from '../support/until.ts'
import { ADMIN, basic, TestEdge, TestOrigin } from './support.ts'

describe('what an edge shows to Prometheus', () => {
  it('counts a cold pull as misses and a fill, and a warm one as hits; bytes by where they came from', async () => {
    await using origin = await TestOrigin.start()
    await origin.project('shown', { public: true })
    const image = await origin.push('shown/app', 'v1')
    await using edge = await TestEdge.start(origin)
    const pull = async () => {
      const manifest = await fetch(`${edge.url}/v2/shown/app/manifests/v1`)
      expect(manifest.status).toBe(200)
      await manifest.arrayBuffer()
      const blob = await fetch(`${edge.url}/v2/shown/app/blobs/${image.layer}`)
      expect((await blob.arrayBuffer()).byteLength).toBe(image.layerBytes.byteLength)
    }

    const before = await scrape(edge.url)
    expect(sum(before, 'atoll_edge_connected')).toBe(1)
    expect(sum(before, 'atoll_edge_misses_total')).toBe(0)

    await pull()
    // The config comes ahead of whoever may want it.
    await until('the image is in the cache', async () => {
      const page = await scrape(edge.url)
      const fetched = sum(page, 'atoll_edge_blob_bytes_total', 'way="fetched"')
      return fetched > image.layerBytes.byteLength && sum(page, 'atoll_edge_fills_in_progress') === 0
    })
    const cold = await scrape(edge.url)
    expect(sum(cold, 'atoll_edge_misses_total', 'kind="tag"')).toBe(1)
    expect(sum(cold, 'atoll_edge_fills_total', 'end="begun"')).toBeGreaterThanOrEqual(1)
    expect(sum(cold, 'atoll_edge_blob_bytes_total', 'way="fetched"')).toBeGreaterThanOrEqual(image.layerBytes.byteLength)
    expect(sum(cold, 'atoll_edge_cache_bytes')).toBeGreaterThanOrEqual(image.layerBytes.byteLength)
    expect(sum(cold, 'atoll_http_answer_seconds_count', 'route="blob"', 'status="200"')).toBe(1)

    await pull()
    const warm = await scrape(edge.url)
    for (const kind of ['kind="tag"', 'kind="blob"'])
      expect(sum(warm, 'atoll_edge_hits_total', kind), kind).toBe(sum(cold, 'atoll_edge_hits_total', kind) + 1)
    expect(sum(warm, 'atoll_edge_misses_total')).toBe(sum(cold, 'atoll_edge_misses_total'))
    expect(sum(warm, 'atoll_edge_blob_bytes_total', 'way="fetched"')).toBe(sum(cold, 'atoll_edge_blob_bytes_total', 'way="fetched"'))
    expect(sum(warm, 'atoll_edge_blob_bytes_total', 'way="hit"')).toBe(
      sum(cold, 'atoll_edge_blob_bytes_total', 'way="hit"') + image.layerBytes.byteLength,
    )
  })

  it('counts each request once, as what it was for its client: what is asked for ahead is none', async () => {
    await using origin = await TestOrigin.start()
    await origin.project('once', { public: true })
    await using edge = await TestEdge.start(origin)
    const asked = { tag: 0, manifest: 0, blob: 0 }
    const get = async (kind: keyof typeof asked, path: string) => {
      asked[kind]++
      const answer = await edge.get(`/v2/once/app/${path}`)
      expect(answer.status).toBe(200)
      return answer
    }
    const counted = async (what: 'hits' | 'misses') => {
      const page = await scrape(edge.url)
      return Object.fromEntries(Object.keys(asked).map((kind) => [kind, sum(page, `atoll_edge_${what}_total`, `kind="${kind}"`)]))
    }
    const pull = async (tag: string) => {
      const manifest = (await (await get('tag', `manifests/${tag}`)).json()) as { config: { digest: string }; layers: { digest: string }[] }
      const blobs = [manifest.config, ...manifest.layers].map(({ digest }) => `blobs/${digest}`)
      // Two clients want each: one of them joins.
      await Promise.all([...blobs, ...blobs].map((path) => get('blob', path)))
    }
    const tags = await Promise.all(['v1', 'v2', 'v3'].map(async (tag) => ({ tag, ...(await origin.push('once/app', tag)) })))
    // A tag that the feed names afterwards is asked for anew.
    await edge.caughtUp(await headOfChanges(origin.running.open.services.db))
    for (const { tag } of tags) await pull(tag)
    const cold = await counted('misses')
    expect([(await counted('hits')).manifest, cold.tag, cold.manifest]).toEqual([0, 3, 0])
    await until('what was cold is here', async () => sum(await scrape(edge.url), 'atoll_edge_fills_in_progress') === 0)
    for (const { tag, digest } of tags) {
      await pull(tag)
      await get('manifest', `manifests/${digest}`)
    }
    expect(await counted('misses')).toEqual(cold)
    const hits = await counted('hits')
    expect(Object.fromEntries(Object.entries(hits).map(([kind, value]) => [kind, value + (cold[kind] ?? 0)]))).toEqual(asked)
    expect(hits).toMatchObject({ tag: 3, manifest: 3 })
  })

  it('is at an address of its own when one is set, and then no longer beside the registry', async () => {
    await using origin = await TestOrigin.start()
    await using edge = await TestEdge.start(origin, { settings: { 'edge.metrics': { host: '127.0.0.1', port: 0 } } })
    expect((await fetch(`${edge.url}/metrics`)).status).toBe(404)
    expect(edge.metricsUrl).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect(sum(await scrape(edge.metricsUrl ?? ''), 'atoll_edge_info')).toBe(1)
  })

  it('gives one name to a request, at the client, at the edge and at the origin', async () => {
    await using origin = await TestOrigin.start()
    await origin.project('named', { public: true })
    await origin.push('named/app', 'v1')
    await using edge = await TestEdge.start(origin)
    const names: (string | null)[] = []
    edge.line.forge = async (url, response) => {
      if (url.pathname.startsWith('/v2/named/')) names.push(response.headers.get('x-request-id'))
      return response
    }
    const headers = { 'X-Request-Id': 'deploy-7', authorization: basic(ADMIN) }
    const answer = await fetch(`${edge.url}/v2/named/app/manifests/v1`, { headers })
    expect(answer.headers.get('x-request-id')).toBe('deploy-7')
    await answer.arrayBuffer()
    expect(names.length).toBeGreaterThanOrEqual(1)
    expect(new Set(names)).toEqual(new Set(['deploy-7']))
  })
})

describe('what an origin shows to Prometheus', () => {
  it('counts answers, and edges by how they are', async () => {
    await using origin = await TestOrigin.start()
    const edges = async (status: string) => sum(await scrape(origin.url), 'atoll_edges', `status="${status}"`)
    expect(await edges('connected')).toBe(0)
    await using edge = await TestEdge.start(origin)
    await until('the origin hears of the edge', async () => (await edges('connected')) === 1)
    await edge.stop()
    await until('the origin hears that it left', async () => (await edges('disconnected')) === 1)
    const page = await scrape(origin.url)
    expect(sum(page, 'atoll_feed_head')).toBeGreaterThan(0)
    expect(sum(page, 'atoll_http_answer_seconds_count', 'route="mesh"')).toBeGreaterThan(0)
  })

  it('shows what each edge has reported last, by its name and region', async () => {
    await using origin = await TestOrigin.start()
    await origin.project('told', { public: true })
    const image = await origin.push('told/app', 'v1')
    await using edge = await TestEdge.start(origin, { name: 'fra-1' })
    await (await fetch(`${edge.url}/v2/told/app/blobs/${image.layer}`)).arrayBuffer()
    const labels = ['edge="fra-1"', 'region="here"']
    const size = image.layerBytes.byteLength
    await until('the origin hears of it', async () => sum(await scrape(origin.url), 'atoll_edge_report_cache_bytes', ...labels) === size, 30_000)
    const page = await scrape(origin.url)
    expect(sum(page, 'atoll_edge_report_connected', ...labels)).toBe(1)
    expect(sum(page, 'atoll_edge_report_fetched_bytes_total', ...labels)).toBe(size)
    expect(sum(page, 'atoll_edge_report_fills_total', 'end="completed"', ...labels)).toBe(1)
    expect(sum(page, 'atoll_edge_report_misses_total', ...labels)).toBe(1)
    expect(sum(page, 'atoll_edge_report_age_seconds', ...labels)).toBeLessThan(60)
  })

  it('is at an address of its own when one is set, and at no other', async () => {
    await using origin = await TestOrigin.start({ 'http.metrics': { host: '127.0.0.1', port: 0 } })
    expect((await fetch(`${origin.url}/metrics`)).status).toBe(404)
    expect(sum(await scrape(origin.running.metricsUrl ?? ''), 'atoll_feed_head')).toBeGreaterThan(0)
  })
})

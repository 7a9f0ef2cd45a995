import { randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { scrape, sum } from '../support/metrics-page.ts'
import { until } from '../support/until.ts'
import { TestOrigin } from './support.ts'
import { bundleWorker, TestWorker } from './worker-support.ts'

const SIZE = 400_000

it('what a Worker counts, over all its isolates and objects, is on its origin’s page for Prometheus', async () => {
  await using origin = await TestOrigin.start()
  await origin.project('open', { public: true })
  const bindings = { CACHE_MAX_BYTES: String(2.5 * SIZE) }
  const images = await Promise.all([1, 2, 3].map((name) => origin.push(`open/app${name}`, 'v1', randomBytes(SIZE))))
  await using edge = await TestWorker.start(origin, await bundleWorker(), { bindings })
  const shown = async (name: string, ...labels: string[]) =>
    sum(await scrape(origin.url), `atoll_edge_report_${name}`, 'edge="worker-', 'region="here"', ...labels)
  const bucket = 'cache="BUCKET"'

  for (const [index, { layer }] of images.entries()) {
    for (let pulls = 0; pulls < 2; pulls++) {
      expect((await edge.get(`/v2/open/app${index + 1}/blobs/${layer}`)).status).toBe(200)
      await until('it is stored', () => edge.has(layer))
    }
  }
  await until('one made room, and the page says so', async () => (await shown('cache_evicted_total', bucket)) === 1, 60_000)
  await until('all is counted', async () => (await shown('served_bytes_total')) === 6 * SIZE, 30_000)
  expect(await shown('connected')).toBe(1)
  const asked = async () => (await shown('hits_total')) + (await shown('misses_total'))
  await until('each request is counted', async () => (await asked()) >= 6, 30_000)
  expect([await shown('hits_total'), await shown('misses_total')]).toEqual([3, 3])
  expect(await shown('fetched_bytes_total')).toBe(3 * SIZE)
  expect(await shown('fills_total', 'end="completed"')).toBe(3)
  expect(await shown('fills_total', 'end="wrong"')).toBe(0)
  expect([await shown('cache_bytes', bucket), await shown('cache_blobs', bucket)]).toEqual([2 * SIZE, 2])
  expect(await shown('cache_capacity_bytes', bucket)).toBe(2.5 * SIZE)
  expect(await shown('cache_evicted_bytes_total', bucket)).toBe(SIZE)

  // A cold pull by tag: its blobs are on their way when the client asks for them, which makes none of them count twice.
  await origin.push('open/tagged', 'v1', randomBytes(1_000))
  const pull = async () => {
    const manifest = (await (await edge.get('/v2/open/tagged/manifests/v1')).json()) as { config: { digest: string }; layers: { digest: string }[] }
    for (const { digest } of [manifest.config, ...manifest.layers]) {
      expect((await edge.get(`/v2/open/tagged/blobs/${digest}`)).status).toBe(200)
    }
  }
  await pull()
  await pull()
  await until('both fills are told', async () => (await shown('fills_total', 'end="completed"')) === 5, 30_000)
  await until('each of these is counted', async () => (await asked()) >= 12, 30_000)
  expect(await asked()).toBe(12)
}, 120_000)

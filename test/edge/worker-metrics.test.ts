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
  expect(await shown('hits_total')).toBeGreaterThanOrEqual(3)
  expect(await shown('fetched_bytes_total')).toBe(3 * SIZE)
  expect(await shown('fills_total', 'end="completed"')).toBe(3)
  expect(await shown('fills_total', 'end="wrong"')).toBe(0)
  expect([await shown('cache_bytes', bucket), await shown('cache_blobs', bucket)]).toEqual([2 * SIZE, 2])
  expect(await shown('cache_capacity_bytes', bucket)).toBe(2.5 * SIZE)
  expect(await shown('cache_evicted_bytes_total', bucket)).toBe(SIZE)
}, 120_000)

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { randomImage } from '../support/images.ts'
import { until } from '../support/until.ts'
import { startUpstream } from '../support/upstream/upstream.ts'
import { proxyCache } from './proxy-cache.ts'
import { ADMIN, TestOrigin, tokenOf } from './support.ts'
import { bundleWorker, TestWorker } from './worker-support.ts'

const upstream = await startUpstream({ pulls: 100 })

interface Report {
  readonly hits: number
  readonly misses: number
  readonly bytesServed: number
  readonly bytesFetched: number
  readonly upstreams?: readonly { readonly upstream: string; readonly limit?: number; readonly remaining?: number }[]
}

describe('what an edge in a Worker tells its origin', () => {
  let origin: TestOrigin
  let edge: TestWorker

  beforeAll(async () => {
    origin = await TestOrigin.start()
    await origin.project('open', { public: true })
    edge = await TestWorker.start(origin, await bundleWorker())
  })
  afterAll(async () => {
    await edge?.[Symbol.asyncDispose]()
    await origin?.[Symbol.asyncDispose]()
    await upstream?.[Symbol.asyncDispose]()
  })

  const counted = async (repository: string) =>
    ((await (await origin.api('GET', `/api/v2.0/projects/open/repositories/${repository}`)).json()) as { pull_count: number }).pull_count
  const report = async () => {
    const [shown] = (await (await origin.api('GET', '/api/atoll/v1/edges')).json()) as readonly { readonly report: Partial<Report> }[]
    return { hits: 0, misses: 0, bytesServed: 0, bytesFetched: 0, ...shown?.report }
  }

  it('is each pull once, also of those while the origin was away, and of one whose receipt was lost', async () => {
    await origin.push('open/counted', 'v1')
    const pull = async () => expect((await edge.get('/v2/open/counted/manifests/v1')).status).toBe(200)
    await pull()
    edge.line.forge = async (url, response) => {
      if (url.pathname.endsWith('/mesh/pulls')) throw new TypeError('the answer is lost')
      return response
    }
    await until('the origin has counted the first', async () => (await counted('counted')) === 1)
    edge.line.cut()
    await edge.disconnected()
    for (let i = 0; i < 5; i++) await pull()
    edge.line.forge = async (_url, response) => response
    edge.line.down = false
    await edge.connected()
    await until('all are counted', async () => (await counted('counted')) >= 6)
    await pull()
    await until('the last is counted', async () => (await counted('counted')) >= 7)
    expect(await counted('counted')).toBe(7)
  })

  it('is how much was served, and how much of it had to be fetched', async () => {
    const before = await report()
    const image = await origin.push('open/bytes', 'v1')
    const size = image.layerBytes.byteLength
    const pull = async () => expect((await edge.get(`/v2/open/bytes/blobs/${image.layer}`)).status).toBe(200)
    await pull()
    await until('it is stored', async () => (await edge.stored('blobs/')).includes(`blobs/sha256/${image.layer.slice(7)}`))
    for (let i = 0; i < 2; i++) await pull()
    await until('the origin knows of all of it', async () => {
      const { hits, misses, bytesServed, bytesFetched } = await report()
      return (
        hits >= before.hits + 2 &&
        misses > before.misses &&
        bytesServed >= before.bytesServed + 3 * size &&
        bytesFetched >= before.bytesFetched + size
      )
    })
    const { bytesServed, bytesFetched } = await report()
    expect(bytesServed - before.bytesServed).toBe(3 * size)
    expect(bytesFetched).toBeLessThanOrEqual(edge.line.bytes)
  }, 60_000)

  it.skipIf(upstream === undefined)(
    'is how often an upstream may still be asked, which each of its objects knows',
    async () => {
      if (upstream === undefined) return
      await proxyCache(origin, 'hub', upstream.url)
      const image = randomImage({ layers: [1_000] })
      for (const name of ['library/one', 'library/two']) await upstream.push(name, image, 'v1')
      expect((await edge.get('/v2/hub/one/manifests/v1')).status).toBe(200)
      expect((await edge.get('/v2/hub/two/manifests/v1')).status).toBe(200)
      await until('the origin shows the budget', async () => {
        const budget = (await report()).upstreams?.find(({ upstream: host }) => host === upstream.url.host)
        return budget?.limit === 100 && budget.remaining === 98
      })
    },
    60_000,
  )

  it('names no address that only the Worker knows', async () => {
    const bearer = await tokenOf(await edge.token('repository:open/app:pull', ADMIN))
    for (const path of ['/v2/open/none/manifests/v1', '/v2/open/none/tags/list', `/v2/open/none/blobs/sha256:${'0'.repeat(64)}`, '/v2/_catalog']) {
      const answer = await edge.get(path, bearer)
      expect(`${await answer.text()} ${JSON.stringify([...answer.headers])}`).not.toContain('edge.internal')
    }
  })

  it('goes with what a rule has it fetch as soon as it is pushed', async () => {
    await origin.api('PUT', '/api/atoll/v1/projects/open/warming', { patterns: ['web/*:v*'], edges: [] })
    const dev = await origin.push('open/web/app', 'dev')
    const image = await origin.push('open/web/app', 'v1')
    await until('the edge has the layer', async () => (await edge.stored('')).some((key) => key === `blobs/sha256/${image.layer.slice(7)}`))
    expect(edge.line.asked.some((path) => path.includes(dev.layer))).toBe(false)
  })
})

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { randomImage, sha256, type TestImage } from '../support/images.ts'
import { until } from '../support/until.ts'
import { startUpstream, type Upstream } from '../support/upstream/upstream.ts'
import { proxyCache } from './proxy-cache.ts'
import { TestEdge, TestOrigin } from './support.ts'
import { bundleWorker, TestWorker } from './worker-support.ts'

const USER = { username: 'puller', password: 'upstream-secret' }
const upstream = await startUpstream({ users: { [USER.username]: USER.password }, isPrivate: (repository) => repository.startsWith('private/') })

describe.skipIf(upstream === undefined).each([
  ['Node', async (origin: TestOrigin) => await TestEdge.start(origin)],
  ['a Worker', async (origin: TestOrigin) => await TestWorker.start(origin, await bundleWorker())],
])('an edge in %s, before an upstream', (kind, start) => {
  // Each kind of edge has images of its own, so that neither finds the other's.
  const own = (name: string) => `${name}-${kind === 'Node' ? 'node' : 'worker'}`
  const hub = upstream as Upstream
  let origin: TestOrigin
  let edge: TestEdge | TestWorker

  beforeAll(async () => {
    origin = await TestOrigin.start()
    await proxyCache(origin, 'hub', hub.url)
    await proxyCache(origin, 'paid', hub.url, { credential: { type: 'basic', access_key: USER.username, access_secret: USER.password } })
    edge = await start(origin)
    edge.line.forge = async (_url, response) => response
  })

  afterEach(() => {
    hub.heal()
    hub.reset()
  })

  afterAll(async () => {
    await edge?.[Symbol.asyncDispose]()
    await origin?.[Symbol.asyncDispose]()
  })

  const pushed = async (repository: string, size = 400_000): Promise<TestImage> => {
    const image = randomImage({ layers: [size] })
    await hub.push(repository, image, 'v1')
    return image
  }
  const layerOf = (image: TestImage) => image.layers[0]?.digest ?? ''
  const pull = async (repository: string, image: TestImage) => {
    const manifest = await edge.get(`/v2/${repository}/manifests/v1`)
    expect([manifest.status, manifest.headers.get('docker-content-digest')]).toEqual([200, image.manifest.digest])
    const blob = await edge.get(`/v2/${repository}/blobs/${layerOf(image)}`)
    expect(sha256(new Uint8Array(await blob.arrayBuffer()))).toBe(layerOf(image))
  }

  it('pulls from it, with library/ filled in, and asks nothing of it the second time', async () => {
    const image = await pushed(own('library/plain'))
    const name = own('hub/plain')
    await pull(name, image)
    const seen = hub.seen.length
    await pull(name, image)
    expect(hub.seen.slice(seen)).toEqual([])
  })

  it('pulls what needs a login with a token that the origin got, without knowing the password', async () => {
    const name = own('private/app')
    const image = await pushed(name)
    await pull(`paid/${name}`, image)
    expect(edge.line.asked).toContain('POST /api/atoll/v1/mesh/upstream-tokens')
    expect((await edge.get(`/v2/hub/${name}/manifests/v1`)).status).not.toBe(200)
  })

  it('asks it once for a cold blob that 32 clients want', async () => {
    const name = own('library/many')
    const image = await pushed(name, 2_000_000)
    hub.reset()
    const digests = await Promise.all(
      Array.from({ length: 32 }, async () => sha256(new Uint8Array(await (await edge.get(`/v2/hub/${name}/blobs/${layerOf(image)}`)).arrayBuffer()))),
    )
    expect(new Set(digests)).toEqual(new Set([layerOf(image)]))
    expect([hub.counts.blobGets, hub.counts.blobBytes]).toEqual([1, 2_000_000])
  })

  it('ends no answer well when it lies', async () => {
    const name = own('library/lied')
    const image = await pushed(name)
    hub.faults.on = (kind) => kind === 'cdn'
    hub.faults.corrupt = 'flip'
    hub.faults.lies = 2
    const pulled = edge.get(`/v2/hub/${name}/blobs/${layerOf(image)}`).then(({ status }) => {
      if (status !== 200) throw new Error(`answered ${status}`)
    })
    await expect(pulled).rejects.toThrow()
  })

  it('goes on with what it holds when the upstream is broken', async () => {
    const name = own('library/broken')
    const image = await pushed(name)
    await until('it is kept', async () => {
      hub.reset()
      await pull(`hub/${name}`, image)
      return hub.seen.length === 0
    })
    hub.faults.status = 500
    await pull(`hub/${name}`, image)
    expect((await edge.get('/v2/hub/library/never-seen/manifests/v1')).status).toBeGreaterThanOrEqual(500)
  })
})

afterAll(async () => {
  await upstream?.close()
})

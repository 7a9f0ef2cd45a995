import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { randomImage, randomIndex, sha256, type TestImage } from '../support/images.ts'
import { until } from '../support/until.ts'
import { startUpstream, type Upstream } from '../support/upstream/upstream.ts'
import { proxyCache } from './proxy-cache.ts'
import { TestEdge, TestOrigin } from './support.ts'
import { bundleWorker, TestWorker } from './worker-support.ts'

// What docs/edge-table.md promises of edges in front of an upstream, and is not in fills.test.ts or upstream.test.ts.

const upstream = await startUpstream()
/** How long tags called `moving…` are believed: longer than what is done within it takes on a busy machine. Then they are renewed behind the client's back; those called `asked…` are asked for first. */
const LEASE_MS = 3_000
const LEASES = `moving*=${LEASE_MS / 1_000}s/1h/7d, asked*=${LEASE_MS / 1_000}s/0s/7d`

/** In each of which nothing new was asked. */
const QUIET_LOOKS = 6

describe.skipIf(upstream === undefined).each([
  ['Node', async (origin: TestOrigin) => await TestEdge.start(origin)],
  ['a Worker', async (origin: TestOrigin) => await TestWorker.start(origin, await bundleWorker())],
])('an edge in %s', (kind, start) => {
  const hub = upstream as Upstream
  let origin: TestOrigin
  let edge: TestEdge | TestWorker
  let images = 0

  beforeAll(async () => {
    origin = await TestOrigin.start()
    await proxyCache(origin, 'hub', hub.url)
    await origin.api('PUT', '/api/atoll/v1/projects/hub/tag-leases', { rules: LEASES })
    await origin.project('own', { public: true })
    edge = await start(origin)
  })

  afterEach(() => {
    hub.heal()
    hub.reset()
  })

  afterAll(async () => {
    await edge?.[Symbol.asyncDispose]()
    await origin?.[Symbol.asyncDispose]()
  })

  /** Neither kind of edge finds what was made for the other. */
  const newName = () => `library/${kind === 'Node' ? 'node' : 'worker'}-${++images}`
  const pushed = async (tag: string, image: TestImage = randomImage({ layers: [100_000] })) => {
    const name = newName()
    await hub.push(name, image, tag)
    hub.reset()
    return { image, path: `/v2/hub/${name}/manifests/${tag}`, blobs: `/v2/hub/${name}/blobs/` }
  }
  const pull = async (path: string) => {
    const { status, headers } = await edge.get(path)
    return { status, digest: headers.get('docker-content-digest'), stale: headers.get('warning')?.startsWith('110 ') ?? false }
  }
  const leaseOver = () => new Promise((resolve) => setTimeout(resolve, LEASE_MS + 100))
  const asked = () => hub.seen.filter(({ kind, authorized }) => kind === 'manifest' && authorized).length
  /** What comes behind the client's back comes after its answer. */
  const quiet = async () => {
    let before = -1
    let looks = 0
    await until('nothing more is asked', () => {
      looks = before === hub.seen.length ? looks + 1 : 0
      before = hub.seen.length
      return looks === QUIET_LOOKS
    })
  }

  it('asks nothing inside the lease, and after it once for all, behind their backs', async () => {
    const { image, path } = await pushed('moving')
    const good = { status: 200, digest: image.manifest.digest, stale: false }
    expect(await pull(path)).toEqual(good)
    await quiet()
    hub.reset()
    expect(await Promise.all(Array.from({ length: 20 }, () => pull(path)))).toEqual(Array(20).fill(good))
    expect(hub.seen).toEqual([])
    await leaseOver()
    // The renewal takes as long as all of these: nobody waits for it, and no second one begins.
    hub.faults.hang = true
    expect(await Promise.all(Array.from({ length: 20 }, () => pull(path)))).toEqual(Array(20).fill(good))
    await until('somebody asks', () => asked() > 0)
    expect(asked()).toBe(1)
  })

  it('shows where a tag was moved to after its lease, for one HEAD and one GET', async () => {
    const { path } = await pushed('asked')
    await pull(path)
    await quiet()
    hub.reset()
    const moved = randomImage({ layers: [50_000] })
    await hub.push(path.split('/').slice(3, 5).join('/'), moved, 'asked')
    await leaseOver()
    expect(await pull(path)).toEqual({ status: 200, digest: moved.manifest.digest, stale: false })
    expect(asked()).toBeLessThanOrEqual(2)
  })

  it('asks once for an unknown tag that is pulled twenty times', async () => {
    const { path } = await pushed('there')
    const unknown = path.replace(/there$/, 'not-there')
    const all = await Promise.all(Array.from({ length: 10 }, () => pull(unknown)))
    for (let more = 0; more < 10; more++) all.push(await pull(unknown))
    expect(new Set(all.map(({ status }) => status))).toEqual(new Set([404]))
    expect(asked()).toBe(1)
  })

  it('asks its origin once for an unknown tag, and finds it as soon as it is pushed', async () => {
    const path = '/v2/own/app/manifests/v1'
    const before = edge.line.asked.filter((line) => line.endsWith(path)).length
    for (let i = 0; i < 20; i++) expect((await pull(path)).status).toBe(404)
    expect(edge.line.asked.filter((line) => line.endsWith(path)).length - before).toBe(1)
    const { digest } = await origin.push('own/app', 'v1')
    await until('the edge has heard of the push', async () => (await pull(path)).digest === digest)
  })

  it('serves a known tag when its upstream hangs, by its own clock, and asks no more for a while; then it recovers', async () => {
    const { image, path } = await pushed('asked')
    await pull(path)
    await quiet()
    await leaseOver()
    hub.reset()
    hub.faults.hang = true
    const stale = { status: 200, digest: image.manifest.digest, stale: true }
    expect(await pull(path)).toEqual(stale)
    const soFar = asked()
    for (let i = 0; i < 5; i++) expect(await pull(path)).toEqual(stale)
    expect(asked()).toBe(soFar)
    hub.heal()
    await until('it has recovered', async () => !(await pull(path)).stale)
  })

  it('serves a known tag when its upstream answers 429, leaves it alone for as long as it says, and recovers by itself', async () => {
    const { image, path } = await pushed('asked')
    await pull(path)
    await quiet()
    await leaseOver()
    hub.reset()
    Object.assign(hub.faults, { status: 429, retryAfter: 4 })
    const stale = { status: 200, digest: image.manifest.digest, stale: true }
    expect(await pull(path)).toEqual(stale)
    const soFar = hub.seen.length
    for (let i = 0; i < 5; i++) expect(await pull(path)).toEqual(stale)
    const unknown = await edge.get(path.replace(/asked$/, 'never-seen'))
    expect([unknown.status, Number(unknown.headers.get('retry-after')) > 0]).toEqual([429, true])
    expect(hub.seen.length).toBe(soFar)
    hub.heal()
    await until('it has recovered', async () => !(await pull(path)).stale)
  })

  it('asks for a manifest of wrong bytes no more often than twice, hands nobody a byte of it, and says who is to blame', async () => {
    const { path } = await pushed('v1')
    Object.assign(hub.faults, { on: (kind: string) => kind === 'manifest', corrupt: 'flip' })
    for (let i = 0; i < 5; i++) {
      const answer = await edge.get(path)
      expect(answer.status).toBe(502)
      expect(await answer.json()).toMatchObject({ errors: [{ code: 'UPSTREAM_INVALID' }] })
    }
    expect(hub.counts.manifestGets).toBeLessThanOrEqual(2)
  })

  it('has the blobs of a manifest on their way before its client asks for them, and none of a platform that nobody took', async () => {
    const index = randomIndex(['amd64', 'arm64'])
    const { path, blobs } = await pushed('multi', index)
    expect((await pull(path)).status).toBe(200)
    await quiet()
    expect([hub.counts.manifestGets, hub.counts.blobGets]).toEqual([1, 0])
    const [wanted] = index.children
    const digests = wanted?.blobs.map(({ digest }) => digest) ?? []
    expect((await pull(path.replace(/multi$/, wanted?.manifest.digest ?? ''))).status).toBe(200)
    await until('its blobs were asked for', () => hub.counts.cdnGets === digests.length)
    for (const digest of digests) expect(sha256(new Uint8Array(await (await edge.get(blobs + digest)).arrayBuffer()))).toBe(digest)
    await quiet()
    expect(hub.counts).toMatchObject({ manifestGets: 2, cdnGets: digests.length })
  })

  it('downloads a layer once for 256 clients', async () => {
    const image = randomImage({ layers: [2_000_000] })
    const { blobs } = await pushed('v1', image)
    const digest = image.layers[0]?.digest ?? ''
    const got = await Promise.all(
      Array.from({ length: 256 }, async () => sha256(new Uint8Array(await (await edge.get(blobs + digest)).arrayBuffer()))),
    )
    expect(new Set(got)).toEqual(new Set([digest]))
    expect([hub.counts.cdnGets, hub.counts.blobBytes]).toEqual([1, 2_000_000])
  })
})

afterAll(async () => {
  await upstream?.close()
})

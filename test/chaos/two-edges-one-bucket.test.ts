import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ADMIN_PASSWORD, type AtollProcess, startAtoll } from '../support/atoll.ts'
import { randomImage, sha256 } from '../support/images.ts'
import { getAt, Tenant } from '../support/tenant.ts'
import { until } from '../support/until.ts'
import { startUpstream, type Upstream } from '../support/upstream/upstream.ts'
import { edgeBucket, type S3Server, s3Program, startS3 } from '../support/versitygw.ts'

const MIB = 1024 * 1024
const LAYER_BYTES = 24 * MIB
const BYTES_A_SECOND = 6_000_000
/** What a kill may cost: a slice, and what was under way between the upstream and the bucket. */
const BYTES_A_KILL = 16 * MIB
const program = s3Program()
const upstream = program === undefined ? undefined : await startUpstream()

describe.skipIf(program === undefined || upstream === undefined)('two edges on one bucket', () => {
  const hub = upstream as Upstream
  let bucket: S3Server | undefined
  let origin: AtollProcess
  let edges: [AtollProcess, AtollProcess]

  beforeAll(async () => {
    const started = await startS3(program ?? '')
    bucket = started
    origin = await startAtoll({ role: 'origin', env: { ATOLL_NEAREST_NETWORKS: '127.0.0.0/8=eu' } })
    const tenant = new Tenant(origin)
    const id = await tenant.endpoint({ name: 'hub', type: 'docker-hub', url: hub.url.origin, insecure: true })
    await tenant.project('hub', { public: true, registry_id: id })
    edges = [await tenant.edge('one', edgeBucket(started)), await tenant.edge('two', edgeBucket(started))]
  }, 90_000)
  afterAll(async () => {
    for (const running of [...(edges ?? []), origin]) await running?.[Symbol.asyncDispose]()
    await bucket?.close()
    await upstream?.close()
  })

  const pushed = async (name: string) => {
    const image = randomImage({ layers: [LAYER_BYTES] })
    await hub.push(`library/${name}`, image, 'v1')
    hub.reset()
    hub.faults.bytesPerSecond = BYTES_A_SECOND
    const digest = image.layers[0]?.digest ?? ''
    return { digest, path: `/v2/hub/library/${name}/blobs/${digest}` }
  }
  const begin = async (edge: AtollProcess, path: string) => {
    const response = await fetch(`http://${edge.edge}${path}`)
    expect(response.status).toBe(200)
    return (response.body ?? new ReadableStream<Uint8Array>()).getReader()
  }
  const whole = async (edge: AtollProcess, path: string) => {
    const response = await fetch(`http://${edge.edge}${path}`)
    return sha256(new Uint8Array(await response.arrayBuffer()))
  }

  it('ask the upstream once for a layer that both are asked for, and the second hands it out while it comes', async () => {
    const { path, digest } = await pushed('shared')
    const first = await begin(edges[0], path)
    await first.read()
    const second = await begin(edges[1], path)
    await second.read()
    expect(hub.counts.blobBytes, 'the second had its first byte before all had come').toBeLessThan(LAYER_BYTES)
    await Promise.all([first.cancel(), second.cancel()])
    expect(await Promise.all(edges.map((edge) => whole(edge, path)))).toEqual([digest, digest])
    expect([hub.counts.cdnGets, hub.counts.blobBytes]).toEqual([1, LAYER_BYTES])
  }, 90_000)

  it('take over from one that is killed, and ask for what is missing', async () => {
    const { path, digest } = await pushed('killed')
    const first = await begin(edges[0], path)
    for (let got = 0; got < 8 * MIB; ) got += (await first.read()).value?.length ?? 0
    const following = whole(edges[1], path)
    await edges[0].kill()
    await first.cancel().catch(() => undefined)
    expect(await following).toBe(digest)
    const { blobBytes, cdnGets } = hub.counts
    process.stdout.write(`a layer of ${LAYER_BYTES} bytes cost the upstream ${blobBytes} in ${cdnGets} requests\n`)
    expect(cdnGets).toBe(2)
    expect(blobBytes).toBeLessThanOrEqual(LAYER_BYTES + BYTES_A_KILL)
    expect(hub.seen.filter(({ kind, method }) => kind === 'cdn' && method === 'GET').at(-1)?.range).toMatch(/^bytes=[1-9]/)
    await edges[0].restart()
    const again = await getAt(edges[0].edge, path)
    expect([again.status, sha256(new Uint8Array(await again.arrayBuffer()))]).toEqual([200, digest])
    expect(hub.counts.cdnGets).toBe(cdnGets)
  }, 120_000)

  it('let nobody be sent to them once the bucket is away, by load balancers or by the origin', async () => {
    const readyz = async () => await (await fetch(`http://${edges[1].edge}/readyz`)).text()
    const tenant = new Tenant(origin)
    await tenant.project('open', { public: true })
    const image = randomImage({ layers: [10_000] })
    await tenant.push('open/app', image, { username: 'admin', password: ADMIN_PASSWORD }, 'v1')
    const layer = `http://${origin.origin}/v2/open/app/blobs/${image.layers[0]?.digest}`
    const asked = async () => {
      const answer = await fetch(layer, { headers: { 'user-agent': 'containerd/2.1.0' }, redirect: 'manual' })
      await answer.arrayBuffer()
      return answer.status
    }
    expect([await readyz(), await asked()]).toEqual(['ok', 307])
    await bucket?.close()
    bucket = undefined
    await until('the edge says so', async () => (await readyz()) === 'the store of this edge does not answer')
    expect((await getAt(edges[1].edge, '/livez')).status).toBe(200)
    await until('the origin sends nobody there', async () => (await asked()) === 200, 20_000)
  }, 60_000)
})

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { randomImage, sha256, type TestImage } from '../support/images.ts'
import { until } from '../support/until.ts'
import { startUpstream, type Upstream } from '../support/upstream/upstream.ts'
import { proxyCache } from './proxy-cache.ts'
import { TestEdge, TestOrigin } from './support.ts'
import { bundleWorker, TestWorker } from './worker-support.ts'

const MIB = 1024 * 1024
const upstream = await startUpstream({ users: {}, isPrivate: () => false })

describe.skipIf(upstream === undefined).each([
  ['Node', async (origin: TestOrigin) => await TestEdge.start(origin)],
  ['a Worker', async (origin: TestOrigin) => await TestWorker.start(origin, await bundleWorker())],
])('a cold layer at an edge in %s', (kind, start) => {
  const hub = upstream as Upstream
  let origin: TestOrigin
  let edge: TestEdge | TestWorker

  beforeAll(async () => {
    origin = await TestOrigin.start()
    await proxyCache(origin, 'hub', hub.url)
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

  const pushed = async (name: string, size: number) => {
    const image: TestImage = randomImage({ layers: [size] })
    const own = `library/${name}-${kind === 'Node' ? 'node' : 'worker'}`
    await hub.push(own, image, 'v1')
    hub.reset()
    const layer = image.layers[0]
    if (layer === undefined) throw new Error('the image has a layer')
    return { ...layer, path: `/v2/hub/${own}/blobs/${layer.digest}` }
  }
  const bytesOf = async (response: Response) => new Uint8Array(await response.arrayBuffer())
  /** Asked with `fetch` itself, which hands out a body as it comes. A kept connection that turns out to be closed is no answer: clients ask on another. */
  const ask = async (path: string, init: RequestInit = {}) => {
    try {
      return await fetch(edge.url + path, init)
    } catch (error) {
      const closed = error instanceof TypeError && error.cause instanceof Error && 'code' in error.cause && error.cause.code === 'UND_ERR_SOCKET'
      if (!closed) throw error
      return await fetch(edge.url + path, init)
    }
  }
  const whole = async (path: string) => sha256(await bytesOf(await ask(path)))

  it('answers a range far in it with that range, fills behind it, and asks for no byte twice', async () => {
    const { path, digest, bytes } = await pushed('range', 24 * MIB)
    const response = await ask(path, { headers: { range: `bytes=${16 * MIB}-${17 * MIB - 1}`, 'if-range': `"${digest}"` } })
    expect([response.status, response.headers.get('content-range')]).toEqual([206, `bytes ${16 * MIB}-${17 * MIB - 1}/${bytes.length}`])
    expect(sha256(await bytesOf(response))).toBe(sha256(bytes.subarray(16 * MIB, 17 * MIB)))
    expect(await whole(path)).toBe(digest)
    expect(hub.counts.blobBytes).toBe(bytes.length)
    // Before the range in two parts, the range, and behind it.
    expect(hub.counts.cdnGets).toBe(4)
  })

  it('gives a range as soon as its source does, without a question about the size before, and to its end where it goes beyond it', async () => {
    const { path, bytes } = await pushed('at-once', 24 * MIB)
    const response = await ask(path, { headers: { range: `bytes=${16 * MIB}-${17 * MIB - 1}` } })
    expect(sha256(await bytesOf(response))).toBe(sha256(bytes.subarray(16 * MIB, 17 * MIB)))
    expect(hub.seen.filter(({ method }) => method === 'HEAD')).toEqual([])
    const beyond = await ask(path, { headers: { range: `bytes=${20 * MIB}-${30 * MIB}` } })
    expect([beyond.status, beyond.headers.get('content-range')]).toEqual([206, `bytes ${20 * MIB}-${24 * MIB - 1}/${24 * MIB}`])
    expect(sha256(await bytesOf(beyond))).toBe(sha256(bytes.subarray(20 * MIB)))
    const outside = await ask(path, { headers: { range: `bytes=${24 * MIB}-${30 * MIB}` } })
    expect([outside.status, outside.headers.get('content-range')]).toEqual([416, `bytes */${24 * MIB}`])
    const cold = await pushed('outside', 3 * MIB)
    expect((await ask(cold.path, { headers: { range: `bytes=${24 * MIB}-${30 * MIB}` } })).status).toBe(416)
    expect(await whole(cold.path)).toBe(cold.digest)
  })

  it('is given whole to who holds a part of something else', async () => {
    const { path, digest, bytes } = await pushed('if-range', 400_000)
    const response = await ask(path, { headers: { range: 'bytes=0-9', 'if-range': `"sha256:${'0'.repeat(64)}"` } })
    expect([response.status, (await bytesOf(response)).length]).toEqual([200, bytes.length])
    expect(await whole(path)).toBe(digest)
  })

  it('comes once for thirty clients with ranges of their own', async () => {
    const { path, bytes } = await pushed('ranges', 20 * MIB)
    await Promise.all(
      Array.from({ length: 30 }, async (_, index) => {
        const offset = 9 * MIB + (index % 15) * 600_000
        const response = await ask(path, { headers: { range: `bytes=${offset}-${offset + 499_999}` } })
        expect(response.status).toBe(206)
        expect(sha256(await bytesOf(response))).toBe(sha256(bytes.subarray(offset, offset + 500_000)))
      }),
    )
    await until('the layer is here', async () => (await ask(path, { headers: { range: `bytes=${bytes.length - 1}-` } })).status === 206)
    expect(await whole(path)).toBe(sha256(bytes))
    // A part that came while the fill was reading towards it may come a second time with that answer: it is too small to break it off.
    expect(hub.counts.blobBytes).toBeLessThanOrEqual(bytes.length + 15 * 500_000)
    // The parts, what lies between them, and its beginning in two.
    expect(hub.counts.cdnGets).toBeLessThanOrEqual(15 + 17)
  })

  it('goes on when the client that came first leaves in the middle', async () => {
    const { path, digest, bytes } = await pushed('leaves', 12 * MIB)
    hub.faults.bytesPerSecond = 8 * MIB
    const leaving = new AbortController()
    const first = await ask(path, { signal: leaving.signal })
    await first.body?.getReader().read()
    leaving.abort()
    expect(await whole(path)).toBe(digest)
    expect([hub.counts.cdnGets, hub.counts.blobBytes]).toEqual([1, bytes.length])
  })

  it('comes at full speed to those who follow a client that reads nothing', async () => {
    const { path, digest, bytes } = await pushed('slow', 24 * MIB)
    const slow = (await ask(path)).body?.getReader()
    await slow?.read()
    expect(await Promise.all([whole(path), whole(path), whole(path)])).toEqual([digest, digest, digest])
    expect([hub.counts.blobGets, hub.counts.blobBytes]).toEqual([1, bytes.length])
    let got = 0
    for (let next = await slow?.read(); next !== undefined && !next.done; next = await slow?.read()) got += next.value.length
    expect(got).toBeGreaterThan(0)
  })

  it('is never answered completely when its bytes are wrong, is tried twice from scratch, and refused with 502 then', async () => {
    const { path, bytes } = await pushed('wrong', 3 * MIB)
    hub.faults.on = (asked) => asked === 'cdn'
    hub.faults.corrupt = 'flip'
    await expect(ask(path).then(bytesOf)).rejects.toThrow()
    await until('it has been asked for twice', () => hub.counts.cdnGets === 2)
    // Those who come before it has ended wait for how it ends.
    const answer = async () => {
      const response = await ask(path)
      if (response.status === 200) await response.body?.cancel()
      return response
    }
    let refused = await answer()
    await until('it is refused', async () => {
      if (refused.status === 200) refused = await answer()
      return refused.status !== 200
    })
    expect(refused.status).toBe(502)
    expect(await refused.json()).toMatchObject({ errors: [{ code: 'UPSTREAM_INVALID', message: expect.stringMatching(/sends something else/) }] })
    expect(hub.counts.cdnGets).toBe(2)
    expect((await ask(path, { method: 'HEAD' })).headers.get('content-length')).toBe(String(bytes.length))
  })
})

afterAll(async () => {
  await upstream?.close()
})

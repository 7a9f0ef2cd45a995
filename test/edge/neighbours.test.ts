import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type PushedImage, sha256, TestEdge, TestOrigin, tokenOf } from './support.ts'

const MIB = 1024 * 1024

/** What an edge asks of the world, held and counted by who is asked. */
class Traffic {
  fromOrigin = 0
  fromNeighbours = 0
  /** What is done to an answer of a neighbour. */
  spoil: (response: Response) => Response | Promise<Response> = (response) => response

  constructor(edge: TestEdge, origin: TestOrigin) {
    edge.line.forge = async (url, response) => {
      if (!url.pathname.includes('/blobs/') || response.body === null) return response
      const ours = url.origin === origin.url
      const answer = ours ? response : await this.spoil(response)
      const count = new TransformStream<Uint8Array, Uint8Array>({
        transform: (chunk, controller) => {
          if (ours) this.fromOrigin += chunk.byteLength
          else this.fromNeighbours += chunk.byteLength
          controller.enqueue(chunk)
        },
      })
      return new Response(answer.body?.pipeThrough(count) ?? null, answer)
    }
  }
}

describe('edges of one region', () => {
  let origin: TestOrigin
  beforeAll(async () => {
    origin = await TestOrigin.start()
    await origin.project('open', { public: true })
    await origin.project('closed', { public: false })
  })
  afterAll(async () => {
    await origin?.[Symbol.asyncDispose]()
  })

  const pull = async (edge: TestEdge, repository: string, { layer }: PushedImage, bearer?: string) => {
    const blob = await edge.get(`/v2/${repository}/blobs/${layer}`, bearer)
    expect([blob.status, sha256(new Uint8Array(await blob.arrayBuffer()))]).toEqual([200, layer])
  }

  it('cost the origin one copy of a new image, though twenty of them want it at once', async () => {
    const edges: TestEdge[] = []
    try {
      for (let i = 0; i < 20; i++) edges.push(await TestEdge.start(origin, { name: `edge-${i}`, neighbours: 'region' }))
      const traffic = edges.map((edge) => new Traffic(edge, origin))
      const images = await Promise.all(Array.from({ length: 8 }, (_, i) => origin.push(`open/big-${i}`, 'v1', randomBytes(8 * MIB))))
      await Promise.all(
        edges.map(async (edge) => {
          for (const [i, image] of images.entries()) await pull(edge, `open/big-${i}`, image)
        }),
      )
      const fromOrigin = traffic.reduce((sum, each) => sum + each.fromOrigin, 0)
      const fromNeighbours = traffic.reduce((sum, each) => sum + each.fromNeighbours, 0)
      expect(fromOrigin / (64 * MIB)).toBeLessThanOrEqual(1.5)
      expect(fromNeighbours / (64 * MIB)).toBeGreaterThan(15)
    } finally {
      for (const edge of edges) await edge[Symbol.asyncDispose]()
    }
  }, 240_000)

  describe('that are two', () => {
    let [a, b]: (TestEdge | undefined)[] = []
    /** A new image, with the edge that fetches its layer from the origin, and the one that asks that one. */
    const setting = async (repository: string) => {
      if (a === undefined || b === undefined) throw new Error('no edges')
      const [ofA, ofB] = [new Traffic(a, origin), new Traffic(b, origin)]
      const bearer = await tokenOf(await a.token(`repository:${repository}:pull`, { username: 'admin', password: 'Harbour12345' }))
      for (let round = 0; ; round++) {
        const image = await origin.push(repository, `v${round}`, randomBytes(2 * MIB))
        await pull(a, repository, image, bearer)
        if (ofA.fromNeighbours > 0) return { home: b, asker: a, traffic: ofA, bearer, repository, warmed: image }
        await pull(b, repository, image, bearer)
        if (ofB.fromNeighbours > 0) return { home: a, asker: b, traffic: ofB, bearer, repository, warmed: image }
        expect(round).toBeLessThan(20)
      }
    }
    beforeAll(async () => {
      // The twenty are members still, and gone: an origin of its own, so that these two are alone.
      await origin[Symbol.asyncDispose]()
      origin = await TestOrigin.start()
      await origin.project('closed', { public: false })
      a = await TestEdge.start(origin, { name: 'two-a', neighbours: 'region' })
      b = await TestEdge.start(origin, { name: 'two-b', neighbours: 'region' })
    })
    afterAll(async () => {
      await a?.[Symbol.asyncDispose]()
      await b?.[Symbol.asyncDispose]()
    })

    /** Whom it left out, so that the next test begins anew. */
    const forgets = async (edge: TestEdge) => {
      await edge.stop()
      await edge.start()
    }

    /** The first image, pushed until the asker asks its neighbour for it. */
    const asked = async ({ asker, traffic, bearer, repository }: Awaited<ReturnType<typeof setting>>, spoil: Traffic['spoil'], fails: boolean) => {
      let spoilt = 0
      traffic.spoil = (response) => {
        spoilt++
        return spoil(response)
      }
      for (let round = 0; spoilt === 0; round++) {
        expect(round).toBeLessThan(40)
        const image = await origin.push(repository, `s${round}`, randomBytes(2 * MIB))
        traffic.fromOrigin = 0
        if (fails) await pull(asker, repository, image, bearer).catch(() => undefined)
        await pull(asker, repository, image, bearer)
      }
      return traffic.fromOrigin
    }

    it('give one another private blobs too, and go on at the origin, at the byte reached, where one is cut off', async () => {
      const two = await setting('closed/cut')
      const half = MIB
      const cutOff = (response: Response) => {
        let passed = 0
        const cut = new TransformStream<Uint8Array, Uint8Array>({
          transform(chunk, controller) {
            const room = half - passed
            if (room > 0) controller.enqueue(chunk.subarray(0, room))
            passed += chunk.byteLength
            if (passed >= half) controller.error(new TypeError('cut off'))
          },
        })
        return new Response(response.body?.pipeThrough(cut) ?? null, response)
      }
      const fromOrigin = await asked(two, cutOff, false)
      expect(fromOrigin).toBeGreaterThan(0)
      expect(fromOrigin).toBeLessThan(2 * MIB)
      await forgets(two.asker)
    })

    it('keep nothing of what a lying one gives: the origin gives it instead', async () => {
      const two = await setting('closed/lied')
      const lie = async (response: Response) => {
        const bytes = new Uint8Array(await response.arrayBuffer())
        bytes[100] = (bytes[100] ?? 0) ^ 1
        return new Response(bytes, response)
      }
      expect(await asked(two, lie, true)).toBe(2 * MIB)
      await forgets(two.asker)
    })

    it('do without one that is gone', async () => {
      const { home, asker, bearer } = await setting('closed/gone')
      await home.stop()
      for (let i = 0; i < 4; i++) await pull(asker, 'closed/gone', await origin.push('closed/gone', `g${i}`, randomBytes(MIB)), bearer)
      await home.start()
    })

    it('tell nothing to who only says that he is one', async () => {
      if (a === undefined) throw new Error('no edge')
      const image = await origin.push('closed/mine', 'v1')
      const answer = await fetch(`${a.url}/v2/closed/mine/blobs/${image.layer}`, { headers: { authorization: 'Atoll-Edge a.b.c' } })
      expect([answer.status, await answer.text()]).toEqual([401, expect.stringContaining('UNAUTHORIZED')])
    })
  })
})

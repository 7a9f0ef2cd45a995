import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../support/until.ts'
import { type PushedImage, sha256, TestOrigin } from './support.ts'
import { bundleWorker, TestWorker } from './worker-support.ts'

const MB = 1_000_000
/** Above what it takes to tell, and the moment that is left to readers. */
const GOES_MS = 60_000

describe('a Worker’s bucket with a budget', () => {
  let origin: TestOrigin
  let script: string
  let folder: string

  beforeAll(async () => {
    origin = await TestOrigin.start()
    await origin.project('open', { public: true })
    script = await bundleWorker()
    folder = await mkdtemp(join(tmpdir(), 'atoll-worker-'))
  })
  afterAll(async () => {
    await origin?.[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  })

  const path = ({ layer }: PushedImage, name: string) => `/v2/open/${name}/blobs/${layer}`
  const image = async (name: string, size: number) => ({ name, image: await origin.push(`open/${name}`, 'v1', randomBytes(size)) })
  type Named = Awaited<ReturnType<typeof image>>
  const pull = async (edge: TestWorker, { name, image }: Named) => {
    const answer = await edge.get(path(image, name))
    expect([answer.status, sha256(new Uint8Array(await answer.arrayBuffer()))]).toEqual([200, image.layer])
  }
  const kept = async (edge: TestWorker, ...named: Named[]) => await Promise.all(named.map(({ image }) => edge.has(image.layer)))
  const filled = async (edge: TestWorker, named: Named) => {
    await pull(edge, named)
    // Where there is no room for a moment, it passes through.
    await until('it is stored', async () => {
      const [stored] = await kept(edge, named)
      if (!stored) await pull(edge, named)
      return stored === true
    })
  }

  it('loses what was pulled longest ago, not what came first; manifests stay, and what is gone can be pulled again', async () => {
    await using edge = await TestWorker.start(origin, script, { bindings: { CACHE_MAX_BYTES: String(3.5 * MB) } })
    const [a, b, c, d] = [await image('a', MB), await image('b', MB), await image('c', MB), await image('d', MB)]
    for (const each of [a, b, c]) {
      expect((await edge.get(`/v2/open/${each.name}/manifests/v1`)).status).toBe(200)
      await filled(edge, each)
    }
    await pull(edge, a)
    await filled(edge, d)
    await until('one is gone', async () => (await kept(edge, a, b, c, d)).includes(false), GOES_MS)
    expect(await kept(edge, a, b, c, d)).toEqual([true, false, true, true])
    expect((await edge.stored('manifests/')).some((key) => key.includes('/open/b/'))).toBe(true)
    await pull(edge, b)
  }, 120_000)

  it('keeps what is being read, and what is being filled, however long that takes', async () => {
    await using edge = await TestWorker.start(origin, script, { bindings: { CACHE_MAX_BYTES: String(50 * MB) } })
    const [read, old, cold, next] = [
      await image('read', 20 * MB),
      await image('old', 10 * MB),
      await image('cold', 20 * MB),
      await image('next', 10 * MB),
    ]
    await filled(edge, read)
    await filled(edge, old)
    const reader = (await fetch(edge.url + path(read.image, read.name))).body?.getReader()
    const first = await reader?.read()
    const slow = Promise.withResolvers<void>()
    edge.line.forge = async (url, response) => {
      if (!url.pathname.endsWith(cold.image.layer) || response.body === null) return response
      const held = new TransformStream<Uint8Array, Uint8Array>({
        async transform(chunk, controller) {
          if (seen > 9 * MB) await slow.promise
          seen += chunk.length
          controller.enqueue(chunk)
        },
      })
      let seen = 0
      return new Response(response.body.pipeThrough(held), response)
    }
    const filling = edge.get(path(cold.image, cold.name))
    await until('the fill has begun', async () => (await edge.stored('drafts/')).length > 0)
    await filled(edge, next)
    await until('the one that nobody reads is gone', async () => (await kept(edge, old))[0] === false, GOES_MS)
    expect(await kept(edge, read, next)).toEqual([true, true])
    slow.resolve()
    expect(sha256(new Uint8Array(await (await filling).arrayBuffer()))).toBe(cold.image.layer)
    await until('it is stored', async () => (await kept(edge, cold))[0] === true)
    const parts = [first?.value ?? new Uint8Array()]
    for (;;) {
      const { done, value } = (await reader?.read()) ?? { done: true, value: undefined }
      if (done || value === undefined) break
      parts.push(value)
    }
    expect(sha256(Buffer.concat(parts))).toBe(read.image.layer)
    expect(await kept(edge, read, cold)).toEqual([true, true])
  }, 180_000)

  it('has its ledger again from the bucket when the object that held it was lost', async () => {
    const bindings = { CACHE_MAX_BYTES: String(3.5 * MB), CACHE_PINS: 'open/pinned' }
    const pinned = await image('pinned', MB)
    const others = [await image('l1', MB), await image('l2', MB)]
    {
      await using edge = await TestWorker.start(origin, script, { bindings, persist: folder })
      for (const each of [pinned, ...others]) await filled(edge, each)
    }
    const objects = join(folder, 'objects')
    const ledgers = (await readdir(objects)).filter((name) => name.endsWith('Space'))
    expect(ledgers).toHaveLength(1)
    for (const name of ledgers) await rm(join(objects, name), { recursive: true })
    await using edge = await TestWorker.start(origin, script, { bindings, persist: folder })
    expect(await kept(edge, pinned, ...others)).toEqual([true, true, true])
    const more = [await image('l3', MB), await image('l4', MB)]
    for (const each of more) await filled(edge, each)
    await until('two of the old ones are gone', async () => (await kept(edge, ...others)).every((there) => !there), GOES_MS)
    expect(await kept(edge, pinned, ...more)).toEqual([true, true, true])
  }, 180_000)
})

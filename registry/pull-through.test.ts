import { describe, expect, it } from 'vitest'
import { createHasher } from '../stores/hasher.ts'
import { memoryObjectStore } from '../stores/memory-object-store.ts'
import { slicedBlobStore } from '../stores/sliced-blob-store.ts'
import { TestClock } from '../test/support/clock.ts'
import { quiet } from '../test/support/fill-source.ts'
import { randomImage, type TestImage } from '../test/support/images.ts'
import { FillTable } from './fill/index.ts'
import { type Freshness, followed, leases } from './pull-through/freshness.ts'
import { LEASE_TIMES } from './pull-through/lease-rules.ts'
import { PullThrough } from './pull-through.ts'
import type { Manifest, Registry, Repository } from './registry.ts'
import { parseRepositoryName, parseTag, type Reference } from './spec/names.ts'

const app = parseRepositoryName('team/app')
const latest = parseTag('latest')

/** A source with one tag. `gate` holds back its answers. */
class OneTag {
  readonly asked: string[] = []
  gate: Promise<void> = Promise.resolve()
  image: TestImage | undefined = randomImage()
  readonly #known = new Map<string, TestImage>()

  with(): Registry {
    const answer = async (method: string, reference: Reference): Promise<Manifest | undefined> => {
      this.asked.push(`${method} ${reference.tag ?? 'digest'}`)
      if (this.image) this.#known.set(this.image.manifest.digest, this.image)
      const image = this.image && reference.digest ? this.#known.get(reference.digest) : this.image
      await this.gate
      if (image === undefined) return undefined
      const { mediaType, digest, bytes } = image.manifest
      return { descriptor: { mediaType, digest, size: bytes.length }, bytes }
    }
    const repository: Partial<Repository> = {
      name: app,
      manifests: {
        stat: (reference) => answer('HEAD', reference),
        get: (reference) => answer('GET', reference),
        put: () => Promise.reject(new TypeError('not here')),
        delete: () => Promise.reject(new TypeError('not here')),
      },
    }
    return { repository: () => repository as Repository, repositories: async () => ({ items: [], more: false }) }
  }
}

function over(source: OneTag, freshness?: Freshness) {
  const clock = new TestClock()
  const objects = memoryObjectStore()
  const records = memoryObjectStore()
  const open = () => {
    const blobs = slicedBlobStore(objects)
    return new PullThrough({
      source: { id: 'one', name: 'one.test', with: () => source.with() },
      cache: { blobs, records },
      fills: new FillTable({ blobs, createHasher, clock, log: quiet }),
      ...(freshness && { freshness }),
      createHasher,
      clock,
      log: quiet,
    })
  }
  const cache = open()
  const digest = async (of = cache) => (await of.with().repository(app).manifests.get({ tag: latest }))?.descriptor.digest
  return { clock, cache, open, digest }
}

describe('a tag in a pull-through', () => {
  it('is not kept from before an invalidation that came while the source was answering', async () => {
    const source = new OneTag()
    const { cache, digest } = over(
      source,
      followed(() => true),
    )
    const gate = Promise.withResolvers<void>()
    source.gate = gate.promise
    const before = digest()
    while (source.asked.length === 0) await new Promise((resolve) => setImmediate(resolve))
    const old = source.image?.manifest.digest
    source.image = randomImage()
    source.gate = Promise.resolve()
    await cache.forgetTag(app, latest)
    expect(await digest()).toBe(source.image.manifest.digest)
    gate.resolve()
    expect(await before).toBe(old)
    expect(await digest()).toBe(source.image.manifest.digest)
  })

  it('is asked for once by many, and survives a restart', async () => {
    const source = new OneTag()
    const { digest, open } = over(source)
    expect(new Set(await Promise.all(Array.from({ length: 50 }, () => digest()))).size).toBe(1)
    expect(await digest(open())).toBe(source.image?.manifest.digest)
    expect(source.asked).toEqual(['GET latest'])
  })

  it('is confirmed behind the back of the client just after its lease, once at a time', async () => {
    const source = new OneTag()
    const { clock, digest } = over(source)
    const old = await digest()
    source.image = randomImage()
    clock.advance(LEASE_TIMES.freshMs + 1)
    const gate = Promise.withResolvers<void>()
    source.gate = gate.promise
    expect(await Promise.all([digest(), digest(), digest()])).toEqual([old, old, old])
    expect(source.asked).toEqual(['GET latest', 'HEAD latest'])
    gate.resolve()
    while ((await digest()) === old) await new Promise((resolve) => setImmediate(resolve))
    expect(await digest()).toBe(source.image.manifest.digest)
    expect(source.asked).toEqual(['GET latest', 'HEAD latest', 'GET digest'])
  })

  it('holds while the feed is heard, and is asked about when it is not', async () => {
    const source = new OneTag()
    let connected = true
    const { clock, digest } = over(
      source,
      followed(() => connected),
    )
    await digest()
    clock.advance(100 * 3_600_000)
    await digest()
    expect(source.asked).toHaveLength(1)
    connected = false
    await digest()
    expect(source.asked).toEqual(['GET latest', 'HEAD latest'])
  })

  it('is asked about when the clock was set back, and not served after its time', async () => {
    const source = new OneTag()
    const { clock, digest } = over(
      source,
      leases(() => ({ freshMs: 1_000, behindMs: 0, staleMs: 5_000 })),
    )
    await digest()
    source.gate = Promise.reject(new TypeError('down'))
    source.gate.catch(() => undefined)
    clock.advance(2_000)
    expect(await digest()).toBe(source.image?.manifest.digest)
    clock.advance(10_000)
    await expect(digest()).rejects.toBeInstanceOf(TypeError)
    source.gate = Promise.resolve()
    await digest()
    clock.advance(-8_000)
    const asked = source.asked.length
    await digest()
    expect(source.asked.length).toBe(asked + 1)
  })

  it('goes with the repository, and with the manifest it points at', async () => {
    const source = new OneTag()
    const { cache, digest } = over(
      source,
      followed(() => true),
    )
    const first = await digest()
    if (first === undefined) throw new Error('there should be one')
    source.image = undefined
    await cache.forgetManifest(app, first)
    expect(await digest()).toBeUndefined()
    source.image = randomImage()
    await cache.forgetRepository(app)
    expect(await digest()).toBe(source.image.manifest.digest)
  })
})

import { describe, expect, it } from 'vitest'
import { createHasher } from '../../stores/hasher.ts'
import { memoryObjectStore } from '../../stores/memory-object-store.ts'
import { slicedBlobStore } from '../../stores/sliced-blob-store.ts'
import { TestClock } from '../../test/support/clock.ts'
import { quiet } from '../../test/support/fill-source.ts'
import { randomImage } from '../../test/support/images.ts'
import { FillTable } from '../fill/index.ts'
import { PullThrough } from '../pull-through.ts'
import type { Manifest, Registry, Repository } from '../registry.ts'
import { type Digest, parseDigest } from '../spec/digests.ts'
import { parseRepositoryName, parseTag, type Reference } from '../spec/names.ts'
import { followed } from './freshness.ts'

const app = parseRepositoryName('team/app')
const tag = parseTag('latest')

function manifest(): Manifest {
  const { mediaType, digest, bytes } = randomImage().manifest
  return { descriptor: { mediaType, digest: parseDigest(digest), size: bytes.length }, bytes }
}

/** A cache of an origin where the tag is `now`. */
function site() {
  const origin = { now: undefined as Manifest | undefined, asked: 0 }
  const known = new Map<Digest, Manifest>()
  const answer = async (reference: Reference) => {
    origin.asked++
    return reference.digest === undefined ? origin.now : known.get(reference.digest)
  }
  const repository: Partial<Repository> = {
    name: app,
    manifests: { stat: answer, get: answer, put: () => Promise.reject(new TypeError()), delete: () => Promise.reject(new TypeError()) },
  }
  const registry: Registry = { repository: () => repository as Repository, repositories: async () => ({ items: [], more: false }) }
  const clock = new TestClock()
  const blobs = slicedBlobStore(memoryObjectStore())
  const cache = new PullThrough({
    source: { id: 'origin', name: 'the origin', with: () => registry },
    cache: { blobs, records: memoryObjectStore() },
    fills: new FillTable({ blobs, createHasher, clock, log: quiet }),
    freshness: followed(() => true),
    createHasher,
    clock,
    log: quiet,
  })
  return {
    origin,
    cache,
    /** As the origin does it, and what its feed then says. */
    set(to: Manifest): Digest {
      origin.now = to
      known.set(to.descriptor.digest, to)
      return to.descriptor.digest
    },
    pulled: async () => (await cache.with().repository(app).manifests.get({ tag }))?.descriptor.digest,
  }
}

describe('a push through a cache', () => {
  it('is served without a question, also after its own news, and another push’s news ends that', async () => {
    const { origin, cache, set, pulled } = site()
    const [mine, theirs] = [manifest(), manifest()]
    await cache.pushed.manifest(app, mine, [tag], async () => set(mine) !== undefined)
    expect([await pulled(), origin.asked]).toEqual([mine.descriptor.digest, 0])
    await cache.pushed.tagMoved(app, tag, mine.descriptor.digest)
    expect([await pulled(), origin.asked]).toEqual([mine.descriptor.digest, 0])
    await cache.pushed.tagMoved(app, tag, set(theirs))
    expect(await pulled()).toBe(theirs.descriptor.digest)
  })

  it('clears what was remembered as unknown', async () => {
    const { cache, set, pulled } = site()
    const mine = manifest()
    const { manifests } = cache.with().repository(app)
    expect([await pulled(), await manifests.stat({ digest: mine.descriptor.digest })]).toEqual([undefined, undefined])
    await cache.pushed.manifest(app, mine, [tag], async () => set(mine) !== undefined)
    expect(await pulled()).toBe(mine.descriptor.digest)
    expect((await manifests.get({ digest: mine.descriptor.digest }))?.bytes).toEqual(mine.bytes)
  })

  it('that the origin refuses changes nothing', async () => {
    const { cache, set, pulled } = site()
    const [before, mine] = [manifest(), manifest()]
    set(before)
    expect(await pulled()).toBe(before.descriptor.digest)
    await cache.pushed.manifest(app, mine, [tag], async () => false)
    expect(await pulled()).toBe(before.descriptor.digest)
  })

  // The answer to a push and the feed come by different ways: whichever order they come in, what the origin has last is what is served.
  type Step = 'mine' | 'theirs' | 'news of mine' | 'news of theirs' | 'answer'
  const orders: Step[][] = [
    ['mine', 'news of mine', 'answer'],
    ['mine', 'theirs', 'news of mine', 'news of theirs', 'answer'],
    ['mine', 'theirs', 'news of mine', 'answer', 'news of theirs'],
    ['mine', 'theirs', 'answer', 'news of mine', 'news of theirs'],
    ['theirs', 'mine', 'news of theirs', 'news of mine', 'answer'],
    ['theirs', 'mine', 'news of theirs', 'answer', 'news of mine'],
    ['theirs', 'mine', 'answer', 'news of theirs', 'news of mine'],
    ['theirs', 'news of theirs', 'mine', 'answer', 'news of mine'],
  ]
  it.each(orders.map((steps) => [steps.join(', '), steps] as const))('ends right: %s', async (_order, steps) => {
    const { origin, cache, set, pulled } = site()
    const [mine, theirs] = [manifest(), manifest()]
    const answer = Promise.withResolvers<boolean>()
    const push = cache.pushed.manifest(app, mine, [tag], () => answer.promise)
    for (const step of steps) {
      if (step === 'mine') set(mine)
      if (step === 'theirs') set(theirs)
      if (step === 'news of mine') await cache.pushed.tagMoved(app, tag, mine.descriptor.digest)
      if (step === 'news of theirs') await cache.pushed.tagMoved(app, tag, theirs.descriptor.digest)
      if (step === 'answer') {
        answer.resolve(true)
        await push
      }
    }
    expect(await pulled()).toBe(origin.now?.descriptor.digest)
  })
})

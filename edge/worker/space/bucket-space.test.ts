import { describe, expect, it } from 'vitest'
import { PULL_THROUGH_LIMITS } from '../../../registry/pull-through/limits.ts'
import { Records } from '../../../registry/pull-through/records.ts'
import type { Digest } from '../../../registry/spec/digests.ts'
import { parseRepositoryName } from '../../../registry/spec/names.ts'
import { memoryObjectStore } from '../../../stores/memory-object-store.ts'
import { slicedBlobStore } from '../../../stores/sliced-blob-store.ts'
import { TestClock } from '../../../test/support/clock.ts'
import { digestOf, quiet, read, someBytes } from '../../../test/support/fill-source.ts'
import { MemoryObjectStorage } from '../../../test/support/object-storage.ts'
import { DRAFT_REST_MS } from '../../space/limits.ts'
import { parsePin } from '../../space/pins.ts'
import { BucketSpace } from './bucket-space.ts'
import { LEAVING_MS, LOOK_EVERY_MS, NEWS_EVERY_MS, OLDEST_PAGE, SIGN_EVERY_MS, SIGN_FOR_MS, STEP_MS } from './limits.ts'
import type { SpaceNews } from './talk.ts'
import { ToldSpace } from './told-space.ts'

const KIB = 1024
const SIZE = 100 * KIB

/** A bucket with an object that keeps it to its budget, and what isolates and fills see of it. */
async function bucket(capacity: number, { pins = [] as string[], objects = memoryObjectStore(), storage = new MemoryObjectStorage() } = {}) {
  const clock = new TestClock()
  const bare = slicedBlobStore(objects)
  const options = () => ({ storage, blobs: slicedBlobStore(objects), records: objects, capacity, pins: pins.map(parsePin), clock, log: quiet })
  const made = { space: await BucketSpace.open(options()), asking: 0, down: false }
  const ask = async <T>(answer: () => Promise<T>): Promise<T> => {
    made.asking++
    try {
      if (made.down) throw new Error('the object does not answer')
      return await answer()
    } finally {
      made.asking--
    }
  }
  const isolate = () => {
    const own = { clock: { now: () => clock.now(), monotonic: () => clock.monotonic(), after: clock.after.bind(clock) } }
    const told = new ToldSpace({
      object: {
        news: (news) => ask(() => made.space.hear(news)),
        reserve: (question) =>
          ask(async () => {
            const size = await made.space.reserve(question)
            return size === undefined ? {} : { size }
          }),
        grow: (question) => ask(async () => ({ granted: await made.space.grow(question) })),
      },
      clock: own.clock,
      everyMs: NEWS_EVERY_MS,
      newId: () => crypto.randomUUID(),
      log: quiet,
    })
    return {
      blobs: told.within(slicedBlobStore(objects)),
      /** Has it tell, or wait until it has. */
      tell: async () => {
        void told.tell()
        await heard()
      },
      /** It is ended without a word: no timer of it runs any more. */
      end: () => {
        own.clock.after = () => () => {}
      },
      /** What has begun until now is ended without a word; the isolate lives on. */
      goOn: () => {
        own.clock.after = clock.after.bind(clock)
      },
    }
  }
  /** Until what is to be told has been. */
  const heard = async () => {
    clock.advance(NEWS_EVERY_MS)
    do await new Promise(setImmediate)
    while (made.asking > 0)
  }
  const settle = async () => {
    for (let steps = 0; made.space.due <= clock.now(); steps++) {
      if (steps > 500) throw new Error('it comes to no end')
      await made.space.step()
      clock.advance(STEP_MS)
    }
    await heard()
  }
  const store = async (seed: number, by = isolate(), size = SIZE): Promise<Digest> => {
    const bytes = someBytes(size, seed)
    const draft = by.blobs.draft(`fill-${digestOf(bytes).slice(7, 39)}`)
    const writer = await draft.writer({ offset: 0, expected: bytes.length })
    await writer.write(bytes)
    await writer.close()
    await draft.commit(digestOf(bytes))
    await by.tell()
    return digestOf(bytes)
  }
  await settle()
  return {
    clock,
    bare,
    objects,
    storage,
    isolate,
    store,
    settle,
    use: async (digest: Digest) => {
      const { blobs, tell } = isolate()
      const body = await blobs.open(digest)
      if (body?.stream === undefined) throw new Error('it should be there')
      await read(body.stream)
      await tell()
    },
    /** Begins to read it, and says so. */
    begin: async (digest: Digest) => {
      const by = isolate()
      const reader = (await by.blobs.open(digest))?.stream?.getReader()
      await reader?.read()
      await by.tell()
      return { ...by, leave: async () => void (await Promise.all([reader?.cancel(), by.tell()])) }
    },
    later: async (ms: number) => {
      for (let left = ms; left > 0; left -= SIGN_EVERY_MS / 2) {
        clock.advance(Math.min(left, SIGN_EVERY_MS / 2))
        await settle()
      }
    },
    down: (down: boolean) => {
      made.down = down
    },
    status: () => made.space.status(),
    hear: (news: Partial<SpaceNews>) => made.space.hear({ ...NOTHING, ...news }),
    reserve: (draft: string, bytes: number) => made.space.reserve({ draft, bytes, there: 0, news: NOTHING }),
    /** The object is gone from memory, and comes back with what it has kept. */
    restart: async () => {
      made.space = await BucketSpace.open(options())
    },
    here: async (...digests: Digest[]) => await Promise.all(digests.map(async (digest) => (await bare.stat(digest)) !== undefined)),
  }
}

const NOTHING: SpaceNews = { from: 'nobody', kept: [], gone: [], used: [], reading: [], writing: [], ended: [] }

describe('the budget of a Worker’s bucket', () => {
  it('evicts what was used longest ago, not what was stored first, a moment after it was chosen', async () => {
    const { store, use, later, here, status } = await bucket(3 * SIZE)
    const [a, b, c] = [await store(1), await store(2), await store(3)]
    await use(a)
    const d = await store(4)
    expect(await here(a, b, c, d)).toEqual([true, true, true, true])
    await later(LEAVING_MS)
    expect(await here(a, b, c, d)).toEqual([true, false, true, true])
    expect(status()).toEqual({ stored: 3 * SIZE, reserved: 0, capacity: 3 * SIZE, blobs: 3, evicted: 1, evictedBytes: SIZE, refused: 0 })
  })

  it('keeps what somebody begins to read after it was chosen; then the next in turn goes', async () => {
    const { begin, store, use, later, here, status } = await bucket(3 * SIZE)
    const [a, b, c] = [await store(1), await store(2), await store(3)]
    const d = await store(4)
    const reading = await begin(a)
    await later(2 * LEAVING_MS)
    expect(await here(a, b, c, d)).toEqual([true, false, true, true])
    await reading.leave()
    // Chosen as well, and read to its end before it goes.
    await store(8)
    await use(c)
    await later(2 * LEAVING_MS)
    expect(await here(c, d)).toEqual([true, false])
    const [e, f, g] = [await store(5), await store(6), await store(7)]
    await later(2 * LEAVING_MS)
    expect(await here(a, e, f, g)).toEqual([false, true, true, true])
    expect(status().stored).toBe(3 * SIZE)
  })

  it('never evicts what is read for hours, though its object is started anew, and does when its reader was ended without a word', async () => {
    const { begin, store, later, here, restart } = await bucket(2 * SIZE)
    const a = await store(1)
    const reading = await begin(a)
    await later(2 * 3_600_000)
    await restart()
    for (let seed = 2; seed < 5; seed++) {
      await store(seed)
      await later(LEAVING_MS)
    }
    expect(await here(a)).toEqual([true])
    reading.end()
    await later(SIGN_FOR_MS + SIGN_EVERY_MS)
    await store(5)
    await store(6)
    await later(LEAVING_MS)
    expect(await here(a)).toEqual([false])
  })

  it('lets go what was read by a request that was ended without a word, though its isolate lives on', async () => {
    const { begin, store, later, here } = await bucket(2 * SIZE)
    const a = await store(1)
    const reading = await begin(a)
    reading.end()
    await later(SIGN_FOR_MS + 2 * SIGN_EVERY_MS)
    reading.goOn()
    await store(2, reading)
    await store(3)
    await later(LEAVING_MS)
    expect(await here(a)).toEqual([false])
  })

  it('never evicts what is being filled, and counts what is promised', async () => {
    const { isolate, store, later, here, status, bare } = await bucket(3 * SIZE)
    const bytes = someBytes(2 * SIZE, 9)
    const slow = isolate()
    const draft = slow.blobs.draft('fill-slow')
    const writer = await draft.writer({ offset: 0, expected: bytes.length })
    await writer.write(bytes.subarray(0, SIZE))
    const a = await store(1)
    expect(status()).toMatchObject({ stored: SIZE, reserved: 2 * SIZE })
    const b = await store(2)
    await later(3 * SIGN_FOR_MS)
    expect(await here(a, b)).toEqual([false, true])
    await expect(
      isolate()
        .blobs.draft('fill-none')
        .writer({ offset: 0, expected: 2 * SIZE }),
    ).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await writer.write(bytes.subarray(SIZE))
    await writer.close()
    await draft.commit(digestOf(bytes))
    await slow.tell()
    expect((await bare.stat(digestOf(bytes)))?.size).toBe(2 * SIZE)
    expect(status()).toMatchObject({ stored: 3 * SIZE, reserved: 0, refused: 1 })
  })

  it('takes back what was promised to a fill that was ended without a word, and lets its draft age', async () => {
    const { isolate, store, later, status, bare } = await bucket(6 * SIZE)
    const lost = isolate()
    const writer = await lost.blobs.draft('fill-lost').writer({ offset: 0, expected: 6 * SIZE })
    await writer.write(someBytes(6 * SIZE, 1))
    lost.end()
    await later(SIGN_FOR_MS + SIGN_EVERY_MS)
    expect(status()).toMatchObject({ stored: await bare.draft('fill-lost').size(), reserved: 0, blobs: 1 })
    await later(DRAFT_REST_MS)
    await store(2, isolate(), 5 * SIZE)
    await later(LEAVING_MS)
    expect(await bare.draft('fill-lost').size()).toBeUndefined()
  })

  it('keeps what a pin covers', async () => {
    const objects = memoryObjectStore()
    const pinned = digestOf(someBytes(SIZE, 1))
    await new Records(objects, 'origin.1', PULL_THROUGH_LIMITS).keepLink(parseRepositoryName('library/nginx'), pinned, SIZE)
    const { store, later, here } = await bucket(2 * SIZE, { pins: ['library/*'], objects })
    for (let seed = 1; seed < 6; seed++) await store(seed)
    await later(2 * LEAVING_MS)
    expect(await here(pinned, digestOf(someBytes(SIZE, 2)), digestOf(someBytes(SIZE, 5)))).toEqual([true, false, true])
  })

  it('refuses what would not fit, and evicts nothing for it', async () => {
    const { store, later, here, status } = await bucket(2 * SIZE)
    const a = await store(1)
    await expect(store(2, undefined, 3 * SIZE)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await later(LEAVING_MS)
    expect([await here(a), status().refused]).toEqual([[true], 1])
  })

  it('makes its ledger again from the bucket, and keeps to its budget then', async () => {
    const first = await bucket(100 * SIZE)
    for (let seed = 1; seed <= 5; seed++) await first.store(seed)
    const second = await bucket(3 * SIZE, { objects: first.objects })
    await second.later(LEAVING_MS)
    expect(second.status()).toMatchObject({ stored: 3 * SIZE, blobs: 3, evicted: 2 })
    expect((await second.bare.list({ limit: 100 })).items).toHaveLength(3)
  })

  it('finds by its next look what came and went without a word', async () => {
    const { store, bare, later, status } = await bucket(10 * SIZE)
    const [a] = [await store(1), await store(2)]
    await bare.delete(a)
    const unknown = someBytes(SIZE, 3)
    const draft = bare.draft('fill-elsewhere')
    await (await draft.writer({ offset: 0, expected: SIZE })).write(unknown)
    await draft.commit(digestOf(unknown)).catch(() => undefined)
    await store(4)
    const before = status().blobs
    await later(LOOK_EVERY_MS)
    const { items } = await bare.list({ limit: 10 })
    expect([before, items.length]).toEqual([3, 2])
    expect(status()).toMatchObject({ blobs: 3, stored: 3 * SIZE })
  })

  it('stores all the same while its object does not answer, and counts it afterwards', async () => {
    const { store, isolate, down, status, here } = await bucket(3 * SIZE)
    down(true)
    const deaf = isolate()
    const a = await store(1, deaf)
    expect([await here(a), status().stored]).toEqual([[true], 0])
    down(false)
    await deaf.tell()
    expect(status().stored).toBe(SIZE)
  })

  it('takes its whole ledger never into memory, only pages of it', async () => {
    const many = 20_000
    const { storage, hear, reserve, restart, status } = await bucket(many * 10)
    const keyOf = (index: number) => `sha256:${index.toString(16).padStart(64, '0')}`
    for (let at = 0; at < many; at += 1_000) await hear({ kept: Array.from({ length: 1_000 }, (_, index) => [keyOf(at + index), 10] as const) })
    expect(status()).toMatchObject({ stored: many * 10, blobs: many })
    storage.most = 0
    expect(await reserve('fill-1', 5_000)).toBe(5_000)
    expect([storage.most, status()]).toEqual([OLDEST_PAGE, expect.objectContaining({ stored: many * 10, reserved: 5_000 })])
    await restart()
    expect(status()).toMatchObject({ stored: many * 10, blobs: many, reserved: 5_000 })
  })
})

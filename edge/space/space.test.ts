import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { BlobStore } from '../../registry/blob-store.ts'
import { FillTable } from '../../registry/fill/index.ts'
import type { ObjectStore } from '../../registry/object-store.ts'
import { PULL_THROUGH_LIMITS } from '../../registry/pull-through/limits.ts'
import { Records } from '../../registry/pull-through/records.ts'
import type { Digest } from '../../registry/spec/digests.ts'
import { OCI_INDEX, OCI_MANIFEST } from '../../registry/spec/media-types.ts'
import { parseRepositoryName, parseTag } from '../../registry/spec/names.ts'
import { fsBlobStore } from '../../stores/fs-blob-store.ts'
import { createHasher } from '../../stores/hasher.ts'
import { memoryObjectStore } from '../../stores/memory-object-store.ts'
import { slicedBlobStore } from '../../stores/sliced-blob-store.ts'
import { TestClock } from '../../test/support/clock.ts'
import { digestOf, quiet, read, someBytes, TestSource } from '../../test/support/fill-source.ts'
import { until } from '../../test/support/until.ts'
import { Ledger } from './ledger.ts'
import { DRAFT_REST_MS, KEEP_USES_MS, TRIM_EVERY_MS } from './limits.ts'
import { openSpace } from './open.ts'
import { parsePin } from './pins.ts'
import { Reads } from './reads.ts'

const KIB = 1024
const folders: string[] = []
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true })
})

interface Bare {
  readonly blobs: BlobStore
  readonly reads: { readonly told: boolean; readonly by: Reads }
}

const stores: Record<string, () => Promise<Bare>> = {
  'slices in memory': async () => ({ blobs: slicedBlobStore(memoryObjectStore()), reads: { told: false, by: new Reads() } }),
  'a folder': async () => {
    const folder = await mkdtemp(join(tmpdir(), 'atoll-space-'))
    folders.push(folder)
    const reads = new Reads()
    return { blobs: fsBlobStore(folder, { reading: (digest) => reads.begin(digest) }), reads: { told: true, by: reads } }
  },
}

async function store(blobs: BlobStore, bytes: Uint8Array): Promise<Digest> {
  const draft = blobs.draft(`fill-${digestOf(bytes).slice(7, 39)}`)
  const writer = await draft.writer({ offset: 0, expected: bytes.length })
  await writer.write(bytes)
  await writer.close()
  await draft.commit(digestOf(bytes))
  return digestOf(bytes)
}

async function use(blobs: BlobStore, digest: Digest): Promise<void> {
  const body = await blobs.open(digest)
  if (body?.stream === undefined) throw new Error('it should be there')
  await read(body.stream)
}

/** A tag, as a pull leaves it in the records, of an index with one image of one layer. */
async function tagged(records: Records, name: string, tag: string, layer: Digest): Promise<void> {
  const repository = parseRepositoryName(name)
  const keep = async (mediaType: string, document: object) => {
    const bytes = new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, mediaType, ...document }))
    const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length }
    await records.keepManifest(repository, { bytes, descriptor })
    return descriptor
  }
  const part = (digest: Digest) => ({ mediaType: 'application/octet-stream', digest, size: 1 })
  const image = await keep(OCI_MANIFEST, { config: part(digestOf(new Uint8Array())), layers: [part(layer)] })
  const descriptor = await keep(OCI_INDEX, { manifests: [image] })
  await records.keepLease(repository, parseTag(tag), { descriptor, fetchedAt: 0 })
}

describe.each(Object.keys(stores))('a budget for %s', (name) => {
  async function opened(capacity: number, options: { bare?: Bare; records?: ObjectStore; pins?: string[]; capacity?: () => Promise<number> } = {}) {
    const bare = options.bare ?? (await stores[name]?.())
    if (bare === undefined) throw new Error('no such store')
    const clock = new TestClock()
    const records = options.records ?? memoryObjectStore()
    const spaced = await openSpace({
      blobs: bare.blobs,
      records,
      reads: bare.reads,
      capacity: options.capacity ?? (async () => capacity),
      pins: (options.pins ?? []).map(parsePin),
      clock,
      log: quiet,
    })
    return { bare, clock, objects: records, ...spaced }
  }
  const here = async ({ bare }: { bare: Bare }, ...digests: Digest[]) =>
    await Promise.all(digests.map(async (digest) => (await bare.blobs.stat(digest)) !== undefined))

  it('evicts what was used longest ago, not what was stored first', async () => {
    const space = await opened(300 * KIB)
    const [a, b, c] = [
      await store(space.blobs, someBytes(100 * KIB, 1)),
      await store(space.blobs, someBytes(100 * KIB, 2)),
      await store(space.blobs, someBytes(100 * KIB, 3)),
    ]
    await use(space.blobs, a)
    const d = await store(space.blobs, someBytes(100 * KIB, 4))
    expect(await here(space, a, b, c, d)).toEqual([true, false, true, true])
    expect(space.status()).toMatchObject({ stored: 300 * KIB, reserved: 0, evicted: 1, evictedBytes: 100 * KIB })
  })

  it('keeps what a reader follows who came while it was filled, also between two of his reads', async () => {
    const space = await opened(2_400 * KIB)
    const table = new FillTable({
      blobs: space.blobs,
      createHasher,
      clock: space.clock,
      log: quiet,
      limits: { windowBytes: KIB },
    })
    const [slow, next, last] = [1, 2, 3].map((seed) => someBytes(1_200 * KIB, seed)) as [Uint8Array<ArrayBuffer>, Uint8Array, Uint8Array]
    const body = await table.open({ digest: digestOf(slow), source: new TestSource({ bytes: slow }), confirmed: true })
    const reader = body?.stream.getReader()
    const first = (await reader?.read())?.value ?? new Uint8Array()
    await table.idle()
    // The window in memory is gone by now, and the file is open for one piece at a time.
    await store(space.blobs, next)
    await use(space.blobs, digestOf(next))
    await store(space.blobs, last)
    expect(await here(space, digestOf(slow), digestOf(next))).toEqual([true, false])
    const chunks = [first]
    for (let more = await reader?.read(); more?.done === false; more = await reader?.read()) chunks.push(more.value)
    expect(digestOf(Buffer.concat(chunks))).toBe(digestOf(slow))
    await until('nobody reads it any more', () => !space.bare.reads.by.has(digestOf(slow)))
    await use(space.blobs, digestOf(last))
    await store(space.blobs, next)
    expect(await here(space, digestOf(slow), digestOf(last)), 'nobody reads it any more').toEqual([false, true])
  })

  it('gives way without being asked, from its start, and knows how much it may have', async () => {
    const first = await opened(300 * KIB)
    const a = await store(first.blobs, someBytes(100 * KIB, 1))
    first.clock.advance(1_000)
    const [b, c] = [await store(first.blobs, someBytes(100 * KIB, 2)), await store(first.blobs, someBytes(100 * KIB, 3))]
    await first.run(AbortSignal.abort())
    let capacity = 250 * KIB
    const second = await opened(0, { bare: first.bare, records: first.objects, capacity: async () => capacity })
    const ending = new AbortController()
    const running = second.run(ending.signal)
    await until('it is within its budget', () => second.status().stored === 200 * KIB)
    expect([await here(second, a, b, c), second.status()]).toMatchObject([[false, true, true], { capacity, evicted: 1 }])
    // Somebody else fills the disk.
    capacity = 50 * KIB
    await until('it waits', () => second.clock.pending > 0)
    second.clock.advance(TRIM_EVERY_MS)
    await until('nothing is left', () => second.status().stored === 0)
    expect(await here(second, a, b, c)).toEqual([false, false, false])
    ending.abort()
    await running
  })

  it('remembers the last use over a restart', async () => {
    const first = await opened(300 * KIB)
    const [a, b] = [await store(first.blobs, someBytes(100 * KIB, 1)), await store(first.blobs, someBytes(100 * KIB, 2))]
    await store(first.blobs, someBytes(100 * KIB, 3))
    first.clock.advance(3_600_000)
    await use(first.blobs, a)
    await first.run(AbortSignal.abort())
    const second = await opened(300 * KIB, { bare: first.bare, records: first.objects })
    await store(second.blobs, someBytes(100 * KIB, 4))
    expect(await here(second, a, b)).toEqual([true, false])
  })

  it('writes nothing for a use until it is time to, and then a shard only once', async () => {
    const { blobs, clock, objects, run } = await opened(300 * KIB)
    const written: string[] = []
    const put = objects.put
    objects.put = async (key, body) => {
      written.push(key)
      await put.call(objects, key, body)
    }
    const a = await store(blobs, someBytes(1 * KIB, 1))
    const ending = new AbortController()
    const running = run(ending.signal)
    await clock.waitedFor(KEEP_USES_MS)
    for (let i = 0; i < 100; i++) await use(blobs, a)
    expect(written).toEqual([])
    clock.advance(KEEP_USES_MS)
    await clock.waitedFor(KEEP_USES_MS)
    // The blob's, and that of drafts.
    expect(written).toHaveLength(2)
    for (let i = 0; i < 100; i++) await use(blobs, a)
    ending.abort()
    await running
    // The use that is written down is young enough.
    expect(written).toHaveLength(2)
  })

  it('makes its ledger again from what is there', async () => {
    const first = await opened(300 * KIB)
    const a = await store(first.blobs, someBytes(100 * KIB, 1))
    const draft = first.blobs.draft('fill-half')
    const writer = await draft.writer({ offset: 0, expected: 300 * KIB - 100 * KIB })
    await writer.write(someBytes(50 * KIB, 2))
    await writer.close()
    const second = await opened(300 * KIB, { bare: first.bare })
    expect(second.status().stored).toBe(0)
    const ending = new AbortController()
    const running = second.run(ending.signal)
    await second.clock.waitedFor(KEEP_USES_MS)
    while (second.status().blobs < 2) await new Promise(setImmediate)
    expect(second.status().stored).toBe(100 * KIB + ((await second.bare.blobs.draft('fill-half').size()) ?? 0))
    ending.abort()
    await running
    await first.bare.blobs.delete(a)
    const third = await opened(300 * KIB, { bare: first.bare, records: second.objects })
    expect(third.status().blobs).toBe(2)
    const end = new AbortController()
    const looked = third.run(end.signal)
    while (third.status().blobs > 1) await new Promise(setImmediate)
    end.abort()
    await looked
  })

  it('never evicts what is being read', async () => {
    const space = await opened(7_500 * KIB)
    const large = (seed: number) => someBytes(3_000 * KIB, seed)
    const [a, b] = [await store(space.blobs, large(1)), await store(space.blobs, large(2))]
    const reader = (await space.blobs.open(a))?.stream?.getReader()
    await reader?.read()
    await use(space.blobs, b)
    const c = await store(space.blobs, large(3))
    expect(await here(space, a, b, c)).toEqual([true, false, true])
    await reader?.cancel()
    const d = await store(space.blobs, large(4))
    expect(await here(space, a, c, d)).toEqual([false, true, true])
  })

  it('keeps what a pin covers: the layers of its tags, or all of a repository', async () => {
    const space = await opened(300 * KIB, { pins: ['library/*', 'team/app:v*'] })
    const [a, b, c] = [
      await store(space.blobs, someBytes(90 * KIB, 1)),
      await store(space.blobs, someBytes(90 * KIB, 2)),
      await store(space.blobs, someBytes(90 * KIB, 3)),
    ]
    const records = new Records(space.records, 'origin.1', PULL_THROUGH_LIMITS)
    await tagged(records, 'team/app', 'v1', a)
    await tagged(records, 'team/app', 'latest', b)
    await records.keepLink(parseRepositoryName('library/nginx'), c, 90 * KIB)
    const d = await store(space.blobs, someBytes(90 * KIB, 4))
    expect(await here(space, a, b, c, d)).toEqual([true, false, true, true])
    const e = await store(space.blobs, someBytes(90 * KIB, 5))
    expect(await here(space, a, c, d, e)).toEqual([true, true, false, true])
  })

  it('keeps what a pin covers from the moment that it comes', async () => {
    const space = await opened(300 * KIB, { pins: ['team/app:v*'] })
    const fill = async (from: number) => {
      for (let seed = from; seed < from + 4; seed++) await store(space.blobs, someBytes(90 * KIB, seed))
    }
    await fill(10)
    expect(space.status().evicted).toBe(1)
    const pinned = await store(space.blobs, someBytes(90 * KIB, 1))
    await tagged(new Records(space.records, 'origin.1', PULL_THROUGH_LIMITS), 'team/app', 'v2', pinned)
    await fill(20)
    expect(await here(space, pinned)).toEqual([true])
  })

  it('refuses a writer that would not fit, and evicts nothing for it', async () => {
    const space = await opened(250 * KIB)
    const a = await store(space.blobs, someBytes(100 * KIB, 1))
    await expect(store(space.blobs, someBytes(300 * KIB, 2))).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(await here(space, a)).toEqual([true])
    expect(space.status()).toMatchObject({ refused: 1, evicted: 0, reserved: 0 })
  })

  it('counts what is promised, so that fills at the same time cannot take the same room', async () => {
    const space = await opened(250 * KIB)
    const writer = await space.blobs.draft('fill-1').writer({ offset: 0, expected: 200 * KIB })
    await expect(space.blobs.draft('fill-2').writer({ offset: 0, expected: 100 * KIB })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await writer.abort()
    await space.blobs.draft('fill-1').discard()
    await (await space.blobs.draft('fill-2').writer({ offset: 0, expected: 100 * KIB })).abort()
  })

  it('lets an abandoned draft age like a blob, but not in its first minute', async () => {
    const space = await opened(250 * KIB)
    const writer = await space.blobs.draft('fill-left').writer({ offset: 0, expected: 200 * KIB })
    await writer.write(someBytes(200 * KIB))
    await writer.close()
    await expect(store(space.blobs, someBytes(100 * KIB, 2))).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    space.clock.advance(DRAFT_REST_MS)
    const a = await store(space.blobs, someBytes(100 * KIB, 2))
    expect(await here(space, a)).toEqual([true])
    expect(await space.bare.blobs.draft('fill-left').size()).toBeUndefined()
  })

  it('has no entry for what is gone', async () => {
    const space = await opened(250 * KIB)
    const a = await store(space.blobs, someBytes(100 * KIB, 1))
    await space.bare.blobs.delete(a)
    expect(await space.blobs.open(a)).toBeUndefined()
    expect(space.status()).toMatchObject({ stored: 0, blobs: 0 })
  })
})

describe('the ledger', () => {
  it('takes a shard that cannot be read for an empty one', async () => {
    const records = memoryObjectStore()
    const clock = new TestClock()
    const ledger = await Ledger.open(records, clock)
    ledger.add('sha256:00', 5)
    ledger.add('sha256:01', 7)
    await ledger.keep()
    await records.put('space/00', new TextEncoder().encode('{"entries": [['))
    expect((await Ledger.open(records, clock)).bytes).toBe(7)
  })
})

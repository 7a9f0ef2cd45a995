import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Hasher } from '../registry/blob-store.ts'
import type { FillSource } from '../registry/fill/fills.ts'
import { FillTable } from '../registry/fill/index.ts'
import type { ObjectStore, SizedStream } from '../registry/object-store.ts'
import { parseDigest } from '../registry/spec/digests.ts'
import { parseRepositoryName } from '../registry/spec/names.ts'
import { contentRange, parseRange } from '../registry/spec/ranges.ts'
import { TestClock } from '../test/support/clock.ts'
import { quiet } from '../test/support/fill-source.ts'
import { memoryObjectStore } from './memory-object-store.ts'
import { slicedBlobStore } from './sliced-blob-store.ts'
import { borderAfter, parseSliceKey, runsOf, sliceKey, slicesOf } from './slices.ts'

const MIB = 1024 * 1024
const GIB = 1024 * MIB
const SIZE = 6 * GIB + 12_345
const DIGEST = parseDigest(`sha256:${'a'.repeat(64)}`)
/** What one PUT may bring to S3 and R2. */
const OBJECT_LIMIT = 5 * GIB
/** Keys that one listing or deleting takes. */
const PAGE_LIMIT = 1_000

/** Four bytes at each place that tell which place it is, in units of the chunk; so that a test sees a range from another place. */
function chunkAt(offset: number, length: number): Uint8Array {
  const chunk = new Uint8Array(length)
  new DataView(chunk.buffer).setFloat64(0, offset)
  return chunk
}

/** Keeps records, and of slices only how long they are and where each begins. */
function droppingStore() {
  const records = memoryObjectStore()
  const lengths = new Map<string, number>()
  let largest = 0
  const isSlice = (key: string) => key.startsWith('slices/')
  const objects: ObjectStore = {
    async put(key, body) {
      const size = body instanceof Uint8Array ? body.length : body.size
      largest = Math.max(largest, size)
      if (!isSlice(key)) return await records.put(key, body)
      if (!(body instanceof Uint8Array)) {
        let seen = 0
        for await (const chunk of body.stream) seen += chunk.length
        expect(seen).toBe(size)
      }
      lengths.set(key, size)
    },
    putIfAbsent: (key, body) => records.putIfAbsent(key, body),
    async get(key, range): Promise<SizedStream | undefined> {
      const length = lengths.get(key)
      if (length === undefined) return await records.get(key, range)
      const { offset, length: wanted } = range ?? { offset: 0, length }
      expect(offset + wanted).toBeLessThanOrEqual(length)
      const bytes = chunkAt((parseSliceKey(key)?.offset ?? 0) + offset, Math.max(8, wanted)).subarray(0, wanted)
      return { size: wanted, stream: new Blob([new Uint8Array(bytes)]).stream() }
    },
    stat: (key) => records.stat(key),
    async delete(keys) {
      expect(keys.length).toBeLessThanOrEqual(PAGE_LIMIT)
      for (const key of keys) lengths.delete(key)
      await records.delete(keys)
    },
    async list(prefix, page) {
      expect(page.limit).toBeLessThanOrEqual(PAGE_LIMIT)
      if (!isSlice(prefix)) return await records.list(prefix, page)
      const keys = [...lengths.keys()].filter((key) => key.startsWith(prefix) && key > (page.last ?? '')).sort()
      return { items: keys.slice(0, page.limit).map((key) => ({ key, size: lengths.get(key) ?? 0 })), more: keys.length > page.limit }
    },
  }
  return { objects, records, lengths, largest: () => largest }
}

describe('a layer of 6 GiB', () => {
  it('is filled into objects far below the limit of one, found by ranges beyond 2^32, and deleted without a rest', async () => {
    const store = droppingStore()
    const blobs = slicedBlobStore(store.objects)
    let sent = 0
    const source: FillSource = {
      id: 'test',
      name: 'upstream.test',
      repository: parseRepositoryName('library/app'),
      stat: async () => ({ size: SIZE }),
      async open() {
        const chunk = new Uint8Array(MIB)
        let position = 0
        const stream = new ReadableStream<Uint8Array>(
          {
            pull(controller) {
              const next = chunk.subarray(0, Math.min(MIB, SIZE - position))
              position += next.length
              sent += next.length
              if (next.length > 0) controller.enqueue(next)
              else controller.close()
            },
          },
          { highWaterMark: 0 },
        )
        return { size: SIZE, stream }
      },
    }
    // The hash of 6 GiB would take its time, and is not what this is about.
    const hasher: Hasher = { update() {}, digest: () => DIGEST, copy: () => hasher }
    const createHasher = () => hasher
    const table = new FillTable({ blobs, createHasher, clock: new TestClock(), log: quiet })
    const body = await table.open({ digest: DIGEST, source, confirmed: true })
    let got = 0
    for await (const chunk of body?.stream ?? []) got += chunk.length
    await table.idle()
    expect([got, sent]).toEqual([SIZE, SIZE])
    expect(await blobs.stat(DIGEST)).toEqual({ size: SIZE })
    expect(store.largest()).toBeLessThan(OBJECT_LIMIT / 100)
    expect([...store.lengths.values()].reduce((sum, length) => sum + length, 0)).toBe(SIZE)
    expect((await store.records.stat(`blobs/sha256/${'a'.repeat(64)}`))?.size).toBeLessThan(64 * 1024)
    const offset = 5 * GIB + 3
    const part = await blobs.open(DIGEST, { offset, length: 64 })
    const bytes = new Uint8Array(await new Response(part?.stream).arrayBuffer())
    expect(new DataView(bytes.buffer).getFloat64(0)).toBe(offset)
    expect(await blobs.delete(DIGEST)).toBe(true)
    expect(store.lengths.size).toBe(0)
  }, 120_000)
})

describe('numbers beyond 2^32', () => {
  const size = fc.integer({ min: 1, max: 2 ** 45 })

  it('come through Range and Content-Range as they are', () => {
    fc.assert(
      fc.property(size, fc.double({ min: 0, max: 0.999, noNaN: true }), fc.integer({ min: 1, max: 2 ** 40 }), (whole, at, length) => {
        const offset = Math.floor(at * whole)
        const range = parseRange(`bytes=${offset}-${offset + length - 1}`, whole)
        expect(range).toEqual({ offset, length: Math.min(length, whole - offset) })
        if (range !== undefined) expect(contentRange(range, whole)).toBe(`bytes ${offset}-${offset + range.length - 1}/${whole}`)
      }),
    )
  })

  it('are cut into slices that follow one another, none larger than 8 MiB, and named in the order of their offsets', () => {
    fc.assert(
      fc.property(size, (offset) => {
        const border = borderAfter(offset)
        expect(border).toBeGreaterThan(offset)
        expect(border - offset).toBeLessThanOrEqual(8 * MIB)
        // From a border on, the next one does not depend on how one came there.
        expect(borderAfter(border - 1)).toBe(border)
        const [here, there] = [sliceKey('u', offset, 'w'), sliceKey('u', border, 'w')]
        expect(here < there).toBe(true)
        expect(parseSliceKey(here)?.offset).toBe(offset)
        const index = { unique: 'u', size: border, runs: [{ writer: 'w', cuts: [0, offset] }] }
        const slices = slicesOf(index)
        expect(runsOf(slices)).toEqual(index.runs)
        expect(slices.reduce((sum, { length }) => sum + length, 0)).toBe(border)
      }),
    )
  })
})

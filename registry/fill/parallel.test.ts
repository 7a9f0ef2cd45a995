import { describe, expect, it } from 'vitest'
import { createHasher } from '../../stores/hasher.ts'
import { memoryObjectStore } from '../../stores/memory-object-store.ts'
import { slicedBlobStore } from '../../stores/sliced-blob-store.ts'
import { TestClock } from '../../test/support/clock.ts'
import { digestOf, quiet, read, SEVERAL_CONNECTIONS, someBytes, TestSource } from '../../test/support/fill-source.ts'
import type { FillLimits } from './limits.ts'
import { FillTable } from './table.ts'

const KIB = 1024
const SIZE = 6_000_000

/** Brings a blob by connections that each give a chunk a turn, so much of the time having gone by. */
async function brought(limits: Partial<FillLimits>, msForChunk: number, { ranges = true, set = 0 } = {}) {
  const bytes = someBytes(SIZE)
  const clock = new TestClock()
  const blobs = slicedBlobStore(memoryObjectStore())
  let most = 0
  let atFirstByte = 0
  let isSet = false
  const open = new Set<object>()
  const source = new TestSource({
    bytes,
    ranges,
    before: async (asked, chunk) => {
      open.add(asked)
      most = Math.max(most, open.size)
      await new Promise((resolve) => setImmediate(resolve))
      clock.advance(msForChunk)
      if (!isSet) clock.set(set)
      isSet = true
      if (asked.sent + chunk.length >= (ranges ? (asked.range?.length ?? SIZE) : SIZE)) open.delete(asked)
      if (asked.signal.aborted) open.delete(asked)
      return chunk
    },
  })
  const table = new FillTable({ blobs, createHasher, clock, log: quiet, limits: { ...SEVERAL_CONNECTIONS, ...limits } })
  const body = await table.open({ digest: digestOf(bytes), source, confirmed: true })
  atFirstByte = source.asked.length
  expect(digestOf(await read(body?.stream ?? new ReadableStream()))).toBe(digestOf(bytes))
  await table.idle()
  expect(await blobs.stat(digestOf(bytes))).toEqual({ size: SIZE })
  expect((await blobs.drafts({ limit: 10 })).items).toEqual([])
  return { most, source, atFirstByte }
}

describe('a large blob from a source that gives little by one connection', () => {
  it('comes by several, no byte of it twice, once it has begun', async () => {
    const { most, source, atFirstByte } = await brought({ slowBytesPerSecond: 16_000_000 }, 10)
    expect(atFirstByte).toBe(1)
    expect(most).toBeGreaterThanOrEqual(3)
    // One that is broken off counts until its next chunk.
    expect(most).toBeLessThanOrEqual(5)
    expect(source.bytesSent).toBeLessThanOrEqual(SIZE + 2 * 16 * KIB)
  })

  it('comes by one where that is fast, or where no more are wanted', async () => {
    expect((await brought({ slowBytesPerSecond: 100_000 }, 10)).source.asked).toHaveLength(1)
    expect((await brought({ slowBytesPerSecond: 16_000_000, connections: 1 }, 10)).source.asked).toHaveLength(1)
    expect((await brought({ slowBytesPerSecond: 16_000_000, largeBytes: SIZE + 1 }, 10)).source.asked).toHaveLength(1)
  })

  it.each([3_600_000, -3_600_000])('is judged by the time that passes, though somebody sets the clock by %d ms meanwhile', async (set) => {
    expect((await brought({ slowBytesPerSecond: 100_000 }, 10, { set })).source.asked).toHaveLength(1)
    expect((await brought({ slowBytesPerSecond: 16_000_000 }, 10, { set })).most).toBeGreaterThanOrEqual(3)
  })

  it('comes by one where the source does not do ranges', async () => {
    const { source } = await brought({ slowBytesPerSecond: 16_000_000 }, 10, { ranges: false })
    expect(source.bytesSent).toBeLessThanOrEqual(SIZE + 4 * 16 * KIB)
  })
})

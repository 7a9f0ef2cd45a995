import { describe, expect, it } from 'vitest'
import { createHasher } from '../../stores/hasher.ts'
import { memoryObjectStore } from '../../stores/memory-object-store.ts'
import { slicedBlobStore } from '../../stores/sliced-blob-store.ts'
import { TestClock } from '../../test/support/clock.ts'
import { digestOf, quiet, read, someBytes, TestSource, type TestSourceOptions } from '../../test/support/fill-source.ts'
import { full } from '../../test/support/full-store.ts'
import type { FillRequest } from './fills.ts'
import { FILL_LIMITS, type FillLimits } from './limits.ts'
import { FillTable } from './table.ts'

const KIB = 1024
const SIZE = 2_000_000
const LIMITS = { windowBytes: 64 * KIB, windowLimit: 128 * KIB, tailBytes: 8 * KIB, ownRangeBytes: 300_000 }

/** A blob that no store has room for, and everything around it. */
function world({ limits, ...options }: Partial<TestSourceOptions> & { readonly limits?: Partial<FillLimits> } = {}) {
  const bytes = someBytes(SIZE)
  const digest = digestOf(bytes)
  const clock = new TestClock()
  const source = new TestSource({ bytes, chunk: 8 * KIB, ...options })
  const blobs = full(slicedBlobStore(memoryObjectStore()), 0)
  const table = new FillTable({ blobs, createHasher, clock, log: quiet, limits: { ...LIMITS, ...limits } })
  const open = async (rest: Partial<FillRequest> = {}) => {
    const body = await table.open({ digest, source, confirmed: true, ...rest })
    if (body === undefined) throw new TypeError('the source has it')
    return body.stream.getReader()
  }
  return { bytes, digest, clock, source, table, open }
}

type Reader = ReadableStreamDefaultReader<Uint8Array>

async function rest(reader: Reader, before: readonly Uint8Array[] = []): Promise<Uint8Array> {
  const parts = [...before]
  for (let next = await reader.read(); !next.done; next = await reader.read()) parts.push(next.value)
  return await read(new Blob(parts.map((part) => new Uint8Array(part))).stream())
}

/** Reads so much, and stands still. */
async function some(reader: Reader, bytes: number): Promise<Uint8Array[]> {
  const parts: Uint8Array[] = []
  for (let got = 0; got < bytes; ) {
    const { value = new Uint8Array() } = await reader.read()
    parts.push(value)
    got += value.length
  }
  return parts
}

describe('a blob that cannot be stored', () => {
  it('comes whole to everybody, each at a speed of their own, and is fetched anew only from where they fell behind', async () => {
    const { digest, table, source, open } = world()
    const stops = [0, 10_000, 200_000, 900_000]
    const fast = await open()
    const slow = await Promise.all(stops.map(() => open()))
    const [ahead, ...parts] = await Promise.all([some(fast, 1_000_000), ...slow.map((reader, index) => some(reader, stops[index] ?? 0))])
    expect(digestOf(await rest(fast, ahead))).toBe(digest)
    const missing = parts.map((had) => had.reduce((left, { length }) => left - length, SIZE))
    for (const [index, reader] of slow.entries()) expect(digestOf(await rest(reader, parts[index]))).toBe(digest)
    expect(table.counters.behind).toBe(stops.length)
    expect(source.bytesSent).toBe(missing.reduce((sum, bytes) => sum + bytes, SIZE))
    await table.idle()
    expect(table.counters.unstored).toBe(1)
  })

  it('gives those who are behind the rest though the fastest leaves, and fetches nothing for nobody', async () => {
    const { digest, table, source, open } = world()
    const [slow, fast] = [await open(), await open()]
    const parts = await some(slow, 50_000)
    await some(fast, 700_000)
    await fast.cancel()
    expect(digestOf(await rest(slow, parts))).toBe(digest)
    await table.idle()
    expect(table.counters.abandoned).toBe(1)
    expect(source.bytesSent).toBeLessThan(700_000 + SIZE + 2 * LIMITS.windowLimit)
  })

  it('gives a range that falls behind to its end', async () => {
    const { bytes, digest, open } = world()
    const range = { offset: 20_000, length: 800_000 }
    const [fast, slow] = [await open(), await open({ range })]
    const parts = await some(slow, 30_000)
    expect(digestOf(await rest(fast))).toBe(digest)
    expect(digestOf(await rest(slow, parts))).toBe(digestOf(bytes.subarray(20_000, 820_000)))
  })

  it('completes no wrong answer when the source lies to who fell behind', async () => {
    const { digest, source, open } = world({
      before: (asked, chunk) => (asked === source.asked[0] || asked.sent > 8 * KIB ? chunk : chunk.map((byte) => byte ^ 1)),
    })
    const [slow, fast] = [await open(), await open()]
    const parts = await some(slow, 50_000)
    expect(digestOf(await rest(fast))).toBe(digest)
    await expect(rest(slow, parts)).rejects.toMatchObject({ code: 'UPSTREAM_INVALID' })
  })

  it('is asked for by so many at once, and who waits for a turn gets it or is told in time', async () => {
    const { digest, clock, source, table, open } = world({ limits: { ownRanges: 1 } })
    const [first, second, third, fast] = [await open(), await open(), await open(), await open()]
    const parts = await Promise.all([first, second, third].map(async (reader) => await some(reader, 10_000)))
    expect(digestOf(await rest(fast))).toBe(digest)
    parts[0]?.push(...(await some(first, 20_000)))
    const waits = second.read()
    const outcome = waits.then(
      () => 'came',
      (error: { code: string }) => error.code,
    )
    await new Promise((resolve) => setImmediate(resolve))
    expect(source.asked).toHaveLength(2)
    clock.advance(FILL_LIMITS.ownRangeWaitMs)
    expect(await outcome).toBe('UNAVAILABLE')
    // The turn goes on after each part, and when its holder leaves.
    const thirds = rest(third, parts[2])
    await first.cancel()
    expect(digestOf(await thirds)).toBe(digest)
    expect(table.counters.behind).toBe(3)
  })

  it('keeps no turn for a client that has stopped reading', async () => {
    const { digest, clock, open } = world({ limits: { ownRanges: 1, ownRangeWaitMs: 10 * 60_000_000 } })
    const [stalled, other, fast] = [await open(), await open(), await open()]
    const parts = await Promise.all([stalled, other].map(async (reader) => await some(reader, 10_000)))
    expect(digestOf(await rest(fast))).toBe(digest)
    await some(stalled, 20_000)
    const others = rest(other, parts[1])
    await new Promise((resolve) => setImmediate(resolve))
    clock.advance(FILL_LIMITS.totalMs + (LIMITS.ownRangeBytes / FILL_LIMITS.bytesPerSecond) * 1000)
    expect(digestOf(await others)).toBe(digest)
    await expect(rest(stalled)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })
})

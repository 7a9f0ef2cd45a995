import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createHasher } from '../../stores/hasher.ts'
import { memoryObjectStore } from '../../stores/memory-object-store.ts'
import { slicedBlobStore } from '../../stores/sliced-blob-store.ts'
import { TestClock } from '../../test/support/clock.ts'
import { digestOf, quiet, read, someBytes, TestSource } from '../../test/support/fill-source.ts'
import { full } from '../../test/support/full-store.ts'
import { FILL_LIMITS } from './limits.ts'
import { FillTable } from './table.ts'

const CHUNK = 4_096
const SLICE = 256 * 1024
const LIMITS = {
  tailBytes: 2_000,
  windowBytes: 8_192,
  windowLimit: 4 * 1024 * 1024,
  progressBytes: CHUNK,
  backoffMs: 0,
  attempts: 3,
  aheadBytes: 30_000,
  rangeBytes: 10_000,
  passOverBytes: CHUNK,
  finishBytes: CHUNK,
  abandonBytes: 20_000,
  abandonShare: 0.3,
  lingerMs: 0,
}

const trouble = fc.record({
  /** After this share of the blob; the answers come in the order of the requests. */
  after: fc.double({ min: 0, max: 1, noNaN: true }),
  what: fc.constantFrom('cut' as const, 'stall' as const, 'lie' as const, 'lie' as const, 'none' as const),
})

const client = fc.record({
  /** After so many turns of the event loop. */
  arrives: fc.nat(30),
  /** Of the blob's size. */
  from: fc.option(fc.double({ min: 0, max: 0.9, noNaN: true }), { nil: undefined, freq: 1 }),
  share: fc.double({ min: 0.1, max: 1, noNaN: true }),
  leavesAfter: fc.option(fc.nat(150_000), { nil: undefined, freq: 1 }),
  /** Turns between two reads. */
  pause: fc.nat(4),
})

const schedule = fc.record({
  size: fc.oneof(fc.constantFrom(0, 1, 1_999, 2_000, 2_001), fc.integer({ min: 50_000, max: 400_000 })),
  troubles: fc.array(trouble, { minLength: 1, maxLength: 4 }),
  clients: fc.array(client, { minLength: 1, maxLength: 8 }),
  restartAfter: fc.option(fc.nat(40), { nil: undefined, freq: 1 }),
  /** The store takes no more after so many bytes. */
  diskFullAfter: fc.option(fc.nat(300_000), { nil: undefined, freq: 1 }),
})

describe('a fill, whatever comes', () => {
  it('completes no wrong answer, asks for no byte twice, holds no more than its window, and leaves the blob or nothing', async () => {
    await fc.assert(
      fc.asyncProperty(schedule, async ({ size, troubles, clients, restartAfter, diskFullAfter }) => {
        const bytes = someBytes(size)
        const digest = digestOf(bytes)
        const honest = troubles.every(({ what }) => what !== 'lie')
        const clock = new TestClock()
        const whole = slicedBlobStore(memoryObjectStore())
        const blobs = diskFullAfter === undefined ? whole : full(whole, diskFullAfter)
        const source = new TestSource({
          bytes,
          chunk: CHUNK,
          before: async (asked, chunk) => {
            const due = troubles[source.asked.indexOf(asked)]
            await turns(1)
            if (due === undefined || asked.sent < due.after * size) return chunk
            if (due.what === 'cut') throw new TypeError('terminated')
            if (due.what === 'lie') return chunk.map((byte) => byte ^ 1)
            if (due.what === 'none') return chunk
            setImmediate(() => clock.advance(FILL_LIMITS.stallMs))
            return new Promise(() => {})
          },
        })
        const begun = () => new FillTable({ blobs, createHasher, clock, log: quiet, limits: LIMITS })
        let table = begun()
        let most = 0

        const running = clients.map(async ({ arrives, from, share, leavesAfter, pause }) => {
          await turns(arrives)
          const offset = Math.floor((from ?? 0) * size)
          const range = from === undefined || size === 0 ? undefined : { offset, length: Math.max(1, Math.floor((size - offset) * share)) }
          const parts: Uint8Array[] = []
          let got = 0
          try {
            const body = (await blobs.open(digest, range)) ?? (await table.open({ digest, range, source, confirmed: true }))
            if (body?.stream === undefined) throw new TypeError('the source has it')
            const reader = body.stream.getReader()
            for (let next = await reader.read(); !next.done; next = await reader.read()) {
              most = Math.max(most, table.bytesHeld)
              parts.push(next.value)
              got += next.value.length
              if (leavesAfter !== undefined && got > leavesAfter) return await reader.cancel()
              await turns(pause)
            }
          } catch (error) {
            // An answer that was cut off promises nothing; a fault of ours would be of another class.
            expect(error).toMatchObject({ name: 'RegistryError' })
            return
          }
          if (!honest && range !== undefined) return
          const expected = range ? bytes.subarray(range.offset, range.offset + range.length) : bytes
          expect(digestOf(await read(new Blob(parts.map((part) => new Uint8Array(part))).stream()))).toBe(digestOf(expected))
        })
        const restart = async () => {
          if (restartAfter === undefined) return
          await turns(restartAfter)
          const old = table
          await old.close()
          table = begun()
        }
        await Promise.all([...running, restart()])
        await table.idle()

        expect(table.bytesHeld).toBe(0)
        expect(most).toBeLessThanOrEqual(SLICE * 2 + LIMITS.windowBytes + CHUNK)
        const kept = await blobs.open(digest)
        if (kept?.stream !== undefined) expect(digestOf(await read(kept.stream))).toBe(digest)
        if (honest && diskFullAfter === undefined) {
          // Each end before the blob's costs at most what was not yet stored of one slice, and a chunk under way.
          const ends = source.asked.length - 1
          expect(source.bytesSent).toBeLessThanOrEqual(size + Math.max(0, ends) * (SLICE * 2 + CHUNK))
        }
      }),
      { numRuns: 300 },
    )
  })

  it('cuts nobody off and asks once when the disk is full and the client is slow', async () => {
    const bytes = someBytes(500_000)
    const blobs = full(slicedBlobStore(memoryObjectStore()), 100_000)
    const source = new TestSource({ bytes, chunk: CHUNK })
    const table = new FillTable({ blobs, createHasher, clock: new TestClock(), log: quiet, limits: LIMITS })
    const body = await table.open({ digest: digestOf(bytes), source, confirmed: true })
    const parts: Uint8Array<ArrayBuffer>[] = []
    for await (const part of body?.stream ?? []) {
      parts.push(new Uint8Array(part))
      await turns(3)
    }
    expect(digestOf(await read(new Blob(parts).stream()))).toBe(digestOf(bytes))
    expect(source.asked).toHaveLength(1)
    await table.idle()
    expect(table.counters.unstored).toBe(1)
    expect(await blobs.stat(digestOf(bytes))).toBeUndefined()
    expect((await blobs.drafts({ limit: 10 })).items).toEqual([])
  })

  it('stops when nobody wants it and much is left, and goes on later where it was', async () => {
    const bytes = someBytes(3_000_000)
    const blobs = slicedBlobStore(memoryObjectStore())
    const source = new TestSource({ bytes, chunk: CHUNK })
    const table = new FillTable({ blobs, createHasher, clock: new TestClock(), log: quiet, limits: LIMITS })
    const first = await table.open({ digest: digestOf(bytes), source, confirmed: true })
    const reader = first?.stream.getReader()
    for (let got = 0; got < 1_000_000; ) got += (await reader?.read())?.value?.length ?? 0
    await reader?.cancel()
    await table.idle()
    expect(table.counters.abandoned).toBe(1)
    const again = await table.open({ digest: digestOf(bytes), source, confirmed: true })
    expect(digestOf(await read(again?.stream ?? new ReadableStream()))).toBe(digestOf(bytes))
    expect(table.counters.resumed).toBe(1)
    // What had come of the slice that was under way is all that may come twice.
    expect(source.bytesSent).toBeLessThan(bytes.length + 2 * 1024 * 1024)
  })
})

/** Lets everything else go on so often. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve))
}

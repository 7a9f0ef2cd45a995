import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { fsBlobStore } from '../../stores/fs-blob-store.ts'
import { createHasher } from '../../stores/hasher.ts'
import { memoryObjectStore } from '../../stores/memory-object-store.ts'
import { slicedBlobStore } from '../../stores/sliced-blob-store.ts'
import { TestClock } from '../../test/support/clock.ts'
import { type Asked, digestOf, quiet, read, someBytes, TestSource } from '../../test/support/fill-source.ts'
import type { BlobStore } from '../blob-store.ts'
import type { ByteRange } from '../spec/ranges.ts'
import type { FillLimits } from './limits.ts'
import { FillTable } from './table.ts'

const KIB = 1024
const SIZE = 4_000_000
const LIMITS = { aheadBytes: 500_000, rangeBytes: 100_000, passOverBytes: 50_000, finishBytes: 50_000 }
const folders: string[] = []

afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true })
})

const stores: Record<string, () => Promise<BlobStore>> = {
  'slices in memory': async () => slicedBlobStore(memoryObjectStore()),
  'a folder': async () => {
    const folder = await mkdtemp(join(tmpdir(), 'atoll-fill-'))
    folders.push(folder)
    return fsBlobStore(folder)
  },
}

describe.each(Object.keys(stores))('ranges far ahead of a fill into %s', (name) => {
  const open = stores[name] ?? (() => Promise.reject(new Error('no such store')))
  const bytes = someBytes(SIZE)
  const digest = digestOf(bytes)
  const part = ({ offset, length }: ByteRange) => digestOf(bytes.subarray(offset, offset + length))
  const tableOver = (blobs: BlobStore, limits: Partial<FillLimits> = {}) =>
    new FillTable({ blobs, createHasher, clock: new TestClock(), log: quiet, limits: { ...LIMITS, ...limits } })
  const opened = async (table: FillTable, source: TestSource, range: ByteRange) => {
    const body = await table.open({ digest, source, confirmed: true, range })
    if (body === undefined) throw new Error('the blob should be there')
    expect(body).toMatchObject({ size: SIZE, range })
    return body.stream
  }
  /** A source that holds back what a fill asks for in order, until it is let go. */
  const held = (rest: Partial<ConstructorParameters<typeof TestSource>[0]> = {}) => {
    const gate = Promise.withResolvers<void>()
    const source = new TestSource({
      bytes,
      ...rest,
      before: async (asked, chunk) => {
        if ((asked.range?.offset ?? 0) === 0) await gate.promise
        return rest.before ? await rest.before(asked, chunk) : chunk
      },
    })
    return { source, release: () => gate.resolve() }
  }

  it('come at once, are kept, and are never asked for again', async () => {
    const blobs = await open()
    const { source, release } = held()
    const table = tableOver(blobs)
    const range = { offset: 2_000_000, length: 500_000 }
    expect(digestOf(await read(await opened(table, source, range)))).toBe(part(range))
    expect(digestOf(await read(await opened(table, source, { offset: 2_100_000, length: 1_000 })))).toBe(part({ offset: 2_100_000, length: 1_000 }))
    release()
    await table.idle()
    const starts = source.asked.map((asked: Asked) => asked.range?.offset).sort((a = 0, b = 0) => a - b)
    expect(starts).toEqual([0, 500_000, 1_000_000, 1_500_000, 2_000_000, 2_500_000, 3_000_000, 3_500_000])
    expect(source.bytesSent).toBe(SIZE)
    expect(digestOf(await read((await blobs.open(digest))?.stream ?? new ReadableStream()))).toBe(digest)
    expect((await blobs.drafts({ limit: 10 })).items).toEqual([])
  })

  it('break off an answer that is flowing, where what is kept is worth it', async () => {
    const gate = Promise.withResolvers<void>()
    const source = new TestSource({
      bytes,
      before: async (asked, chunk) => {
        if (asked.range === undefined && asked.sent >= 64 * KIB) await gate.promise
        return chunk
      },
    })
    const table = tableOver(await open())
    const whole = await table.open({ digest, source, confirmed: true })
    const range = { offset: 3_000_000, length: 500_000 }
    expect(digestOf(await read(await opened(table, source, range)))).toBe(part(range))
    gate.resolve()
    expect(digestOf(await read(whole?.stream ?? new ReadableStream()))).toBe(digest)
    await table.idle()
    // What was in hand when it was broken off.
    expect(source.bytesSent).toBeLessThanOrEqual(SIZE + 2 * 16 * KIB)
  })

  it('cost no byte twice, however small and in whatever order they come while nobody follows the whole', async () => {
    const ahead = 256 * KIB
    const { source, release } = held()
    const table = tableOver(await open(), { aheadBytes: ahead })
    // The farthest first: the fill has asked already when the others come.
    for (let offset = SIZE - 300_000; offset > ahead; offset -= 330_000) {
      const range = { offset, length: 20_000 }
      expect(digestOf(await read(await opened(table, source, range)))).toBe(part(range))
    }
    release()
    await table.idle()
    expect(source.bytesSent).toBe(SIZE)
  })

  it('are shared by all who want the same, and asked for in parts where they overlap', async () => {
    const { source, release } = held()
    const table = tableOver(await open())
    const ranges = Array.from({ length: 40 }, (_, index) => ({ offset: 1_000_000 + (index % 10) * 200_000, length: 500_000 }))
    const all = ranges.map(async (range) => expect(digestOf(await read(await opened(table, source, range)))).toBe(part(range)))
    await Promise.all(all)
    release()
    await table.idle()
    expect(source.bytesSent).toBe(SIZE)
    expect(table.counters.bytesDirect).toBeLessThan(SIZE)
  })

  it('are bounded in number: who comes too many waits for a turn', async () => {
    let now = 0
    let most = 0
    const { source, release } = held({
      answer: () => {
        now++
        most = Math.max(most, now)
        return 'usual'
      },
      before: async (asked, chunk) => {
        if (asked.sent + chunk.length >= (asked.range?.length ?? SIZE)) now--
        return chunk
      },
    })
    const table = tableOver(await open(), { rangesAtOnce: 2, rangeBytes: 1 })
    const ranges = Array.from({ length: 20 }, (_, index) => ({ offset: 1_000_000 + index * 120_000, length: 60_000 }))
    await Promise.all(ranges.map(async (range) => expect(digestOf(await read(await opened(table, source, range)))).toBe(part(range))))
    release()
    await table.idle()
    // The fill's own answer is one of them.
    expect(most).toBeLessThanOrEqual(3)
    expect(source.bytesSent).toBe(SIZE)
  })

  it('wait for the whole to be right where they lie in its last piece', async () => {
    const { source, release } = held()
    const table = tableOver(await open())
    const range = { offset: SIZE - 1_000, length: 1_000 }
    let answered = false
    const body = opened(table, source, range).then((stream) => {
      answered = true
      return read(stream)
    })
    await read(await opened(table, source, { offset: 2_000_000, length: 1_000 }))
    expect(answered).toBe(false)
    release()
    expect(digestOf(await body)).toBe(part(range))
    await table.idle()
  })

  it('end with the fill that finds the whole wrong, and nothing of them stays', async () => {
    const blobs = await open()
    const { source, release } = held({ before: (asked, chunk) => (asked.range?.offset === 2_000_000 ? chunk.map((byte) => byte ^ 1) : chunk) })
    const table = tableOver(blobs)
    const reader = (await opened(table, source, { offset: 2_000_000, length: SIZE - 2_000_000 })).getReader()
    await reader.read()
    release()
    await expect(
      (async () => {
        while (!(await reader.read()).done);
      })(),
    ).rejects.toMatchObject({ code: 'UPSTREAM_INVALID' })
    await table.idle()
    // The second try was honest all through: it asked for everything in order.
    expect(digestOf(await read((await blobs.open(digest))?.stream ?? new ReadableStream()))).toBe(digest)
    expect((await blobs.drafts({ limit: 10 })).items).toEqual([])
  })

  it('are left to the fill by a source that does not do ranges', async () => {
    const { source, release } = held({ ranges: false })
    const table = tableOver(await open())
    const range = { offset: 2_000_000, length: 500_000 }
    const body = opened(table, source, range).then(read)
    release()
    expect(digestOf(await body)).toBe(part(range))
    await table.idle()
    expect(source.bytesSent).toBeLessThanOrEqual(SIZE * 2)
  })

  it('are taken up by the next process', async () => {
    const blobs = await open()
    const range = { offset: 3_000_000, length: 500_000 }
    const gate = new Promise<never>(() => {})
    const source = new TestSource({
      bytes,
      before: async ({ range: part, sent }, chunk) => {
        const offset = part?.offset ?? 0
        return offset < range.offset && offset + sent >= 1_500_000 ? await gate : chunk
      },
    })
    const before = tableOver(blobs)
    await read(await opened(before, source, range))
    const first = await table1(before, source)
    await before.close()
    await first.cancel().catch(() => undefined)

    const again = new TestSource({ bytes })
    const table = tableOver(blobs)
    const whole = await table.open({ digest, source: again, confirmed: true })
    expect(digestOf(await read(whole?.stream ?? new ReadableStream()))).toBe(digest)
    await table.idle()
    expect(again.asked.map((asked) => (asked.range?.offset ?? 0) + (asked.range?.length ?? SIZE))).toEqual([range.offset, SIZE])
    expect(again.bytesSent).toBeLessThanOrEqual(SIZE - range.length - 700_000)
    expect((await blobs.drafts({ limit: 10 })).items).toEqual([])
  })

  /** Reads until the fill has come far enough to have stored something. */
  async function table1(table: FillTable, source: TestSource) {
    const reader = (await opened(table, source, { offset: 0, length: 1_400_000 })).getReader()
    while (!(await reader.read()).done);
    return reader
  }

  it('go on with what is left when the source breaks off, without a byte twice', async () => {
    let cuts = 0
    const { source, release } = held({
      before: (asked, chunk) => {
        if (asked.range !== undefined && asked.range.offset > 0 && asked.sent > 200_000 && cuts++ < 1) throw new TypeError('terminated')
        return chunk
      },
    })
    const table = tableOver(await open())
    const range = { offset: 2_000_000, length: 900_000 }
    expect(digestOf(await read(await opened(table, source, range)))).toBe(part(range))
    release()
    await table.idle()
    expect(source.bytesSent).toBe(SIZE)
  })

  it('stop when nobody reads them any more; the fill asks for the rest', async () => {
    const blobs = await open()
    const gate = Promise.withResolvers<void>()
    const { source, release } = held({
      before: async (asked, chunk) => {
        if (asked.range?.offset === 1_000_000 && asked.sent >= 300_000) await gate.promise
        return chunk
      },
    })
    const table = tableOver(blobs, { finishBytes: 0 })
    const reader = (await opened(table, source, { offset: 1_000_000, length: 2_000_000 })).getReader()
    for (let got = 0; got < 250_000; ) got += (await reader.read()).value?.length ?? 0
    await reader.cancel()
    gate.resolve()
    release()
    await table.idle()
    expect(digestOf(await read((await blobs.open(digest))?.stream ?? new ReadableStream()))).toBe(digest)
    // What had come of a slice that was not whole.
    expect(source.bytesSent).toBeLessThanOrEqual(SIZE + 256 * KIB)
  })
})

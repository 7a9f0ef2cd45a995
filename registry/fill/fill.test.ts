import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { fsBlobStore } from '../../stores/fs-blob-store.ts'
import { createHasher } from '../../stores/hasher.ts'
import { memoryObjectStore } from '../../stores/memory-object-store.ts'
import { slicedBlobStore } from '../../stores/sliced-blob-store.ts'
import { TestClock } from '../../test/support/clock.ts'
import { digestOf, quiet, read, someBytes, TestSource } from '../../test/support/fill-source.ts'
import type { BlobStore } from '../blob-store.ts'
import { RegistryError } from '../spec/errors.ts'
import type { FillRequest } from './fills.ts'
import type { FillLimits } from './limits.ts'
import { FillTable } from './table.ts'

const KIB = 1024
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

function tableOver(blobs: BlobStore, limits: Partial<FillLimits> = {}) {
  const clock = new TestClock()
  return { clock, table: new FillTable({ blobs, createHasher, clock, log: quiet, limits }) }
}

function request(source: TestSource, bytes: Uint8Array, rest: Partial<FillRequest> = {}): FillRequest {
  return { digest: digestOf(bytes), source, confirmed: true, ...rest }
}

async function opened(table: FillTable, asked: FillRequest) {
  const body = await table.open(asked)
  if (body === undefined) throw new Error('the blob should be there')
  return body
}

describe.each(Object.keys(stores))('a fill into %s', (name) => {
  const open = stores[name] ?? (() => Promise.reject(new Error('no such store')))

  it('gives the first client the blob and keeps it', async () => {
    const blobs = await open()
    const bytes = someBytes(3_000_000)
    const source = new TestSource({ bytes })
    const { table } = tableOver(blobs)
    const body = await opened(table, request(source, bytes))
    expect(body.size).toBe(bytes.length)
    expect(digestOf(await read(body.stream))).toBe(digestOf(bytes))
    await table.idle()
    expect(await blobs.stat(digestOf(bytes))).toEqual({ size: bytes.length })
    expect(source.asked).toHaveLength(1)
    expect(source.bytesSent).toBe(bytes.length)
  })

  it('hands out the first byte before the source has sent the rest, to late comers as well', async () => {
    const bytes = someBytes(1_000_000)
    const gate = Promise.withResolvers<void>()
    const source = new TestSource({
      bytes,
      before: async ({ sent }, chunk) => {
        if (sent >= 500_000) await gate.promise
        return chunk
      },
    })
    const { table } = tableOver(await open(), { windowBytes: 64 * KIB, windowLimit: 4096 * KIB })
    const early = (await opened(table, request(source, bytes))).stream.getReader()
    let got = 0
    while (got < 500_000) got += (await early.read()).value?.length ?? 0
    const late = (await opened(table, request(source, bytes))).stream.getReader()
    let lateGot = 0
    while (lateGot < 500_000) lateGot += (await late.read()).value?.length ?? 0
    gate.resolve()
    for (const reader of [early, late]) while (!(await reader.read()).done);
    expect(source.asked).toHaveLength(1)
    await table.idle()
  })

  it('asks the source once for 256 clients', async () => {
    const bytes = someBytes(700_000)
    const source = new TestSource({ bytes })
    const { table } = tableOver(await open())
    const all = await Promise.all(Array.from({ length: 256 }, async () => digestOf(await read((await opened(table, request(source, bytes))).stream))))
    expect(new Set(all)).toEqual(new Set([digestOf(bytes)]))
    expect(source.asked).toHaveLength(1)
    await table.idle()
  })

  it('waits for no slow client, and holds nothing for it', async () => {
    const bytes = someBytes(8_000_000)
    const source = new TestSource({ bytes })
    const { table } = tableOver(await open(), { windowBytes: 64 * KIB, windowLimit: 8192 * KIB })
    const slow = (await opened(table, request(source, bytes))).stream.getReader()
    const first = await slow.read()
    const fast = await opened(table, request(source, bytes))
    expect((await read(fast.stream)).length).toBe(bytes.length)
    await table.idle()
    expect(table.bytesHeld).toBe(0)
    const rest = [first.value ?? new Uint8Array()]
    for (let next = await slow.read(); !next.done; next = await slow.read()) rest.push(next.value)
    expect(digestOf(new Uint8Array(await new Blob(rest.map((part) => new Uint8Array(part))).arrayBuffer()))).toBe(digestOf(bytes))
  })

  it('goes on when the first client leaves', async () => {
    const blobs = await open()
    const bytes = someBytes(2_000_000)
    const source = new TestSource({ bytes })
    const { table } = tableOver(blobs)
    const body = await opened(table, request(source, bytes))
    await body.stream.cancel()
    await table.idle()
    expect(await blobs.stat(digestOf(bytes))).toEqual({ size: bytes.length })
  })

  it('asks a source that was cut for the rest only', async () => {
    const blobs = await open()
    const bytes = someBytes(2_000_000)
    let cuts = 0
    const source = new TestSource({
      bytes,
      before: ({ sent }, chunk) => {
        if (sent > 600_000 && cuts++ < 2) throw new TypeError('terminated')
        return chunk
      },
    })
    const { table } = tableOver(blobs)
    expect(digestOf(await read((await opened(table, request(source, bytes))).stream))).toBe(digestOf(bytes))
    expect(source.asked).toHaveLength(3)
    expect(source.bytesSent).toBe(bytes.length)
    await table.idle()
  })

  it('cuts everybody off and keeps nothing when the source lies twice, and says so to the next one', async () => {
    const blobs = await open()
    const bytes = someBytes(500_000)
    const source = new TestSource({ bytes: someBytes(500_000, 2) })
    const { table, clock } = tableOver(blobs)
    const body = await opened(table, request(source, bytes))
    await expect(read(body.stream)).rejects.toThrow(/upstream\.test sends something else/)
    await table.idle()
    expect(source.asked).toHaveLength(2)
    expect(await blobs.stat(digestOf(bytes))).toBeUndefined()
    expect((await blobs.drafts({ limit: 10 })).items).toEqual([])
    await expect(table.open(request(source, bytes))).rejects.toMatchObject({ code: 'UPSTREAM_INVALID', status: 502 })
    expect(source.asked).toHaveLength(2)
    clock.advance(10_001)
    await expect(opened(table, request(source, bytes)).then(({ stream }) => read(stream))).rejects.toBeInstanceOf(RegistryError)
    await table.idle()
    expect(source.asked).toHaveLength(4)
  })

  it('refuses a small wrong blob before any answer has begun', async () => {
    const bytes = someBytes(5_000)
    const { table } = tableOver(await open())
    await expect(table.open(request(new TestSource({ bytes: someBytes(5_000, 2) }), bytes))).rejects.toMatchObject({ code: 'UPSTREAM_INVALID' })
  })

  it('tries again from scratch when the source lied once, for those who had nothing yet', async () => {
    const blobs = await open()
    const bytes = someBytes(50_000)
    const source = new TestSource({ bytes, before: (_asked, chunk) => (source.asked.length === 1 ? chunk.fill(0) : chunk) })
    const { table } = tableOver(blobs)
    expect(digestOf(await read((await opened(table, request(source, bytes))).stream))).toBe(digestOf(bytes))
    expect(source.asked).toHaveLength(2)
    await table.idle()
  })

  it('takes an empty blob', async () => {
    const blobs = await open()
    const bytes = new Uint8Array()
    const { table } = tableOver(blobs)
    expect((await read((await opened(table, request(new TestSource({ bytes }), bytes))).stream)).length).toBe(0)
    await table.idle()
    expect(await blobs.stat(digestOf(bytes))).toEqual({ size: 0 })
  })

  it('takes up what an earlier process left, without asking for it again', async () => {
    const blobs = await open()
    const bytes = someBytes(3_000_000)
    const source = new TestSource({
      bytes,
      before: ({ sent, signal }, chunk) =>
        sent < 2_000_000 ? chunk : new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    })
    const before = tableOver(blobs).table
    const reader = (await opened(before, request(source, bytes))).stream.getReader()
    for (let got = 0; got < 2_000_000; ) got += (await reader.read()).value?.length ?? 0
    await before.close()
    await expect(reader.read()).rejects.toBeInstanceOf(RegistryError)

    const again = new TestSource({ bytes })
    const { table } = tableOver(blobs)
    expect(digestOf(await read((await opened(table, request(again, bytes))).stream))).toBe(digestOf(bytes))
    expect(table.counters.resumed).toBe(1)
    expect(again.bytesSent + source.bytesSent).toBeLessThanOrEqual(bytes.length + 2_097_152)
    expect(again.bytesSent).toBeLessThan(bytes.length)
    await table.idle()
    expect(await blobs.stat(digestOf(bytes))).toEqual({ size: bytes.length })
  })

  it('skips what it has when the source does not do ranges', async () => {
    const bytes = someBytes(1_000_000)
    let cuts = 0
    const source = new TestSource({
      bytes,
      ranges: false,
      before: ({ sent }, chunk) => {
        if (sent > 500_000 && cuts++ === 0) throw new TypeError('terminated')
        return chunk
      },
    })
    const { table } = tableOver(await open())
    expect(digestOf(await read((await opened(table, request(source, bytes))).stream))).toBe(digestOf(bytes))
    await table.idle()
  })

  it('gives up on a source that stalls again and again, by our clock', async () => {
    const bytes = someBytes(1_000_000)
    const source = new TestSource({ bytes, before: ({ sent }, chunk) => (sent < 300_000 ? chunk : new Promise(() => {})) })
    const { table, clock } = tableOver(await open(), { attempts: 1 })
    const reader = (await opened(table, request(source, bytes))).stream.getReader()
    const outcome = (async () => {
      for (;;) if ((await reader.read()).done) return 'complete'
    })()
    void clock.waitedFor(15_000).then(async () => {
      while (source.asked[0] && source.asked[0].sent < 300_000) await new Promise((resolve) => setImmediate(resolve))
      clock.advance(15_000)
    })
    await expect(outcome).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await table.idle()
  })

  it('serves a range far ahead at once and fills behind it', async () => {
    const blobs = await open()
    const bytes = someBytes(3_000_000)
    const gate = Promise.withResolvers<void>()
    const source = new TestSource({
      bytes,
      before: async ({ range }, chunk) => {
        if (range === undefined) await gate.promise
        return chunk
      },
    })
    const { table } = tableOver(blobs, { aheadBytes: 1_000_000 })
    const range = { offset: 2_000_000, length: 1_000 }
    const body = await opened(table, request(source, bytes, { range }))
    expect(body.range).toEqual(range)
    expect(await read(body.stream)).toEqual(bytes.subarray(2_000_000, 2_001_000))
    gate.resolve()
    await table.idle()
    expect(await blobs.stat(digestOf(bytes))).toEqual({ size: bytes.length })
  })

  it('serves a range that is near from the fill itself', async () => {
    const bytes = someBytes(3_000_000)
    const source = new TestSource({ bytes })
    const { table } = tableOver(await open())
    const range = { offset: 1_000_000, length: 1_500_000 }
    expect(digestOf(await read((await opened(table, request(source, bytes, { range }))).stream))).toBe(digestOf(bytes.subarray(1_000_000, 2_500_000)))
    expect(source.asked).toHaveLength(1)
    await table.idle()
  })

  it('lets nobody join who may not: the source is asked for that repository', async () => {
    const bytes = someBytes(1_000_000)
    const source = new TestSource({ bytes })
    const { table } = tableOver(await open())
    const first = await opened(table, request(source, bytes))
    const other = Object.assign(Object.create(source), { repository: 'library/other', stat: async () => undefined })
    expect(await table.open({ ...request(source, bytes), confirmed: false, source: other })).toBeUndefined()
    await first.stream.cancel()
    await table.idle()
    expect(await table.open({ ...request(source, bytes), confirmed: false, source: other }), 'nor what has just been stored').toBeUndefined()
  })

  it('repeats what a source that lied has earned for its time, wherever somebody sets the clock meanwhile', async () => {
    const bytes = someBytes(1_000)
    const source = new TestSource({ bytes: someBytes(1_000, 2) })
    const { clock, table } = tableOver(await open(), { refusalMs: 1_000 })
    await expect(table.open(request(source, bytes))).rejects.toMatchObject({ code: 'UPSTREAM_INVALID' })
    await table.idle()
    clock.set(-3_600_000)
    clock.advance(999)
    const asked = source.asked.length
    await expect(table.open(request(source, bytes))).rejects.toMatchObject({ code: 'UPSTREAM_INVALID' })
    expect(source.asked).toHaveLength(asked)
    clock.advance(1)
    await expect(table.open(request(source, bytes))).rejects.toMatchObject({ code: 'UPSTREAM_INVALID' })
    expect(source.asked.length).toBeGreaterThan(asked)
  })

  it('lets those of its own repository join without another question to the source', async () => {
    const bytes = someBytes(1_000_000)
    const source = new TestSource({ bytes })
    const { table } = tableOver(await open())
    const asked = { ...request(source, bytes), confirmed: false }
    const bodies = await Promise.all([opened(table, asked), opened(table, asked), opened(table, asked)])
    for (const { stream } of bodies) expect((await read(stream)).length).toBe(bytes.length)
    expect([source.asked.length, source.stats]).toEqual([1, 0])
    await table.idle()
  })

  it('ends the stream of a caller who aborts, and nobody else', async () => {
    const bytes = someBytes(1_000_000)
    const source = new TestSource({ bytes })
    const { table } = tableOver(await open())
    const caller = new AbortController()
    const mine = await opened(table, request(source, bytes, { signal: caller.signal }))
    const other = await opened(table, request(source, bytes))
    caller.abort()
    await expect(read(mine.stream)).rejects.toMatchObject({ name: 'AbortError' })
    expect((await read(other.stream)).length).toBe(bytes.length)
    await table.idle()
  })
})

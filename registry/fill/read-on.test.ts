import { describe, expect, it } from 'vitest'
import { createHasher } from '../../stores/hasher.ts'
import { memoryObjectStore } from '../../stores/memory-object-store.ts'
import { slicedBlobStore } from '../../stores/sliced-blob-store.ts'
import { TestClock } from '../../test/support/clock.ts'
import { quiet, TestSource } from '../../test/support/fill-source.ts'
import { fleetingBucket } from '../../test/support/fleeting-bucket.ts'
import { until } from '../../test/support/until.ts'
import { PullThrough } from '../pull-through.ts'
import type { Blobs, Registry, Repository } from '../registry.ts'
import type { Digest } from '../spec/digests.ts'
import { parseRepositoryName } from '../spec/names.ts'
import type { ByteRange } from '../spec/ranges.ts'
import { FillTable } from './index.ts'

const app = parseRepositoryName('team/app')
const MIB = 1024 * 1024

function bytesOf(length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, at) => (at * 7 + (at >> 11)) % 251)
}

function digestOf(bytes: Uint8Array): Digest {
  const hasher = createHasher('sha256')
  hasher.update(bytes)
  return hasher.digest()
}

/** A source with one blob. */
function sourceOf(bytes: Uint8Array<ArrayBuffer>) {
  const asked: (ByteRange | undefined)[] = []
  const blobs: Partial<Blobs> = {
    stat: async (digest) => ({ mediaType: 'application/octet-stream', digest, size: bytes.length }),
    open: async (_, range) => {
      asked.push(range)
      const part = range === undefined ? bytes : bytes.subarray(range.offset, range.offset + range.length)
      return { size: bytes.length, ...(range && { range }), stream: new Blob([part]).stream() }
    },
  }
  const repository = { name: app, blobs } as unknown as Repository
  const registry: Registry = { repository: () => repository, repositories: async () => ({ items: [], more: false }) }
  return { asked, with: () => registry }
}

function cacheOver(source: ReturnType<typeof sourceOf>) {
  const clock = new TestClock()
  const objects = memoryObjectStore()
  const blobs = slicedBlobStore(objects)
  const fills = new FillTable({ blobs, createHasher, clock, log: quiet })
  const cache = new PullThrough({
    source: { id: 'one', name: 'one.test', with: source.with },
    cache: { blobs, records: memoryObjectStore() },
    fills,
    createHasher,
    clock,
    log: quiet,
  })
  return { blobs, open: (digest: Digest, range?: ByteRange) => cache.with().repository(app).blobs.open(digest, range), fills }
}

async function rest(reader: ReadableStreamDefaultReader<Uint8Array>, read: Uint8Array[]): Promise<Buffer> {
  for (let next = await reader.read(); !next.done; next = await reader.read()) read.push(next.value)
  return Buffer.concat(read)
}

it.each([undefined, { offset: MIB + 17, length: 12 * MIB }])(
  'a blob that is deleted while it is read is read to its end from its source (%j)',
  async (range) => {
    const bytes = bytesOf(20 * MIB + 3)
    const digest = digestOf(bytes)
    const source = sourceOf(bytes)
    const { blobs, open } = cacheOver(source)
    const first = await open(digest)
    expect(Buffer.compare(await rest(first?.stream?.getReader() as never, []), bytes)).toBe(0)
    await until('the blob is stored', async () => (await blobs.stat(digest)) !== undefined)
    source.asked.length = 0
    const reader = (await open(digest, range))?.stream?.getReader() as ReadableStreamDefaultReader<Uint8Array>
    const begun = await reader.read()
    expect(source.asked).toEqual([])
    expect(await blobs.delete(digest)).toBe(true)
    const wanted = range === undefined ? bytes : bytes.subarray(range.offset, range.offset + range.length)
    expect(Buffer.compare(await rest(reader, [begun.value as Uint8Array]), wanted)).toBe(0)
    expect(source.asked.length).toBeGreaterThan(0)
  },
)

describe('who follows a fill and is far behind it', () => {
  /** A reader that has been given the first bytes, and the fill that it follows. `others` is the same store as another process sees it. */
  async function follower(source: TestSource, digest: Digest, range?: ByteRange) {
    const objects = memoryObjectStore()
    const fills = new FillTable({
      blobs: slicedBlobStore(objects),
      createHasher,
      clock: new TestClock(),
      log: quiet,
      limits: { windowBytes: 64 * 1024, windowLimit: MIB },
    })
    const body = await fills.open({ digest, range, source, confirmed: true })
    const reader = body?.stream.getReader() as ReadableStreamDefaultReader<Uint8Array>
    return { fills, reader, first: (await reader.read()).value as Uint8Array, others: slicedBlobStore(objects) }
  }

  it.each([undefined, { offset: MIB + 17, length: 12 * MIB }])(
    'reads on when its blob is stored and deleted by another process (%j)',
    async (range) => {
      const bytes = bytesOf(20 * MIB + 3)
      const digest = digestOf(bytes)
      const source = new TestSource({ bytes })
      const { fills, reader, first, others } = await follower(source, digest, range)
      await fills.idle()
      const had = source.asked.length
      expect(await others.delete(digest)).toBe(true)
      const wanted = range === undefined ? bytes : bytes.subarray(range.offset, range.offset + range.length)
      expect(Buffer.compare(await rest(reader, [first]), wanted)).toBe(0)
      expect(source.asked.length).toBeGreaterThan(had)
      await fills.idle()
      expect(await others.stat(digest)).toEqual({ size: bytes.length })
    },
  )

  it('is cut off when the store is lost, which takes nothing more and gives nothing back', async () => {
    const bytes = bytesOf(20 * MIB + 3)
    const digest = digestOf(bytes)
    const { bucket, goAway } = fleetingBucket()
    const fills = new FillTable({
      blobs: slicedBlobStore(bucket),
      createHasher,
      clock: new TestClock(),
      log: quiet,
      limits: { windowBytes: 64 * 1024, windowLimit: MIB },
    })
    const gate = Promise.withResolvers<void>()
    const source = new TestSource({
      bytes,
      before: async ({ sent }, chunk) => {
        if (sent >= 10 * MIB) await gate.promise
        return chunk
      },
    })
    const reader = (await fills.open({ digest, source, confirmed: true }))?.stream.getReader() as ReadableStreamDefaultReader<Uint8Array>
    await reader.read()
    await until('half of it has come', async () => source.bytesSent >= 10 * MIB)
    goAway()
    gate.resolve()
    await expect(rest(reader, [])).rejects.toThrow()
    await fills.idle()
  })

  it('is cut off when what it was given first turned out wrong, though the blob was stored in the end', async () => {
    const bytes = bytesOf(20 * MIB + 3)
    const digest = digestOf(bytes)
    const source = new TestSource({ bytes, before: async (asked, chunk) => (asked === source.asked[0] && asked.sent === 0 ? chunk.fill(1) : chunk) })
    const { fills, reader, others } = await follower(source, digest)
    await fills.idle()
    expect(await others.delete(digest)).toBe(true)
    await expect(rest(reader, [])).rejects.toMatchObject({ code: 'UPSTREAM_INVALID' })
  })
})

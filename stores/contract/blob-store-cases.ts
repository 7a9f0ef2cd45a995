import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { BlobStore, Draft } from '../../registry/blob-store.ts'
import { type Digest, parseDigest } from '../../registry/spec/digests.ts'
import type { ByteRange } from '../../registry/spec/ranges.ts'
import { concat, digestOf, noise, readAll, refusedWith, sameBytes } from './bytes.ts'
import { growDraft } from './model.ts'

export type BlobStoreCase = (store: BlobStore) => Promise<void>

const MIB = 1024 * 1024

async function push(store: BlobStore, id: string, bytes: Uint8Array, options: { expected?: number; chunk?: number } = {}): Promise<Draft> {
  const draft = store.draft(id)
  const writer = await draft.writer({ offset: 0, ...(options.expected === undefined ? {} : { expected: options.expected }) })
  const step = options.chunk ?? 65_536
  for (let at = 0; at < bytes.length; at += step) await writer.write(bytes.slice(at, at + step))
  assert.equal(await writer.close(), bytes.length)
  return draft
}

async function bytesOf(store: BlobStore, digest: Digest, range?: ByteRange): Promise<Uint8Array> {
  const body = await store.open(digest, range)
  assert.ok(body?.stream)
  assert.deepEqual(body.range, range)
  return readAll(body.stream)
}

async function assertEmpty(store: BlobStore): Promise<void> {
  assert.deepEqual(await store.list({ limit: 10 }), { items: [], more: false })
  assert.deepEqual(await store.drafts({ limit: 10 }), { items: [], more: false })
}

export const blobStoreCases: Readonly<Record<string, BlobStoreCase>> = {
  'what is not there is undefined or false': async (store) => {
    const digest = digestOf(noise(1, 1))
    assert.equal(await store.stat(digest), undefined)
    assert.equal(await store.open(digest), undefined)
    assert.equal(await store.delete(digest), false)
    assert.equal(await store.draft('none').size(), undefined)
    assert.equal(await store.draft('none').discard(), false)
    await refusedWith('BLOB_UPLOAD_UNKNOWN', store.draft('none').commit(digest))
    await refusedWith('BLOB_UPLOAD_UNKNOWN', store.draft('none').read({ offset: 0, length: 0 }))
    await assertEmpty(store)
  },
  'a name that is no draft id touches nothing': async (store) => {
    for (const id of ['', '..', 'a/b', 'A', 'a.b', 'x'.repeat(129)]) {
      await refusedWith('BLOB_UPLOAD_UNKNOWN', (async () => store.draft(id).size())())
    }
  },
  'an empty draft exists, and becomes the empty blob': async (store) => {
    const draft = await push(store, 'empty', new Uint8Array(0))
    assert.equal(await draft.size(), 0)
    assert.deepEqual(await store.drafts({ limit: 5 }), { items: ['empty'], more: false })
    assert.equal((await readAll(await draft.read({ offset: 0, length: 0 }))).length, 0)
    const digest = digestOf(new Uint8Array(0))
    await draft.commit(digest)
    assert.deepEqual(await store.stat(digest), { size: 0 })
    assert.equal((await bytesOf(store, digest)).length, 0)
    assert.equal(await store.delete(digest), true)
    await assertEmpty(store)
  },
  'a blob is not visible before its commit, and its draft not after': async (store) => {
    const bytes = noise(2, 3 * MIB)
    const digest = digestOf(bytes, 'sha512')
    const draft = await push(store, 'd', bytes)
    assert.equal(await store.stat(digest), undefined)
    await draft.commit(digest)
    assert.deepEqual(await store.stat(digest), { size: bytes.length })
    assert.equal(await draft.size(), undefined)
    assert.deepEqual(await store.drafts({ limit: 5 }), { items: [], more: false })
    sameBytes(await bytesOf(store, digest), bytes)
    assert.equal(await store.delete(digest), true)
    assert.equal(await store.stat(digest), undefined)
    assert.equal(await store.delete(digest), false)
    await assertEmpty(store)
  },
  'a small blob comes whole, where a store has a way of its own for it': async (store) => {
    const bytes = noise(12, 3_000)
    const digest = digestOf(bytes)
    assert.equal(await store.bytes?.(digest, 3_000), undefined)
    await (await push(store, 'd', bytes)).commit(digest)
    if (store.bytes !== undefined) {
      const whole = await store.bytes(digest, bytes.length)
      assert.ok(whole instanceof Uint8Array)
      sameBytes(whole, bytes)
      assert.equal(await store.bytes(digest, bytes.length - 1), 'larger')
    }
    await store.delete(digest)
    await assertEmpty(store)
  },
  'any range inside is given, and none outside': async (store) => {
    const bytes = noise(3, 9 * MIB + 17)
    const digest = digestOf(bytes)
    await (await push(store, 'd', bytes, { expected: bytes.length, chunk: 300_000 })).commit(digest)
    const borders = [0, 262_144, 786_432, 1_835_008, 3_932_160, 8_126_464, bytes.length]
    const point = fc.oneof(
      fc.nat(bytes.length),
      fc.tuple(fc.constantFrom(...borders), fc.integer({ min: -1, max: 1 })).map(([at, by]) => Math.max(0, Math.min(bytes.length, at + by))),
    )
    await fc.assert(
      fc.asyncProperty(point, point, async (a, b) => {
        const range = { offset: Math.min(a, b), length: Math.abs(a - b) }
        sameBytes(await bytesOf(store, digest, range), bytes.subarray(range.offset, range.offset + range.length))
      }),
      { numRuns: 20 },
    )
    await refusedWith('RANGE_INVALID', store.open(digest, { offset: bytes.length, length: 1 }))
  },
  'a draft grows by any chunks, stops and resumes, and is always what was written': async (store) => {
    let run = 0
    await fc.assert(
      fc.asyncProperty(growDraft.schedule, async (steps) => {
        const id = `model-${run++}`
        const bytes = await growDraft.follow(store.draft(id), steps)
        const digest = digestOf(bytes)
        await store.draft(id).commit(digest)
        sameBytes(await bytesOf(store, digest), bytes)
        await store.delete(digest)
      }),
      { numRuns: 15 },
    )
    await assertEmpty(store)
  },
  'a writer at another place than the end is refused': async (store) => {
    const draft = await push(store, 'd', noise(4, 1000))
    for (const offset of [0, 999, 1001]) await refusedWith('RANGE_INVALID', draft.writer({ offset }))
    await refusedWith('RANGE_INVALID', store.draft('new').writer({ offset: 5 }))
    assert.equal(await store.draft('new').size(), undefined)
    const writer = await draft.writer({ offset: 1000 })
    assert.equal(await writer.close(), 1000)
  },
  'one writes at a time, and nobody commits what is being written': async (store) => {
    const draft = store.draft('d')
    const writer = await draft.writer({ offset: 0 })
    await refusedWith('RANGE_INVALID', draft.writer({ offset: 0 }))
    await refusedWith('RANGE_INVALID', draft.commit(digestOf(new Uint8Array(0))))
    await writer.write(noise(5, 10))
    await writer.close()
    await assert.rejects(writer.write(noise(5, 10)))
    await assert.rejects(writer.close())
    await writer.abort()
    assert.equal(await draft.size(), 10)
  },
  'a draft can be read while it grows': async (store) => {
    const bytes = noise(6, 2 * MIB)
    const draft = store.draft('d')
    const writer = await draft.writer({ offset: 0, expected: bytes.length })
    for (let at = 0; at < bytes.length; at += 100_000) {
      await writer.write(bytes.slice(at, at + 100_000))
      const length = writer.readable
      sameBytes(await readAll(await draft.read({ offset: 0, length })), bytes.subarray(0, length))
    }
    assert.equal(await writer.close(), bytes.length)
    await refusedWith('RANGE_INVALID', draft.read({ offset: 0, length: bytes.length + 1 }))
  },
  'an abort keeps what is durable, and the draft goes on from there': async (store) => {
    for (const expected of [undefined, 12 * MIB]) {
      const id = `abort-${expected ?? 'unknown'}`
      const bytes = noise(7, 12 * MIB)
      const draft = store.draft(id)
      const writer = await draft.writer({ offset: 0, ...(expected === undefined ? {} : { expected }) })
      for (let at = 0; at < 10 * MIB; at += MIB) await writer.write(bytes.slice(at, at + MIB))
      await writer.abort()
      const size = await draft.size()
      assert.ok(size !== undefined && size <= 10 * MIB && size >= 2 * MIB)
      sameBytes(await readAll(await draft.read({ offset: 0, length: size })), bytes.subarray(0, size))
      const second = await draft.writer({ offset: size, ...(expected === undefined ? {} : { expected }) })
      for (let at = size; at < bytes.length; at += MIB) await second.write(bytes.slice(at, at + MIB))
      assert.equal(await second.close(), bytes.length)
      await draft.commit(digestOf(bytes))
      sameBytes(await bytesOf(store, digestOf(bytes)), bytes)
      await store.delete(digestOf(bytes))
    }
    await assertEmpty(store)
  },
  'discarding ends the writer and leaves nothing': async (store) => {
    const draft = store.draft('d')
    const writer = await draft.writer({ offset: 0, expected: 6 * MIB })
    for (let at = 0; at < 5; at++) await writer.write(noise(at, MIB))
    assert.equal(await draft.discard(), true)
    await assert.rejects(writer.write(noise(8, 10)))
    assert.equal(await draft.size(), undefined)
    assert.equal(await draft.discard(), false)
    await assertEmpty(store)
    await (await draft.writer({ offset: 0 })).close()
    assert.equal(await draft.size(), 0)
  },
  'drafts of one blob that are committed at once leave one blob': async (store) => {
    const bytes = noise(9, 2 * MIB)
    const digest = digestOf(bytes)
    const drafts = await Promise.all(Array.from({ length: 4 }, (_, index) => push(store, `d-${index}`, bytes)))
    await Promise.all(drafts.map((draft) => draft.commit(digest)))
    sameBytes(await bytesOf(store, digest), bytes)
    assert.deepEqual(await store.list({ limit: 5 }), { items: [digest], more: false })
    assert.deepEqual(await store.drafts({ limit: 5 }), { items: [], more: false })
    assert.equal(await store.delete(digest), true)
    await assertEmpty(store)
  },
  'a commit and a delete at once leave the blob whole or not there': async (store) => {
    const bytes = noise(10, MIB)
    const digest = digestOf(bytes)
    for (let round = 0; round < 5; round++) {
      await (await push(store, 'old', bytes)).commit(digest)
      const draft = await push(store, 'new', bytes)
      await Promise.all([draft.commit(digest), store.delete(digest)])
      if (await store.stat(digest)) sameBytes(await bytesOf(store, digest), bytes)
      await store.delete(digest)
      await assertEmpty(store)
    }
  },
  'a delete while the blob is read cuts the reader or lets him finish, never less': async (store) => {
    const bytes = noise(11, 12 * MIB)
    const digest = digestOf(bytes)
    await (await push(store, 'd', bytes)).commit(digest)
    const body = await store.open(digest)
    assert.ok(body?.stream)
    const reader = body.stream.getReader()
    const chunks: Uint8Array[] = []
    const first = await reader.read()
    if (first.value) chunks.push(first.value)
    assert.equal(await store.delete(digest), true)
    try {
      for (;;) {
        const { done, value } = await reader.read()
        if (done) break
        chunks.push(value)
      }
      sameBytes(concat(chunks), bytes)
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error
      const got = concat(chunks)
      sameBytes(got, bytes.subarray(0, got.length))
    }
    await assertEmpty(store)
  },
  'listings are complete, in order, whatever the page': async (store) => {
    const digests: Digest[] = []
    for (let index = 0; index < 9; index++) {
      const bytes = noise(100 + index, 10)
      const digest = digestOf(bytes, index % 3 === 0 ? 'sha512' : 'sha256')
      await (await push(store, `blob-${index}`, bytes)).commit(digest)
      digests.push(digest)
      await push(store, `draft-${index}`, new Uint8Array(1))
    }
    for (const limit of [1, 2, 4, 9, 10]) {
      assert.deepEqual(await pages((page) => store.list(page), limit), digests.toSorted())
      assert.deepEqual(
        await pages((page) => store.drafts(page), limit),
        digests.map((_, index) => `draft-${index}`),
      )
    }
    const after = parseDigest(`sha256:${'f'.repeat(64)}`)
    assert.deepEqual((await store.list({ limit: 10, last: after })).items, digests.filter((digest) => digest > after).toSorted())
  },
  'a reader who leaves harms nobody': async (store) => {
    const bytes = noise(12, 9 * MIB)
    const digest = digestOf(bytes)
    await (await push(store, 'd', bytes)).commit(digest)
    for (const reads of [0, 1, 2]) {
      const body = await store.open(digest)
      const reader = body?.stream?.getReader()
      for (let count = 0; count < reads; count++) await reader?.read()
      await reader?.cancel()
    }
    sameBytes(await bytesOf(store, digest), bytes)
  },
}

async function pages<T extends string>(
  list: (page: { limit: number; last?: string }) => Promise<{ items: readonly T[]; more: boolean }>,
  limit: number,
): Promise<T[]> {
  const all: T[] = []
  for (;;) {
    const last = all.at(-1)
    const { items, more } = await list({ limit, ...(last === undefined ? {} : { last }) })
    all.push(...items)
    if (!more) return all
    assert.equal(items.length, limit)
  }
}

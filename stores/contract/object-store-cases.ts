import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { ObjectEntry, ObjectStore } from '../../registry/object-store.ts'
import { noise, readAll, refusedWith, sameBytes, streamOf } from './bytes.ts'

export type ObjectStoreCase = (store: ObjectStore) => Promise<void>

async function bytesOf(store: ObjectStore, key: string): Promise<Uint8Array> {
  const object = await store.get(key)
  assert.ok(object)
  const bytes = await readAll(object.stream)
  assert.equal(bytes.length, object.size)
  return bytes
}

async function allKeys(store: ObjectStore, prefix: string, limit: number): Promise<ObjectEntry[]> {
  const all: ObjectEntry[] = []
  for (;;) {
    const last = all.at(-1)?.key
    const { items, more } = await store.list(prefix, { limit, ...(last === undefined ? {} : { last }) })
    assert.ok(items.length <= limit)
    all.push(...items)
    if (!more) return all
    assert.equal(items.length, limit)
  }
}

/** Names that are never a part of one another, because an S3 gateway over a folder cannot hold both `a` and `a/b`. */
const key = fc
  .array(fc.constantFrom('a', 'b', 'B', 'a.b', 'a-b', 'a:b', '0', 'ab'), { minLength: 1, maxLength: 3 })
  .map((parts) => `p/${parts.map((part) => `d${part}`).join('/')}/leaf`)

export const objectStoreCases: Readonly<Record<string, ObjectStoreCase>> = {
  'what was put comes back, and a second put replaces it': async (store) => {
    await store.put('a/b', noise(1, 1000))
    sameBytes(await bytesOf(store, 'a/b'), noise(1, 1000))
    await store.put('a/b', noise(2, 10))
    sameBytes(await bytesOf(store, 'a/b'), noise(2, 10))
    assert.deepEqual(await store.stat('a/b'), { size: 10 })
  },
  'what is not there is undefined': async (store) => {
    assert.equal(await store.get('none'), undefined)
    assert.equal(await store.get('none', { offset: 0, length: 1 }), undefined)
    assert.equal(await store.stat('none'), undefined)
    assert.deepEqual(await store.list('none', { limit: 5 }), { items: [], more: false })
    await store.delete(['none', 'none/either'])
  },
  'an empty object is an object': async (store) => {
    await store.put('empty', new Uint8Array(0))
    await store.put('empty-stream', { size: 0, stream: streamOf([]) })
    assert.equal((await bytesOf(store, 'empty')).length, 0)
    assert.equal((await bytesOf(store, 'empty-stream')).length, 0)
    assert.deepEqual(await store.stat('empty'), { size: 0 })
  },
  'a stream of the announced size is stored': async (store) => {
    const bytes = noise(3, 5_000_000)
    const chunks = [bytes.subarray(0, 1), bytes.subarray(1, 70_000), bytes.subarray(70_000)]
    await store.put('streamed', { size: bytes.length, stream: streamOf(chunks.map((chunk) => chunk.slice())) })
    sameBytes(await bytesOf(store, 'streamed'), bytes)
  },
  'a stream of another size leaves everything as it was': async (store) => {
    await store.put('kept', noise(4, 100))
    for (const length of [0, 99, 101, 400_000]) {
      await refusedWith('SIZE_INVALID', store.put('kept', { size: 100, stream: streamOf(length === 0 ? [] : [noise(5, length)]) }))
      await refusedWith('SIZE_INVALID', store.put('new', { size: 100, stream: streamOf(length === 0 ? [] : [noise(5, length)]) }))
    }
    sameBytes(await bytesOf(store, 'kept'), noise(4, 100))
    assert.equal(await store.get('new'), undefined)
  },
  'a stream that fails leaves everything as it was, and its own failure is told': async (store) => {
    await store.put('kept', noise(4, 100))
    const failure = new Error('the source broke')
    await assert.rejects(store.put('kept', { size: 300_000, stream: streamOf([noise(6, 200_000)], failure) }), (error: Error) =>
      [error, error.cause].some((one) => one instanceof Error && one.message === failure.message),
    )
    sameBytes(await bytesOf(store, 'kept'), noise(4, 100))
  },
  'of many who put a key if it is free, one does': async (store) => {
    const bodies = Array.from({ length: 8 }, (_, index) => noise(index, 50 + index))
    const won = await Promise.all(bodies.map((body) => store.putIfAbsent('claim', body)))
    assert.equal(won.filter(Boolean).length, 1)
    sameBytes(await bytesOf(store, 'claim'), bodies[won.indexOf(true)] ?? new Uint8Array(0))
    await store.delete(['claim'])
    assert.equal(await store.putIfAbsent('claim', noise(9, 9)), true)
  },
  'any range inside is given, and none outside': async (store) => {
    const bytes = noise(7, 300_000)
    await store.put('ranges', bytes)
    const ranges = fc.tuple(fc.nat(bytes.length), fc.nat(bytes.length)).map(([a, b]) => ({ offset: Math.min(a, b), length: Math.abs(a - b) }))
    await fc.assert(
      fc.asyncProperty(ranges, async (range) => {
        const part = await store.get('ranges', range)
        assert.ok(part)
        assert.equal(part.size, range.length)
        sameBytes(await readAll(part.stream), bytes.subarray(range.offset, range.offset + range.length))
      }),
      { numRuns: 25 },
    )
    await refusedWith('RANGE_INVALID', store.get('ranges', { offset: 299_999, length: 2 }))
    await refusedWith('RANGE_INVALID', store.get('ranges', { offset: 300_000, length: 1 }))
  },
  'a listing gives each key once, in the order of bytes, whatever the page': async (store) => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(key, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 5 }),
        fc.constantFrom('p/', 'p/da', 'p/da/', 'p/db/da'),
        async (keys, limit, prefix) => {
          for (const [size, name] of keys.entries()) await store.put(name, new Uint8Array(size))
          const expected = keys
            .map((name, size) => ({ key: name, size }))
            .filter((entry) => entry.key.startsWith(prefix))
            .sort((a, b) => (a.key < b.key ? -1 : 1))
          assert.deepEqual(await allKeys(store, prefix, limit), expected)
          await store.delete(keys)
          assert.deepEqual(await allKeys(store, '', limit), [])
        },
      ),
      { numRuns: 12 },
    )
  },
  'more keys than fit in a batch are listed and deleted': async (store) => {
    const keys = Array.from({ length: 1005 }, (_, index) => `many/${String(index).padStart(6, '0')}`)
    for (let from = 0; from < keys.length; from += 100)
      await Promise.all(keys.slice(from, from + 100).map((name) => store.put(name, new Uint8Array(1))))
    assert.deepEqual(
      (await store.list('many/', { limit: 2000 })).items.map((entry) => entry.key),
      keys,
    )
    await store.delete(['many/none', ...keys])
    assert.deepEqual(await store.list('many/', { limit: 5 }), { items: [], more: false })
  },
  'a reader who leaves harms nobody': async (store) => {
    const bytes = noise(8, 4_000_000)
    await store.put('left', bytes)
    const left = await store.get('left')
    const reader = left?.stream.getReader()
    await reader?.read()
    await reader?.cancel()
    sameBytes(await bytesOf(store, 'left'), bytes)
  },
}

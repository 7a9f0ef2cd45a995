import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { BlobStore } from '../registry/blob-store.ts'
import type { ObjectStore } from '../registry/object-store.ts'
import { RegistryError } from '../registry/spec/errors.ts'
import { digestOf, noise, readAll, sameBytes } from './contract/bytes.ts'
import { memoryObjectStore } from './memory-object-store.ts'
import { slicedBlobStore } from './sliced-blob-store.ts'
import { borderAfter } from './slices.ts'

const KIB = 1024
const CHANGES = new Set(['put', 'putIfAbsent', 'delete'])

class Crash extends Error {}

/** Fails from the n-th change on, as if the process had died there: just before the change takes effect, or just after, unheard. */
function dyingAt(objects: ObjectStore, deadly: number, when: 'before' | 'after'): ObjectStore {
  let changes = 0
  return new Proxy(objects, {
    get(_, name) {
      const value: unknown = Reflect.get(objects, name, objects)
      if (typeof value !== 'function') return value
      return async (...args: unknown[]) => {
        const turn = CHANGES.has(String(name)) ? changes++ : -1
        if (changes > deadly + 1 || (turn === deadly && when === 'before')) throw new Crash()
        const result: unknown = await Reflect.apply(value, objects, args)
        if (turn === deadly) throw new Crash()
        return result
      }
    },
  })
}

async function unlessDead(act: () => Promise<unknown>): Promise<boolean> {
  try {
    await act()
    return true
  } catch (error) {
    if (error instanceof Crash) return false
    throw error
  }
}

async function push(store: BlobStore, id: string, bytes: Uint8Array, expected?: number): Promise<void> {
  const draft = store.draft(id)
  for (let offset = 0; offset < bytes.length || offset === 0; ) {
    const writer = await draft.writer({ offset, ...(expected === undefined ? {} : { expected }) })
    const half = bytes.slice(offset, expected === undefined ? offset + 1_500_000 : bytes.length)
    for (let at = 0; at < half.length; at += 200_000) await writer.write(half.slice(at, at + 200_000))
    offset = await writer.close()
  }
  await draft.commit(digestOf(bytes))
}

async function sweep(store: BlobStore): Promise<void> {
  for (const id of (await store.drafts({ limit: 100 })).items) await store.draft(id).discard()
}

async function keysOf(objects: ObjectStore): Promise<string[]> {
  return (await objects.list('', { limit: 1000 })).items.map(({ key }) => key)
}

async function expectWhole(store: BlobStore, bytes: Uint8Array): Promise<void> {
  const body = await store.open(digestOf(bytes))
  expect(body?.size).toBe(bytes.length)
  sameBytes(await readAll(body?.stream ?? new ReadableStream()), bytes)
}

describe('a blob in slices', () => {
  it('is cut at 256K, 512K, 1M, 2M, 4M and then every 8M, wherever one begins', () => {
    const borders: number[] = []
    for (let at = 0; borders.length < 8; at = borders.at(-1) ?? 0) borders.push(borderAfter(at))
    expect(borders.map((border, index) => (border - (borders[index - 1] ?? 0)) / KIB)).toEqual([256, 512, 1024, 2048, 4096, 8192, 8192, 8192])
    fc.assert(
      fc.property(fc.nat(2 ** 31), (offset) => {
        const border = borderAfter(offset)
        expect(border).toBeGreaterThan(offset)
        expect(borderAfter(border - 1)).toBe(border)
      }),
    )
  })

  it.each(['before', 'after'] as const)('interrupted %s any change of a push, is whole or not there, and is pushed again', async (when) => {
    const bytes = noise(1, 3_000_000)
    for (const expected of [undefined, bytes.length]) {
      for (let deadly = 0, finished = false; !finished; deadly++) {
        const objects = memoryObjectStore()
        finished = await unlessDead(() => push(slicedBlobStore(dyingAt(objects, deadly, when)), 'd', bytes, expected))
        const store = slicedBlobStore(objects)
        if (await store.stat(digestOf(bytes))) await expectWhole(store, bytes)
        else expect(finished).toBe(false)
        await sweep(store)
        if (await store.stat(digestOf(bytes))) await expectWhole(store, bytes)
        else expect(await keysOf(objects)).toEqual([])
        await push(store, 'again', bytes)
        await expectWhole(store, bytes)
        await store.delete(digestOf(bytes))
        expect(await keysOf(objects)).toEqual([])
      }
    }
  })

  it.each(['before', 'after'] as const)('interrupted %s any change of a push, goes on from what is durable', async (when) => {
    const bytes = noise(2, 3_000_000)
    for (let deadly = 0, finished = false; !finished; deadly++) {
      const objects = memoryObjectStore()
      finished = await unlessDead(() => push(slicedBlobStore(dyingAt(objects, deadly, when)), 'd', bytes))
      const store = slicedBlobStore(objects)
      const draft = store.draft('d')
      const size = (await draft.size()) ?? 0
      if (size > 0) sameBytes(await readAll(await draft.read({ offset: 0, length: size })), bytes.subarray(0, size))
      if (!(await store.stat(digestOf(bytes)))) {
        if (size < bytes.length) {
          const writer = await draft.writer({ offset: size })
          await writer.write(bytes.slice(size))
          await writer.close()
        }
        await draft.commit(digestOf(bytes))
      } else if (size > 0) await draft.commit(digestOf(bytes))
      await expectWhole(store, bytes)
      await sweep(store)
      await expectWhole(store, bytes)
      await store.delete(digestOf(bytes))
      expect(await keysOf(objects)).toEqual([])
    }
  })

  it.each(['before', 'after'] as const)('interrupted %s any change of a delete, is whole or gone, and nothing stays behind', async (when) => {
    const bytes = noise(3, 1_000_000)
    for (let deadly = 0, finished = false; !finished; deadly++) {
      const objects = memoryObjectStore()
      await push(slicedBlobStore(objects), 'd', bytes)
      finished = await unlessDead(() => slicedBlobStore(dyingAt(objects, deadly, when)).delete(digestOf(bytes)))
      const store = slicedBlobStore(objects)
      await sweep(store)
      if (await store.stat(digestOf(bytes))) {
        await expectWhole(store, bytes)
        await store.delete(digestOf(bytes))
      }
      expect(await keysOf(objects)).toEqual([])
    }
  })

  it('does not take in what an earlier writer still had under way', async () => {
    const objects = memoryObjectStore()
    const late = Promise.withResolvers<void>()
    const slow: ObjectStore = new Proxy(objects, {
      get(_, name) {
        if (name !== 'put') return Reflect.get(objects, name, objects).bind(objects)
        return async (key: string, body: Uint8Array) => {
          if (key.startsWith('slices/')) await late.promise
          await objects.put(key, body)
        }
      },
    })
    const lost = await slicedBlobStore(slow).draft('d').writer({ offset: 0 })
    await slicedBlobStore(objects).draft('d').size()
    const abandoned = lost.write(noise(9, 262_144))
    const store = slicedBlobStore(objects)
    const bytes = noise(4, 300_000)
    const writer = await store.draft('d').writer({ offset: 0 })
    await writer.write(bytes.slice())
    late.resolve()
    await abandoned
    await writer.close()
    expect(await store.draft('d').size()).toBe(bytes.length)
    await store.draft('d').commit(digestOf(bytes))
    await expectWhole(store, bytes)
  })

  it('loses one slice when the upload of one fails, and no more', async () => {
    const objects = memoryObjectStore()
    let slices = 0
    const failing: ObjectStore = new Proxy(objects, {
      get(_, name) {
        if (name !== 'put') return Reflect.get(objects, name, objects).bind(objects)
        return async (key: string, body: Uint8Array) => {
          if (key.startsWith('slices/') && ++slices === 4) throw new RegistryError('UNAVAILABLE', 'not now')
          await objects.put(key, body)
        }
      },
    })
    const bytes = noise(5, 8_000_000)
    const draft = slicedBlobStore(failing).draft('d')
    const writer = await draft.writer({ offset: 0, expected: bytes.length })
    const fill = async () => {
      for (let at = 0; at < bytes.length; at += 100_000) await writer.write(bytes.slice(at, at + 100_000))
    }
    await expect(fill()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await expect(writer.close()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(await draft.size()).toBe((256 + 512 + 1024) * KIB)
  })

  it('cuts its reader when a slice is missing', async () => {
    const objects = memoryObjectStore()
    const bytes = noise(6, 2_000_000)
    const store = slicedBlobStore(objects)
    await push(store, 'd', bytes)
    const slices = (await keysOf(objects)).filter((key) => key.startsWith('slices/'))
    await objects.delete(slices.slice(-1))
    const body = await store.open(digestOf(bytes))
    await expect(readAll(body?.stream ?? new ReadableStream())).rejects.toMatchObject({ code: 'UNKNOWN' })
  })

  it('has at most two slices open, and the second only near the end of the first', async () => {
    const objects = memoryObjectStore()
    const bytes = noise(7, 20_000_000)
    await push(slicedBlobStore(objects), 'd', bytes, bytes.length)
    let asked = 0
    const counting: ObjectStore = new Proxy(objects, {
      get(_, name) {
        if (name !== 'get') return Reflect.get(objects, name, objects).bind(objects)
        return (key: string, ...rest: []) => {
          if (key.startsWith('slices/')) asked++
          return objects.get(key, ...rest)
        }
      },
    })
    const body = await slicedBlobStore(counting).open(digestOf(bytes))
    const reader = body?.stream?.getReader()
    let got = 0
    let done = 0
    let border = borderAfter(0)
    for (;;) {
      const part = await reader?.read()
      if (!part || part.done) break
      got += part.value.length
      for (; got >= border; border = borderAfter(border)) done++
      expect(asked).toBeLessThanOrEqual(done + (border - got > 1024 * KIB ? 1 : 2))
    }
    expect(got).toBe(bytes.length)
  })
})

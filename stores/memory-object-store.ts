import type { ObjectEntry, ObjectStore, SizedStream } from '../registry/object-store.ts'
import type { Page, Slice } from '../registry/spec/pages.ts'
import type { ByteRange } from '../registry/spec/ranges.ts'
import { bytesStream, collect, partOf } from './sized.ts'

/** Objects in memory: for tests, and for records that may be forgotten at a restart. */
export function memoryObjectStore(): ObjectStore {
  return new MemoryObjectStore()
}

class MemoryObjectStore implements ObjectStore {
  readonly #objects = new Map<string, Uint8Array>()

  async put(key: string, body: Uint8Array | SizedStream): Promise<void> {
    this.#objects.set(key, body instanceof Uint8Array ? body.slice() : await collect(body))
  }

  async putIfAbsent(key: string, body: Uint8Array): Promise<boolean> {
    if (this.#objects.has(key)) return false
    this.#objects.set(key, body.slice())
    return true
  }

  async get(key: string, range?: ByteRange): Promise<SizedStream | undefined> {
    const bytes = this.#objects.get(key)
    if (!bytes) return undefined
    const { offset, length } = partOf(bytes.length, range)
    // A copy: whoever reads may write into what he reads, or transfer it.
    return { size: length, stream: bytesStream(bytes.slice(offset, offset + length)) }
  }

  async stat(key: string): Promise<{ readonly size: number } | undefined> {
    const bytes = this.#objects.get(key)
    return bytes && { size: bytes.length }
  }

  async delete(keys: readonly string[]): Promise<void> {
    for (const key of keys) this.#objects.delete(key)
  }

  async list(prefix: string, page: Page): Promise<Slice<ObjectEntry>> {
    const last = page.last ?? ''
    const keys = [...this.#objects.keys()].filter((key) => key.startsWith(prefix) && key > last).sort()
    const items = keys.slice(0, page.limit).map((key) => ({ key, size: this.#objects.get(key)?.length ?? 0 }))
    return { items, more: keys.length > page.limit }
  }
}

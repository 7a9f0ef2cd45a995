import { KEYS_AT_ONCE, type ObjectStorage } from '../../edge/worker/env.ts'

/** An object's storage in memory, with Cloudflare's bounds; it counts what is asked of it. */
export class MemoryObjectStorage implements ObjectStorage {
  readonly values = new Map<string, unknown>()
  /** The most values that one question gave. */
  most = 0

  async get(key: string): Promise<unknown>
  async get(keys: string[]): Promise<Map<string, unknown>>
  async get(keys: string | string[]): Promise<unknown> {
    if (typeof keys === 'string') return structuredClone(this.values.get(keys))
    bounded(keys.length)
    return new Map(keys.filter((key) => this.values.has(key)).map((key) => [key, structuredClone(this.values.get(key))]))
  }

  async put(key: string, value: unknown): Promise<void>
  async put(values: Readonly<Record<string, unknown>>): Promise<void>
  async put(first: string | Readonly<Record<string, unknown>>, value?: unknown): Promise<void> {
    const pairs: [string, unknown][] = typeof first === 'string' ? [[first, value]] : Object.entries(first)
    bounded(pairs.length)
    for (const [key, one] of pairs) this.values.set(key, structuredClone(one))
  }

  async delete(key: string): Promise<boolean>
  async delete(keys: string[]): Promise<number>
  async delete(keys: string | string[]): Promise<boolean | number> {
    if (typeof keys === 'string') return this.values.delete(keys)
    bounded(keys.length)
    return keys.filter((key) => this.values.delete(key)).length
  }

  async list({ prefix, startAfter, end, limit }: Parameters<ObjectStorage['list']>[0]): Promise<Map<string, unknown>> {
    const keys = [...this.values.keys()]
      .filter((key) => key.startsWith(prefix) && (startAfter === undefined || key > startAfter) && (end === undefined || key < end))
      .sort()
      .slice(0, limit)
    this.most = Math.max(this.most, keys.length)
    return new Map(keys.map((key) => [key, structuredClone(this.values.get(key))]))
  }
}

function bounded(count: number): void {
  if (count > KEYS_AT_ONCE) throw new RangeError(`${count} keys at once`)
}

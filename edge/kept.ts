import type { ObjectStore } from '../registry/object-store.ts'

/** Small JSON values that outlive a restart: the key pair, the enrolment, the feed's cursor, policy documents. Keys are as an ObjectStore's. */
export interface Kept {
  get(key: string): Promise<unknown>
  set(key: string, value: unknown): Promise<void>
  delete(key: string): Promise<void>
  /** Keys that begin with `prefix`, in their order. What is deleted on the way does not disturb. */
  keys(prefix: string): AsyncIterable<string>
}

export function keptIn(objects: ObjectStore): Kept {
  return {
    async get(key) {
      const found = await objects.get(key)
      return found === undefined ? undefined : await new Response(found.stream).json()
    },
    async set(key, value) {
      await objects.put(key, new TextEncoder().encode(JSON.stringify(value)))
    },
    async delete(key) {
      await objects.delete([key])
    },
    async *keys(prefix) {
      let last: string | undefined
      for (;;) {
        const { items, more } = await objects.list(prefix, { limit: KEYS_AT_ONCE, ...(last !== undefined && { last }) })
        for (const { key } of items) yield key
        last = items.at(-1)?.key
        if (!more) return
      }
    },
  }
}

/** Forgets with the process; for tests. */
export function keptInMemory(): Kept {
  const values = new Map<string, string>()
  return {
    async get(key) {
      const text = values.get(key)
      return text === undefined ? undefined : JSON.parse(text)
    },
    async set(key, value) {
      values.set(key, JSON.stringify(value))
    },
    async delete(key) {
      values.delete(key)
    },
    async *keys(prefix) {
      yield* [...values.keys()].filter((key) => key.startsWith(prefix)).sort()
    },
  }
}

const KEYS_AT_ONCE = 500

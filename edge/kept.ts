import type { ObjectStore } from '../registry/object-store.ts'

/** Small JSON values that outlive a restart: the key pair, the enrolment, the feed's cursor, policy documents. Keys are as an ObjectStore's. */
export interface Kept {
  get(key: string): Promise<unknown>
  set(key: string, value: unknown): Promise<void>
  delete(key: string): Promise<void>
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
  }
}

import { z } from 'zod'
import type { Key } from '../../space/ledger.ts'
import type { ObjectStorage } from '../env.ts'
import { READERS_MOST, SIGN_FOR_MS } from './limits.ts'

const PREFIX = 'reader/'
const schema = z.object({ keys: z.array(z.string()), until: z.number() })
type Reader = z.infer<typeof schema>

/** Who reads what: isolates and fills say it, and are believed for a while, for they may be ended without a word. */
export class Readers {
  readonly #storage: ObjectStorage
  readonly #readers = new Map<string, Reader>()
  readonly #reading = new Map<Key, number>()

  private constructor(storage: ObjectStorage) {
    this.#storage = storage
  }

  static async open(storage: ObjectStorage): Promise<Readers> {
    const readers = new Readers(storage)
    for (const [name, value] of await storage.list({ prefix: PREFIX, limit: READERS_MOST })) {
      const reader = schema.safeParse(value)
      if (reader.success) readers.#set(name.slice(PREFIX.length), reader.data)
    }
    return readers
  }

  has(key: Key): boolean {
    return this.#reading.has(key)
  }

  /** When the first of them is believed no longer. */
  get nextEnd(): number | undefined {
    let next: number | undefined
    for (const { until } of this.#readers.values()) next = Math.min(next ?? until, until)
    return next
  }

  /** This is all that `from` reads now. */
  async says(from: string, keys: readonly Key[], now: number): Promise<void> {
    if (keys.length === 0 && !this.#readers.has(from)) return
    if (keys.length === 0) return await this.#drop(from)
    if (!this.#readers.has(from) && this.#readers.size >= READERS_MOST) return
    const reader = { keys: [...keys], until: now + SIGN_FOR_MS }
    this.#set(from, reader)
    await this.#storage.put(PREFIX + from, reader)
  }

  async expire(now: number): Promise<void> {
    for (const [from, { until }] of this.#readers) if (until <= now) await this.#drop(from)
  }

  async #drop(from: string): Promise<void> {
    this.#set(from, undefined)
    await this.#storage.delete(PREFIX + from)
  }

  #set(from: string, reader: Reader | undefined): void {
    for (const key of this.#readers.get(from)?.keys ?? []) {
      const left = (this.#reading.get(key) ?? 1) - 1
      if (left > 0) this.#reading.set(key, left)
      else this.#reading.delete(key)
    }
    if (reader === undefined) this.#readers.delete(from)
    else this.#readers.set(from, reader)
    for (const key of reader?.keys ?? []) this.#reading.set(key, (this.#reading.get(key) ?? 0) + 1)
  }
}

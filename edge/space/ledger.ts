import { z } from 'zod'
import type { Clock } from '../../registry/clock.ts'
import type { ObjectStore } from '../../registry/object-store.ts'
import { SHARDS, USE_PRECISION_MS } from './limits.ts'

/** A thing that takes space: a blob by its digest, a draft by `draft/` and its id. */
export type Key = string

export interface Entry {
  readonly key: Key
  readonly size: number
  /** Milliseconds since the epoch. */
  readonly usedAt: number
}

interface Held {
  size: number
  usedAt: number
  /** The last use as it is written down. */
  keptAt: number
}

const shardSchema = z.object({ entries: z.array(z.tuple([z.string(), z.int().nonnegative(), z.number()])) })

const PREFIX = 'space/'

/** What is kept, how large it is, and when it was last used. In memory, in the order of last use; written down in shards when asked to. */
export class Ledger {
  readonly #objects: ObjectStore
  readonly #clock: Pick<Clock, 'now'>
  /** Least recently used first. */
  readonly #entries = new Map<Key, Held>()
  readonly #changed = new Set<number>()
  #bytes = 0

  private constructor(objects: ObjectStore, clock: Pick<Clock, 'now'>) {
    this.#objects = objects
    this.#clock = clock
  }

  /** As it was written down last. A shard that cannot be read counts as empty: a listing finds what was in it. */
  static async open(objects: ObjectStore, clock: Pick<Clock, 'now'>): Promise<Ledger> {
    const ledger = new Ledger(objects, clock)
    const shards = await Promise.all(Array.from({ length: SHARDS }, (_, index) => ledger.#read(index)))
    for (const [key, size, usedAt] of shards.flat().sort((a, b) => a[2] - b[2])) {
      ledger.#entries.set(key, { size, usedAt, keptAt: usedAt })
      ledger.#bytes += size
    }
    return ledger
  }

  /** Without what was written down, which cannot be read now: a listing finds it. */
  static unread(objects: ObjectStore, clock: Pick<Clock, 'now'>): Ledger {
    return new Ledger(objects, clock)
  }

  /** The sizes of all entries together. */
  get bytes(): number {
    return this.#bytes
  }

  get count(): number {
    return this.#entries.size
  }

  has(key: Key): boolean {
    return this.#entries.has(key)
  }

  /** It is here, and used now. */
  add(key: Key, size: number): void {
    this.remove(key)
    this.#entries.set(key, { size, usedAt: this.#clock.now(), keptAt: Number.NEGATIVE_INFINITY })
    this.#bytes += size
    this.#changed.add(shardOf(key))
  }

  /** It is used now. Nothing happens if it is not here. */
  touch(key: Key): void {
    const held = this.#entries.get(key)
    if (held === undefined) return
    held.usedAt = this.#clock.now()
    this.#entries.delete(key)
    this.#entries.set(key, held)
    if (held.usedAt - held.keptAt >= USE_PRECISION_MS) this.#changed.add(shardOf(key))
  }

  /** Its size; undefined: it was not here. */
  remove(key: Key): number | undefined {
    const held = this.#entries.get(key)
    if (held === undefined) return undefined
    this.#entries.delete(key)
    this.#bytes -= held.size
    this.#changed.add(shardOf(key))
    return held.size
  }

  /** Least recently used first. What is removed meanwhile is passed over. */
  *oldest(): Generator<Entry> {
    for (const [key, { size, usedAt }] of this.#entries) yield { key, size, usedAt }
  }

  /** Writes down what has changed. What could not be written is tried again the next time. */
  async keep(): Promise<void> {
    const changed = [...this.#changed]
    this.#changed.clear()
    if (changed.length === 0) return
    const shards = new Map(changed.map((index): [number, [Key, number, number][]] => [index, []]))
    const noted: [Held, number][] = []
    for (const [key, held] of this.#entries) {
      const shard = shards.get(shardOf(key))
      shard?.push([key, held.size, held.usedAt])
      if (shard !== undefined) noted.push([held, held.usedAt])
    }
    try {
      for (const [index, entries] of shards) await this.#objects.put(nameOf(index), new TextEncoder().encode(JSON.stringify({ entries })))
    } catch (error) {
      for (const index of changed) this.#changed.add(index)
      throw error
    }
    for (const [held, usedAt] of noted) held.keptAt = usedAt
  }

  async #read(index: number): Promise<[Key, number, number][]> {
    const object = await this.#objects.get(nameOf(index))
    if (object === undefined) return []
    const parsed = shardSchema.safeParse(await json(object.stream))
    return parsed.success ? parsed.data.entries : []
  }
}

async function json(stream: ReadableStream<Uint8Array>): Promise<unknown> {
  try {
    return await new Response(stream).json()
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function nameOf(index: number): string {
  return `${PREFIX}${index.toString(16).padStart(2, '0')}`
}

/** By the first two digits of a digest; all drafts are in one. */
function shardOf(key: Key): number {
  const colon = key.indexOf(':')
  return colon < 0 ? 0 : Number.parseInt(key.slice(colon + 1, colon + 3), 16) % SHARDS
}

import { z } from 'zod'
import type { Entry, Key } from '../../space/ledger.ts'
import type { ObjectStorage } from '../env.ts'
import { chunks } from './bucket-ledger.ts'
import { OLDEST_MOST } from './limits.ts'

const PREFIX = 'leaving/'
const schema = z.object({ size: z.number(), usedAt: z.number(), due: z.number() })

interface Leaving extends Entry {
  /** When it goes. */
  readonly due: number
}

/** What was chosen to go and is still there: whoever reads it now has until then to say so. */
export class LeavingBlobs {
  readonly #storage: ObjectStorage
  /** In the order in which they were chosen. */
  readonly #leaving = new Map<Key, Leaving>()
  #bytes = 0

  private constructor(storage: ObjectStorage) {
    this.#storage = storage
  }

  static async open(storage: ObjectStorage): Promise<LeavingBlobs> {
    const opened = new LeavingBlobs(storage)
    const found: Leaving[] = []
    for (const [name, value] of await storage.list({ prefix: PREFIX, limit: OLDEST_MOST })) {
      const held = schema.safeParse(value)
      if (held.success) found.push({ key: name.slice(PREFIX.length), ...held.data })
    }
    for (const one of found.sort((a, b) => a.due - b.due)) opened.#hold(one)
    return opened
  }

  get bytes(): number {
    return this.#bytes
  }

  get count(): number {
    return this.#leaving.size
  }

  /** How many more may be chosen. */
  get room(): number {
    return Math.max(0, OLDEST_MOST - this.#leaving.size)
  }

  get nextDue(): number | undefined {
    for (const { due } of this.#leaving.values()) return due
    return undefined
  }

  has(key: Key): boolean {
    return this.#leaving.has(key)
  }

  due(now: number, limit: number): Entry[] {
    const due: Entry[] = []
    for (const one of this.#leaving.values()) {
      if (one.due > now || due.length >= limit) break
      due.push(one)
    }
    return due
  }

  async add(entries: readonly Entry[], due: number): Promise<void> {
    const writes: Promise<void>[] = []
    for (const some of chunks(entries)) {
      for (const entry of some) this.#hold({ ...entry, due })
      writes.push(this.#storage.put(Object.fromEntries(some.map(({ key, size, usedAt }) => [PREFIX + key, { size, usedAt, due }]))))
    }
    await Promise.all(writes)
  }

  /** They leave no more: they stay, or are gone. Those that were leaving. */
  async remove(keys: readonly Key[]): Promise<readonly Entry[]> {
    const removed = [...new Set(keys)].flatMap((key) => this.#leaving.get(key) ?? [])
    for (const { key, size } of removed) {
      this.#leaving.delete(key)
      this.#bytes -= size
    }
    await Promise.all([...chunks(removed.map(({ key }) => PREFIX + key))].map((names) => this.#storage.delete(names)))
    return removed
  }

  #hold(one: Leaving): void {
    this.#bytes += one.size - (this.#leaving.get(one.key)?.size ?? 0)
    this.#leaving.set(one.key, one)
  }
}

import { z } from 'zod'
import { isDigest } from '../../../registry/spec/digests.ts'
import type { Entry, Key } from '../../space/ledger.ts'
import { KEYS_AT_ONCE, type ObjectStorage } from '../env.ts'

const SUM = 'sum'
const AT = 'at/'
const USE = 'use/'
const heldSchema = z.tuple([z.int().nonnegative(), z.number()])
const sumSchema = z.object({ bytes: z.number(), count: z.number() })

export type Kind = 'blobs' | 'drafts'

/**
 * What a bucket holds, how large it is and when it was last used, in an object's storage: nothing of it is in memory but the sums.
 *
 *     at/<kind>/<key>     [size, time of last use]
 *     use/<time>/<key>    size: the order of last use
 *     sum                 of all
 *
 * Each change is one write of the object's. Callers take turns.
 */
export class BucketLedger {
  readonly #storage: ObjectStorage
  #bytes = 0
  #count = 0

  private constructor(storage: ObjectStorage) {
    this.#storage = storage
  }

  static async open(storage: ObjectStorage): Promise<BucketLedger> {
    const ledger = new BucketLedger(storage)
    const sum = sumSchema.safeParse(await storage.get(SUM))
    if (sum.success) [ledger.#bytes, ledger.#count] = [sum.data.bytes, sum.data.count]
    return ledger
  }

  get bytes(): number {
    return this.#bytes
  }

  get count(): number {
    return this.#count
  }

  async find(keys: readonly Key[]): Promise<Map<Key, Entry>> {
    const found = new Map<Key, Entry>()
    for (const some of chunks(keys)) {
      const values = await this.#storage.get(some.map(nameOf))
      for (const key of some) {
        const entry = entryOf(key, values.get(nameOf(key)))
        if (entry !== undefined) found.set(key, entry)
      }
    }
    return found
  }

  /** They are here, so large and last used then, whatever was known of them. */
  async set(entries: readonly Entry[]): Promise<void> {
    const known = await this.find(entries.map(({ key }) => key))
    const puts = new Map<string, unknown>()
    const deletes = new Set<string>()
    for (const entry of new Map(entries.map((one) => [one.key, one])).values()) {
      const before = known.get(entry.key)
      if (before === undefined) this.#count++
      else deletes.add(useOf(before))
      this.#bytes += entry.size - (before?.size ?? 0)
      puts.set(nameOf(entry.key), [entry.size, entry.usedAt])
      puts.set(useOf(entry), entry.size)
    }
    await this.#write(puts, deletes)
  }

  /** Those of them that were here. */
  async remove(keys: readonly Key[]): Promise<readonly Entry[]> {
    const known = [...(await this.find(keys)).values()]
    const deletes = new Set<string>()
    for (const entry of known) {
      this.#count--
      this.#bytes -= entry.size
      deletes.add(nameOf(entry.key)).add(useOf(entry))
    }
    await this.#write(new Map(), deletes)
    return known
  }

  /** Least recently used first. `last` is where the next page goes on. */
  async oldest(page: { readonly limit: number; readonly last?: string }): Promise<{ readonly entries: readonly Entry[]; readonly last?: string }> {
    const { limit, last: startAfter } = page
    const found = await this.#storage.list({ prefix: USE, limit, ...(startAfter !== undefined && { startAfter }) })
    const names = [...found.keys()]
    const last = names.length < limit ? undefined : names.at(-1)
    return { entries: names.map((name) => entryOfUse(name, found.get(name))), ...(last !== undefined && { last }) }
  }

  /** In the order of their keys: those after `after`, up to and including `upTo`. */
  async between(kind: Kind, after: Key | undefined, upTo: Key | undefined, limit: number): Promise<readonly Entry[]> {
    const prefix = AT + (kind === 'blobs' ? 'blob/' : 'draft/')
    const found = await this.#storage.list({
      prefix,
      limit,
      ...(after !== undefined && { startAfter: nameOf(after) }),
      // No key has this after another one's name.
      ...(upTo !== undefined && { end: `${nameOf(upTo)}\0` }),
    })
    return [...found].flatMap(([name, value]) => entryOf(keyOf(name), value) ?? [])
  }

  async #write(puts: ReadonlyMap<string, unknown>, deletes: ReadonlySet<string>): Promise<void> {
    const writes: Promise<unknown>[] = [...chunks([...deletes].filter((name) => !puts.has(name)))].map((names) => this.#storage.delete(names))
    // Without a wait between them, they are written together or not at all.
    for (const some of chunks([...puts, [SUM, { bytes: this.#bytes, count: this.#count }] as const]))
      writes.push(this.#storage.put(Object.fromEntries(some)))
    await Promise.all(writes)
  }
}

export function* chunks<T>(items: readonly T[], size = KEYS_AT_ONCE): Generator<T[]> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size)
}

function nameOf(key: Key): string {
  return AT + (isDigest(key) ? `blob/${key}` : key)
}

function keyOf(name: string): Key {
  const key = name.slice(AT.length)
  return key.startsWith('blob/') ? key.slice('blob/'.length) : key
}

function useOf({ key, usedAt }: Entry): string {
  return `${USE}${String(Math.max(0, Math.trunc(usedAt))).padStart(16, '0')}/${key}`
}

function entryOf(key: Key, value: unknown): Entry | undefined {
  const held = heldSchema.safeParse(value)
  return held.success ? { key, size: held.data[0], usedAt: held.data[1] } : undefined
}

function entryOfUse(name: string, value: unknown): Entry {
  const end = name.indexOf('/', USE.length)
  return { key: name.slice(end + 1), size: Number(value), usedAt: Number(name.slice(USE.length, end)) }
}

import { z } from 'zod'
import type { BlobStore } from '../../../registry/blob-store.ts'
import type { Clock } from '../../../registry/clock.ts'
import type { Log } from '../../../registry/log.ts'
import type { ObjectStore } from '../../../registry/object-store.ts'
import { isDigest } from '../../../registry/spec/digests.ts'
import type { Entry, Key } from '../../space/ledger.ts'
import { AT_ONCE } from '../../space/limits.ts'
import type { Pin } from '../../space/pins.ts'
import { excess, firstPromise, rested, Victims } from '../../space/policy.ts'
import { draftKey, type SpaceStatus } from '../../space/space.ts'
import type { ObjectStorage } from '../env.ts'
import { BucketLedger, chunks } from './bucket-ledger.ts'
import { Fillings } from './fillings.ts'
import { LeavingBlobs } from './leaving.ts'
import {
  DELETED_AT_ONCE,
  LEAVING_MS,
  OLDEST_MOST,
  OLDEST_PAGE,
  PINS_PAGES,
  STEP_MS,
  TRIM_AGAIN_MS,
  UNKNOWN_AT_ONCE,
  USE_PRECISION_MS,
  USES_IN_MEMORY,
} from './limits.ts'
import { Look, sizeOf } from './look.ts'
import { Pinned } from './pinned.ts'
import { Readers } from './readers.ts'
import type { GrowthQuestion, RoomQuestion, SpaceNews } from './talk.ts'

const COUNTS = 'counts'
const countsSchema = z.object({ evicted: z.number(), evictedBytes: z.number(), refused: z.number() })

export interface BucketSpaceOptions {
  readonly storage: ObjectStorage
  /** Where the bytes are. */
  readonly blobs: BlobStore
  readonly records: ObjectStore
  /** How many bytes all may have together. */
  readonly capacity: number
  readonly pins: readonly Pin[]
  readonly clock: Pick<Clock, 'now'>
  readonly log: Log
}

interface Parts {
  readonly ledger: BucketLedger
  readonly readers: Readers
  readonly fillings: Fillings
  readonly leaving: LeavingBlobs
  readonly pinned: Pinned
  readonly look: Look
}

/**
 * One bucket's budget, where readers and writers are elsewhere and only tell what they do. What is chosen to go leaves the count at once
 * and the bucket a moment later, so that whoever has just begun to read it can still say so: by so much the bucket may be over its budget
 * for so long. All that must be known is in the object's storage; what is in memory is bounded, and so is each piece of the work.
 */
export class BucketSpace {
  readonly #options: BucketSpaceOptions
  readonly #parts: Parts
  #counts: z.infer<typeof countsSchema>
  /** Everything happens one after the other, except what goes on in the bucket. */
  #turn: Promise<unknown> = Promise.resolve()
  /** Uses that are not worth a write yet. */
  readonly #uses = new Map<Key, number>()
  readonly #deleting = new Map<Key, Promise<void>>()
  #trimAt: number

  private constructor(options: BucketSpaceOptions, parts: Parts, counts: z.infer<typeof countsSchema>) {
    this.#options = options
    this.#parts = parts
    this.#counts = counts
    this.#trimAt = options.clock.now()
  }

  static async open(options: BucketSpaceOptions): Promise<BucketSpace> {
    const { storage, blobs, records, pins } = options
    const ledger = await BucketLedger.open(storage)
    const counts = countsSchema.safeParse(await storage.get(COUNTS))
    const parts = {
      ledger,
      readers: await Readers.open(storage),
      fillings: await Fillings.open(storage),
      leaving: await LeavingBlobs.open(storage),
      pinned: await Pinned.open({ storage, records, pins }),
      look: await Look.open(storage, blobs, ledger, options.clock.now()),
    }
    return new BucketSpace(options, parts, counts.success ? counts.data : { evicted: 0, evictedBytes: 0, refused: 0 })
  }

  status(): SpaceStatus {
    const { ledger, leaving, fillings } = this.#parts
    return {
      stored: ledger.bytes + leaving.bytes,
      reserved: fillings.promised,
      capacity: this.#options.capacity,
      blobs: ledger.count + leaving.count,
      ...this.#counts,
    }
  }

  /** When `step` has something to do. */
  get due(): number {
    const { readers, fillings, leaving, pinned, look } = this.#parts
    const now = this.#options.clock.now()
    if (pinned.looking) return now
    const over = this.#over(0) > 0 ? Math.max(now, this.#trimAt) : undefined
    const times = [look.due(now), readers.nextEnd, fillings.nextEnd, leaving.nextDue, over]
    return Math.min(...times.filter((time) => time !== undefined))
  }

  async hear(news: SpaceNews): Promise<void> {
    const { unknown, missing } = await this.#inTurn(() => this.#take(news))
    await this.#learn(unknown, missing, this.#options.clock.now())
  }

  /** What is promised to the draft in all; undefined: there is no room, and none could be made. */
  async reserve({ draft, bytes, there, news }: RoomQuestion): Promise<number | undefined> {
    const key = draftKey(draft)
    await this.hear(news)
    await this.#deleting.get(key)
    return await this.#inTurn(async () => {
      const { ledger, leaving, fillings } = this.#parts
      const { clock } = this.#options
      // Whoever had room for it has given up, or is this one, whom nobody answered in time.
      await fillings.end(draft)
      const left = [...(await ledger.remove([key])), ...(await leaving.remove([key]))]
      const size = firstPromise(bytes, there)
      if (!(await this.#makeRoom(size))) {
        await ledger.set(left)
        await this.#count({ refused: 1 })
        return undefined
      }
      await fillings.begin(draft, size, there, clock.now())
      return size
    })
  }

  async grow({ draft, bytes }: GrowthQuestion): Promise<boolean> {
    return await this.#inTurn(async () => {
      const { fillings } = this.#parts
      if (!(await this.#makeRoom(bytes))) {
        await this.#count({ refused: 1 })
        return false
      }
      await fillings.grow(draft, bytes, this.#options.clock.now())
      return true
    })
  }

  /** A bounded piece of what is due. */
  async step(): Promise<void> {
    const { clock } = this.#options
    const { readers, fillings, pinned, look } = this.#parts
    const now = clock.now()
    const lost = await this.#inTurn(async () => {
      await readers.expire(now)
      const drafts = fillings.lost(now)
      for (const draft of drafts) await fillings.end(draft)
      return drafts
    })
    await this.#learn(lost.map(draftKey), [], now)
    if (pinned.looking) await pinned.look(now)
    if (look.due(now) <= now) {
      const { unknown, missing, begunAt, next } = await look.next(now)
      await this.#learn(unknown, missing, begunAt)
      await look.done(next, now)
    }
    if (this.#over(0) > 0 && this.#trimAt <= now) await this.#inTurn(() => this.#trim())
    await this.#deleteDue()
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work)
    this.#turn = result.catch(() => undefined)
    return result
  }

  #over(wanted: number): number {
    const { ledger, fillings } = this.#parts
    return excess({ stored: ledger.bytes, reserved: fillings.promised, capacity: this.#options.capacity }, wanted)
  }

  /** Takes down what is told, and returns what only the bucket can say: what nobody knew of may be there, what was not found may have come since. */
  async #take({ from, kept, gone, used, reading, writing, ended }: SpaceNews): Promise<{ unknown: Key[]; missing: Key[] }> {
    const { ledger, readers, fillings, leaving } = this.#parts
    const now = this.#options.clock.now()
    for (const draft of ended) await fillings.end(draft)
    for (const [draft, written] of writing) await fillings.says(draft, written, now)
    await readers.says(from, reading, now)
    await leaving.remove(kept.map(([key]) => key).filter((key) => !this.#deleting.has(key)))
    await ledger.set(kept.map(([key, size]) => ({ key, size, usedAt: now })))
    const inUse = [...new Set([...used, ...reading])].filter((key) => !this.#deleting.has(key))
    const stay = await leaving.remove(inUse)
    await ledger.set(stay.map((entry) => ({ ...entry, usedAt: now })))
    const known = await ledger.find([...inUse, ...gone])
    await this.#use(
      inUse.flatMap((key) => known.get(key) ?? []),
      now,
    )
    return {
      unknown: inUse.filter((key) => !known.has(key) && !this.#isElsewhere(key)).slice(0, UNKNOWN_AT_ONCE),
      missing: gone.filter((key) => known.has(key)).slice(0, UNKNOWN_AT_ONCE),
    }
  }

  /** Not in the ledger, and known all the same. */
  #isElsewhere(key: Key): boolean {
    const { leaving, fillings } = this.#parts
    return this.#deleting.has(key) || leaving.has(key) || (!isDigest(key) && fillings.has(key.slice(draftKey('').length)))
  }

  async #use(entries: readonly Entry[], now: number): Promise<void> {
    const written: Entry[] = []
    for (const entry of entries) {
      if (Math.abs(now - entry.usedAt) >= USE_PRECISION_MS || this.#uses.size >= USES_IN_MEMORY) {
        written.push({ ...entry, usedAt: now })
        this.#uses.delete(entry.key)
      } else this.#uses.set(entry.key, now)
    }
    await this.#parts.ledger.set(written)
  }

  /** Brings the ledger in line with the bucket. What comes or goes meanwhile is left alone. */
  async #learn(unknown: readonly Key[], missing: readonly Key[], usedAt: number): Promise<void> {
    if (unknown.length + missing.length === 0) return
    const { blobs } = this.#options
    const { ledger } = this.#parts
    const found = await inBatches([...unknown, ...missing], async (key) => ({ key, size: await sizeOf(blobs, key) }))
    const [asUnknown, asMissing] = [new Set(unknown), new Set(missing)]
    await this.#inTurn(async () => {
      const known = await ledger.find(unknown)
      const isNew = (key: Key) => asUnknown.has(key) && !known.has(key) && !this.#isElsewhere(key)
      await ledger.set(found.flatMap(({ key, size }) => (size !== undefined && isNew(key) ? [{ key, size, usedAt }] : [])))
      await ledger.remove(found.flatMap(({ key, size }) => (size === undefined && asMissing.has(key) ? [key] : [])))
    })
  }

  async #makeRoom(wanted: number): Promise<boolean> {
    const over = this.#over(wanted)
    if (over <= 0) return true
    if (wanted > this.#options.capacity) return false
    const victims = await this.#choose(over)
    if (!victims.enough) return false
    await this.#condemn(victims.chosen)
    return true
  }

  /** What nobody asked room for has come, or the budget is smaller than it was: as much goes as may. */
  async #trim(): Promise<void> {
    const victims = await this.#choose(this.#over(0))
    await this.#condemn(victims.chosen)
    this.#trimAt = this.#options.clock.now() + (victims.chosen.length === 0 ? TRIM_AGAIN_MS : STEP_MS)
  }

  async #condemn(entries: readonly Entry[]): Promise<void> {
    const { ledger, leaving } = this.#parts
    await Promise.all([ledger.remove(entries.map(({ key }) => key)), leaving.add(entries, this.#options.clock.now() + LEAVING_MS)])
  }

  /** Least recently used first, as far as they may go. What is pinned or read counts as used now, so that nobody looks at it again and again. */
  async #choose(bytes: number): Promise<Victims> {
    const { ledger, readers, leaving, pinned } = this.#parts
    const now = this.#options.clock.now()
    const victims = new Victims(bytes)
    pinned.refresh(now)
    for (let page = 0; page < PINS_PAGES && !pinned.known; page++) await pinned.look(now)
    if (!pinned.known || bytes > ledger.bytes) return victims
    await this.#writeUses()
    let last: string | undefined
    for (let seen = 0; seen < OLDEST_MOST && !victims.enough; seen += OLDEST_PAGE) {
      const page = await ledger.oldest({ limit: OLDEST_PAGE, ...(last !== undefined && { last }) })
      const stays = await pinned.of(page.entries.map(({ key }) => key))
      const later: Entry[] = []
      for (const entry of page.entries) {
        if (victims.enough || victims.chosen.length >= leaving.room) break
        if (!stays.has(entry.key) && !readers.has(entry.key)) {
          if (rested(entry, now)) victims.add(entry)
        } else if (entry.usedAt < now) later.push({ ...entry, usedAt: now })
      }
      await ledger.set(later)
      last = page.last
      if (last === undefined) break
    }
    return victims
  }

  async #writeUses(): Promise<void> {
    const { ledger } = this.#parts
    const known = await ledger.find([...this.#uses.keys()])
    await ledger.set([...known.values()].map((entry) => ({ ...entry, usedAt: Math.max(entry.usedAt, this.#uses.get(entry.key) ?? 0) })))
    this.#uses.clear()
  }

  async #deleteDue(): Promise<void> {
    const { leaving, readers } = this.#parts
    const { clock } = this.#options
    const due = await this.#inTurn(async () => {
      const chosen = leaving.due(clock.now(), DELETED_AT_ONCE).filter(({ key }) => !this.#deleting.has(key))
      const read = chosen.filter(({ key }) => readers.has(key))
      await this.#parts.ledger.set((await leaving.remove(read.map(({ key }) => key))).map((entry) => ({ ...entry, usedAt: clock.now() })))
      return chosen.filter(({ key }) => !readers.has(key)).map((entry) => ({ entry, gone: this.#leave(entry.key) }))
    })
    const outcomes = await inBatches(due, async ({ entry, gone }) => ({ entry, deleted: await this.#delete(entry), gone }))
    await this.#inTurn(async () => {
      await leaving.remove(outcomes.map(({ entry }) => entry.key))
      for (const { gone } of outcomes) gone()
      const back = outcomes.filter(({ deleted }) => !deleted).map(({ entry }) => ({ ...entry, usedAt: clock.now() }))
      await this.#parts.ledger.set(back)
      const went = outcomes.filter(({ deleted }) => deleted)
      if (went.length > 0) await this.#count({ evicted: went.length, evictedBytes: went.reduce((sum, { entry }) => sum + entry.size, 0) })
    })
  }

  /** From now on it is going, and cannot stay. */
  #leave(key: Key): () => void {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#deleting.set(key, promise)
    return () => {
      this.#deleting.delete(key)
      resolve()
    }
  }

  async #delete({ key, size }: Entry): Promise<boolean> {
    const { blobs, log } = this.#options
    try {
      if (isDigest(key)) await blobs.delete(key)
      else await blobs.draft(key.slice(draftKey('').length)).discard()
      log.debug({ key, size }, 'evicted')
      return true
    } catch (error) {
      log.warn({ key, size, error }, 'this could not be evicted')
      return false
    }
  }

  async #count(more: Partial<z.infer<typeof countsSchema>>): Promise<void> {
    const { evicted, evictedBytes, refused } = this.#counts
    this.#counts = {
      evicted: evicted + (more.evicted ?? 0),
      evictedBytes: evictedBytes + (more.evictedBytes ?? 0),
      refused: refused + (more.refused ?? 0),
    }
    await this.#options.storage.put(COUNTS, this.#counts)
  }
}

async function inBatches<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  for (const some of chunks(items, AT_ONCE)) results.push(...(await Promise.all(some.map(work))))
  return results
}

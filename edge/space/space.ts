import type { BlobStore } from '../../registry/blob-store.ts'
import { type Clock, steady } from '../../registry/clock.ts'
import type { Log } from '../../registry/log.ts'
import { isDigest } from '../../registry/spec/digests.ts'
import type { Entry, Key, Ledger } from './ledger.ts'
import { AT_ONCE, REFUSALS_TOLD_MS } from './limits.ts'
import { excess, firstPromise, furtherPromise, rested, Victims } from './policy.ts'
import type { Reads } from './reads.ts'

export interface SpaceOptions {
  /** Where the bytes are; not the store that reserves. */
  readonly blobs: BlobStore
  readonly ledger: Ledger
  readonly reads: Reads
  readonly clock: Pick<Clock, 'now' | 'monotonic'>
  readonly log: Log
  /** How many bytes all may have together, while `occupied` of them are there. */
  readonly capacity: (occupied: number) => Promise<number>
  /** What must stay. */
  readonly pinned: () => Promise<ReadonlySet<Key>>
}

export interface SpaceStatus {
  /** Bytes of blobs and of drafts that nobody writes. */
  readonly stored: number
  /** Bytes promised to fills under way. */
  readonly reserved: number
  /** When it was last looked at, which is at most half a minute ago; undefined: it has no end. */
  readonly capacity: number | undefined
  readonly blobs: number
  readonly evicted: number
  readonly evictedBytes: number
  /** Fills that found no room. */
  readonly refused: number
}

export function draftKey(id: string): Key {
  return `draft/${id}`
}

/** The cache's budget: whoever wants to write asks for room first, and what was used longest ago makes place. */
export class Space {
  readonly #options: SpaceOptions
  readonly #reservations = new Set<Reservation>()
  readonly #leaving = new Map<Key, Promise<void>>()
  /** Room is made for one after the other, so that nobody evicts for what another has evicted for already. */
  #turn: Promise<unknown> = Promise.resolve()
  #capacity: number | undefined
  #evicted = 0
  #evictedBytes = 0
  #refused = 0
  #toldAt = Number.NEGATIVE_INFINITY

  constructor(options: SpaceOptions) {
    this.#options = options
  }

  status(): SpaceStatus {
    const { ledger } = this.#options
    return {
      stored: ledger.bytes,
      reserved: this.#reserved(),
      capacity: this.#capacity,
      blobs: ledger.count,
      evicted: this.#evicted,
      evictedBytes: this.#evictedBytes,
      refused: this.#refused,
    }
  }

  /**
   * Room for a draft of `bytes` in all, of which `there` exist already; the least recently used makes place if need be. `bytes` undefined:
   * nobody knows, it grows. undefined: there is no room, and none could be made.
   */
  reserve(draft: string, bytes: number | undefined, there: number): Promise<Reservation | undefined> {
    return this.#inTurn(async () => {
      const key = draftKey(draft)
      const left = this.#options.ledger.remove(key)
      const wanted = firstPromise(bytes, there)
      if (!(await this.#makeRoom(wanted))) {
        if (left !== undefined) this.#options.ledger.add(key, left)
        this.#refuse(wanted)
        return undefined
      }
      const reservation: Reservation = new Reservation(wanted, there, {
        more: (size) => this.#inTurn(() => this.#makeRoom(size)),
        end: () => this.#reservations.delete(reservation),
      })
      this.#reservations.add(reservation)
      return reservation
    })
  }

  /** What is over the budget goes, as far as it may: the budget may be smaller than it was, or others fill the disk. */
  trim(): Promise<void> {
    return this.#inTurn(async () => {
      const over = await this.#excess(0)
      if (over > 0) await this.#evict(over, { partly: true })
    })
  }

  /** The disk was full for somebody else: evicts so many bytes, if there are as many. Whether it did. */
  squeeze(bytes: number): Promise<boolean> {
    return this.#inTurn(() => this.#evict(bytes))
  }

  /** Resolves when what is just being evicted under this key is gone: only then may it be looked for. */
  left(key: Key): Promise<void> | undefined {
    return this.#leaving.get(key)
  }

  /** Said once a minute: with pins as large as the cache, it is so for every blob. */
  #refuse(wanted: number): void {
    this.#refused++
    const { clock, log, ledger } = this.#options
    const now = steady(clock)
    if (now - this.#toldAt < REFUSALS_TOLD_MS) return
    this.#toldAt = now
    log.warn(
      { wanted, stored: ledger.bytes, capacity: this.#capacity, refused: this.#refused },
      'the cache has no room, and nothing in it may go: what comes is passed through and not kept',
    )
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work)
    this.#turn = result.catch(() => undefined)
    return result
  }

  #reserved(): number {
    let bytes = 0
    for (const { size } of this.#reservations) bytes += size
    return bytes
  }

  #occupied(): number {
    let bytes = this.#options.ledger.bytes
    for (const { written } of this.#reservations) bytes += written
    return bytes
  }

  async #makeRoom(wanted: number): Promise<boolean> {
    const over = await this.#excess(wanted)
    return over <= 0 || (await this.#evict(over))
  }

  /** How many bytes too many there are, with so many more. */
  async #excess(wanted: number): Promise<number> {
    const capacity = await this.#options.capacity(this.#occupied())
    this.#capacity = Number.isFinite(capacity) ? capacity : undefined
    return excess({ stored: this.#options.ledger.bytes, reserved: this.#reserved(), capacity }, wanted)
  }

  /** Whether so many bytes are free now. Unless it may be partly, nothing goes when there are not as many that may. */
  async #evict(bytes: number, { partly = false }: { readonly partly?: boolean } = {}): Promise<boolean> {
    const { ledger, pinned } = this.#options
    if (bytes > ledger.bytes && !partly) return false
    const stays = await pinned()
    const victims = new Victims(bytes)
    for (const entry of ledger.oldest()) {
      if (victims.enough) break
      if (this.#mayGo(entry, stays)) victims.add(entry)
    }
    if (!victims.enough && !partly) return false
    const { chosen } = victims
    let freed = 0
    for (let at = 0; at < chosen.length; at += AT_ONCE) {
      const sizes = await Promise.all(chosen.slice(at, at + AT_ONCE).map((entry) => this.#drop(entry, stays)))
      for (const size of sizes) freed += size
    }
    return freed >= bytes
  }

  #mayGo(entry: Entry, stays: ReadonlySet<Key>): boolean {
    const { reads, clock } = this.#options
    return !stays.has(entry.key) && !reads.has(entry.key) && rested(entry, clock.now())
  }

  /** How many bytes that has freed. */
  async #drop(entry: Entry, stays: ReadonlySet<Key>): Promise<number> {
    const { blobs, ledger, log } = this.#options
    const { key, size } = entry
    // It may have found a reader while others were dropped.
    if (!ledger.has(key) || !this.#mayGo(entry, stays)) return 0
    ledger.remove(key)
    const gone = Promise.withResolvers<void>()
    this.#leaving.set(key, gone.promise)
    try {
      if (isDigest(key)) await blobs.delete(key)
      else await blobs.draft(key.slice(draftKey('').length)).discard()
      this.#evicted++
      this.#evictedBytes += size
      log.debug({ key, size }, 'evicted')
      return size
    } catch (error) {
      log.warn({ key, size, error }, 'this could not be evicted')
      ledger.add(key, size)
      return 0
    } finally {
      this.#leaving.delete(key)
      gone.resolve()
    }
  }
}

/** A promise of room, from the first byte of a draft to its end. */
export class Reservation {
  /** What is promised in all. */
  size: number
  /** What of it is on the disk. */
  written: number
  readonly #on: { more(size: number): Promise<boolean>; end(): void }

  constructor(size: number, written: number, on: { more(size: number): Promise<boolean>; end(): void }) {
    this.size = size
    this.written = written
    this.#on = on
  }

  /** Before so many bytes more are written. undefined: they are promised; else whether they are now. */
  writing(bytes: number): Promise<boolean> | undefined {
    this.written += bytes
    return this.written <= this.size ? undefined : this.#grow()
  }

  /** The draft is written no more: what is there is an entry of the ledger now, or gone. */
  end(): void {
    this.#on.end()
  }

  async #grow(): Promise<boolean> {
    const size = furtherPromise(this.size, this.written)
    if (!(await this.#on.more(size))) return false
    this.size += size
    return true
  }
}

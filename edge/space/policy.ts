import { isDigest } from '../../registry/spec/digests.ts'
import type { Entry } from './ledger.ts'
import { DRAFT_REST_MS, GROWTH_BYTES } from './limits.ts'

// What goes, and for whom: the same for a folder, a bucket of one process, and a bucket of a Worker. No I/O.

export interface Occupancy {
  /** Bytes of blobs and of drafts that nobody writes. */
  readonly stored: number
  /** Bytes promised to fills under way. */
  readonly reserved: number
  readonly capacity: number
}

/** How many bytes have to go before `wanted` more fit; none have to if it is not above 0. */
export function excess({ stored, reserved, capacity }: Occupancy, wanted: number): number {
  return stored + reserved + wanted - capacity
}

/** What a draft is promised at first, of which `there` exist already. `bytes` is all of it, or undefined: nobody knows, it grows. */
export function firstPromise(bytes: number | undefined, there: number): number {
  return Math.max(bytes ?? there + GROWTH_BYTES, there)
}

/** What it is promised besides when it has used up what it had. */
export function furtherPromise(promised: number, written: number): number {
  return Math.max(GROWTH_BYTES, written - promised)
}

/**
 * Whether it may go as far as its last use is concerned: a draft that was closed a moment ago is about to be committed or taken up. A clock
 * that was set back makes a use lie in the future: that says nothing about how long ago it was.
 */
export function rested({ key, usedAt }: Entry, now: number): boolean {
  return isDigest(key) || Math.abs(now - usedAt) >= DRAFT_REST_MS
}

/** Gathers what goes, from those that may, least recently used first. All of it or nothing: a cache is not emptied for what will not fit. */
export class Victims {
  readonly #bytes: number
  readonly #chosen: Entry[] = []
  #found = 0

  constructor(bytes: number) {
    this.#bytes = bytes
  }

  get enough(): boolean {
    return this.#found >= this.#bytes
  }

  get chosen(): readonly Entry[] {
    return this.#chosen
  }

  add(entry: Entry): void {
    this.#chosen.push(entry)
    this.#found += entry.size
  }
}

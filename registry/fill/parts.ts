import { type Clock, steady } from '../clock.ts'
import { dropOldest } from '../oldest.ts'
import type { FillLimits } from './limits.ts'

/** Sources that give blobs whole and no part of them as it should be, by their ids. Each is believed again after a while. */
export class WholeOnly {
  readonly #clock: Clock
  readonly #limits: FillLimits
  /** Until when; oldest first. */
  readonly #until = new Map<string, number>()
  /** Those that failed at a part once, which anybody may. */
  readonly #suspected = new Set<string>()

  constructor(clock: Clock, limits: FillLimits) {
    this.#clock = clock
    this.#limits = limits
  }

  has(source: string): boolean {
    const until = this.#until.get(source)
    if (until === undefined) return false
    if (steady(this.#clock) < until) return true
    this.#until.delete(source)
    return false
  }

  /** It failed at a part of a blob whose whole came. A second time in a row, and it is one of these. */
  suspect(source: string): void {
    if (this.#suspected.has(source)) {
      this.add(source)
      return
    }
    this.#suspected.add(source)
    dropOldest(this.#suspected, this.#limits.remembered)
  }

  /** It gave a part. */
  trust(source: string): void {
    this.#suspected.delete(source)
  }

  add(source: string): void {
    this.#suspected.delete(source)
    this.#until.delete(source)
    this.#until.set(source, steady(this.#clock) + this.#limits.wholeOnlyMs)
    dropOldest(this.#until, this.#limits.remembered)
  }
}

/** Whether a source may be asked for parts of one blob. They are only a means: what cannot be had by them is asked for whole. */
export class Parts {
  readonly #source: string
  readonly #wholeOnly: WholeOnly
  #refused: 'no' | 'perhaps' | 'surely' = 'no'
  #used = false

  constructor(source: string, wholeOnly: WholeOnly) {
    this.#source = source
    this.#wholeOnly = wholeOnly
  }

  get usable(): boolean {
    return this.#refused === 'no' && !this.#wholeOnly.has(this.#source)
  }

  use(): void {
    this.#used = true
    this.#wholeOnly.trust(this.#source)
  }

  /** The source gave no part of this blob, so the rest is asked for whole. `surely`: it is the part that it refuses, and it is not away. */
  refused(surely: boolean): void {
    this.#refused = surely || this.#refused === 'surely' ? 'surely' : 'perhaps'
  }

  /** What came by parts was wrong. */
  wrong(): void {
    if (this.#used) this.#refused = 'surely'
  }

  /** The blob has come after all. */
  came(): void {
    if (this.#refused === 'surely') this.#wholeOnly.add(this.#source)
    else if (this.#refused === 'perhaps') this.#wholeOnly.suspect(this.#source)
  }
}

import { type Clock, steady } from '../clock.ts'
import type { ByteRange } from '../spec/ranges.ts'
import type { FillLimits } from './limits.ts'

/** Who reads a fill, and whether it is worth going on for them. */
export class Audience {
  readonly #clock: Clock
  readonly #limits: FillLimits
  #consumers = 0
  /** Of the consumers, those that read on and on, and not a part here and there. */
  #streams = 0
  /** Of the consumers, those that go on without this fill. */
  #behind = 0
  /** Of the consumers, those that can go on only when the fill has ended. */
  #waiting = 0
  #lastAsked: number

  constructor(clock: Clock, limits: FillLimits) {
    this.#clock = clock
    this.#limits = limits
    this.#lastAsked = steady(clock)
  }

  get isFull(): boolean {
    return this.#consumers >= this.#limits.consumers
  }

  /** Somebody takes what comes, and keeps up. */
  get keepsUp(): boolean {
    return this.#consumers > this.#behind + this.#waiting
  }

  /** Somebody reads on and on. */
  get streams(): boolean {
    return this.#streams > 0
  }

  /** `range`: what is read; undefined: all. */
  join(range: ByteRange | undefined): void {
    this.#consumers++
    if (this.#isStream(range)) this.#streams++
    this.touch()
  }

  leave(range: ByteRange | undefined): void {
    this.#consumers--
    if (this.#isStream(range)) this.#streams--
  }

  /** One of them goes on without this fill. */
  fallBehind(): void {
    this.#behind++
  }

  /** One of those that fell behind has left. */
  leaveBehind(): void {
    this.#behind--
  }

  /** One of them can go on only when the fill has ended, as `ended` tells. */
  async waitFor<T>(ended: Promise<T>): Promise<T> {
    this.#waiting++
    try {
      return await ended
    } finally {
      this.#waiting--
    }
  }

  /** Somebody wants the blob, though not from here. */
  touch(): void {
    this.#lastAsked = steady(this.#clock)
  }

  /** Whether to go on with `left` bytes of `size`. What is not stored is there for those who keep up only. */
  wants({ storing, size, left }: { readonly storing: boolean; readonly size: number; readonly left: number }): boolean {
    if (this.keepsUp) return true
    if (!storing) return false
    if (this.#consumers > this.#behind) return true
    const { lingerMs, abandonBytes, abandonShare } = this.#limits
    return steady(this.#clock) - this.#lastAsked < lingerMs || left <= abandonBytes || left <= size * abandonShare
  }

  #isStream(range: ByteRange | undefined): boolean {
    return range === undefined || range.length > this.#limits.aheadBytes
  }
}

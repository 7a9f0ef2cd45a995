import { createHash } from 'node:crypto'

/** Numbers that follow from a seed (mulberry32): the same seed and name, the same numbers. */
export class Random {
  #state: number

  constructor(seed: number, name: string) {
    this.#state = createHash('sha256').update(`${seed} ${name}`).digest().readUInt32LE()
  }

  /** From 0, below 1. */
  fraction(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number, both ends included. */
  between(from: number, to: number): number {
    return from + Math.floor(this.fraction() * (to - from + 1))
  }

  chance(share: number): boolean {
    return this.fraction() < share
  }

  /** @throws RangeError when there is nothing to choose from */
  one<T>(of: readonly T[]): T {
    const chosen = of[this.between(0, of.length - 1)]
    if (chosen === undefined) throw new RangeError('nothing to choose from')
    return chosen
  }
}

import { type Clock, steady } from '../clock.ts'
import { Memory } from './memory.ts'

/** What is not there, remembered for a moment. Bounded. */
export class Negatives {
  readonly #clock: Clock
  readonly #until: Memory<number>

  constructor(clock: Clock, limit: number) {
    this.#clock = clock
    this.#until = new Memory(limit)
  }

  has(key: string): boolean {
    const until = this.#until.get(key)
    if (until === undefined) return false
    if (steady(this.#clock) < until) return true
    this.#until.delete(key)
    return false
  }

  add(key: string, ms: number): void {
    this.#until.set(key, steady(this.#clock) + ms)
  }

  delete(key: string): void {
    this.#until.delete(key)
  }

  deletePrefix(prefix: string): void {
    this.#until.deletePrefix(prefix)
  }
}

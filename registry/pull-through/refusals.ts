import { type Clock, steady } from '../clock.ts'
import type { RegistryError } from '../spec/errors.ts'
import { Memory } from './memory.ts'

/** What the source refused to give, or gave wrongly: for a moment the error is repeated without asking again. Bounded. */
export class Refusals {
  readonly #clock: Clock
  readonly #known: Memory<{ readonly until: number; readonly error: RegistryError }>

  constructor(clock: Clock, limit: number) {
    this.#clock = clock
    this.#known = new Memory(limit)
  }

  /** @throws the error of a moment ago */
  check(key: string): void {
    const known = this.#known.get(key)
    if (known === undefined) return
    if (steady(this.#clock) < known.until) throw known.error
    this.#known.delete(key)
  }

  add(key: string, error: RegistryError, ms: number): void {
    this.#known.set(key, { until: steady(this.#clock) + ms, error })
  }

  delete(key: string): void {
    this.#known.delete(key)
  }

  deletePrefix(prefix: string): void {
    this.#known.deletePrefix(prefix)
  }
}

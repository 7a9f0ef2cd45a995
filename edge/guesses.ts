import { type Clock, steady } from '../registry/clock.ts'
import { RegistryError } from '../registry/spec/errors.ts'
import { GUESSES_AT_ONCE, GUESSES_PER_SECOND } from './limits.ts'

/**
 * Names come from clients, without number, and each that an edge has not heard of costs its origin a question. A few may be asked for at
 * once, and a few a second that turn out to be nobody's; names that turn out to be somebody's cost nothing.
 */
export class Guesses {
  readonly #clock: Pick<Clock, 'now' | 'monotonic'>
  #left = GUESSES_AT_ONCE
  #countedAt: number

  constructor(clock: Pick<Clock, 'now' | 'monotonic'>) {
    this.#clock = clock
    this.#countedAt = steady(clock)
  }

  /** Call it before the question, and `right` on what it gives when the name was somebody's. @throws RegistryError TOOMANYREQUESTS */
  take(): { right(): void } {
    const now = steady(this.#clock)
    const regained = ((now - this.#countedAt) * GUESSES_PER_SECOND) / 1000
    this.#left = Math.min(GUESSES_AT_ONCE, this.#left + regained)
    this.#countedAt = now
    if (this.#left < 1) {
      throw new RegistryError('TOOMANYREQUESTS', 'Too many names that this edge does not know are asked for. Try again in a moment.', undefined, {
        headers: { 'Retry-After': '1' },
      })
    }
    this.#left--
    return {
      right: () => {
        this.#left = Math.min(GUESSES_AT_ONCE, this.#left + 1)
      },
    }
  }
}

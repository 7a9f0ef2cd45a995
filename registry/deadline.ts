import { type Clock, steady } from './clock.ts'

/**
 * A deadline that is set and lifted over and over, as between the chunks of a body: all on one timer, which runs on and is looked at when
 * it goes off. So a wait that ends in time costs no timer.
 */
export class Deadline<T> {
  readonly #clock: Clock
  readonly #onLate: (reason: T) => void
  #due: { readonly at: number; readonly reason: T } | undefined
  #timer: { readonly at: number; readonly stop: () => void } | undefined

  /** `onLate` hears what the deadline that passed was set with. */
  constructor(clock: Clock, onLate: (reason: T) => void) {
    this.#clock = clock
    this.#onLate = onLate
  }

  /** `ms` from now, in place of the one before. */
  set(ms: number, reason: T): void {
    const at = steady(this.#clock) + ms
    this.#due = { at, reason }
    if (this.#timer !== undefined && this.#timer.at <= at) return
    this.#timer?.stop()
    this.#start(at)
  }

  /** There is none now. Its timer may still run; `end` stops that too. */
  lift(): void {
    this.#due = undefined
  }

  end(): void {
    this.#due = undefined
    this.#timer?.stop()
    this.#timer = undefined
  }

  #start(at: number): void {
    this.#timer = { at, stop: this.#clock.after(at - steady(this.#clock), () => this.#look()) }
  }

  #look(): void {
    this.#timer = undefined
    const due = this.#due
    if (due === undefined) return
    if (steady(this.#clock) < due.at) {
      this.#start(due.at)
      return
    }
    this.#due = undefined
    this.#onLate(due.reason)
  }
}

import { type Clock, steady } from '../clock.ts'

/** What a registry says that knows the method not, or not here (RFC 9110, 9.3.2 asks for it; some do without). */
const NOT_TAKEN: ReadonlySet<number> = new Set([400, 405, 501])

/** Whether the answer to a HEAD says something of the method, and nothing of what was asked about: GET tells more. */
export function takesNoHead(status: number): boolean {
  return NOT_TAKEN.has(status)
}

/** Whether a registry takes a form of request that it may do without; that it does not is remembered for a while: it may learn it. */
export class Taken {
  readonly #clock: Clock
  readonly #ms: number
  #refusedUntil = Number.NEGATIVE_INFINITY

  constructor(clock: Clock, ms: number) {
    this.#clock = clock
    this.#ms = ms
  }

  get taken(): boolean {
    return steady(this.#clock) >= this.#refusedUntil
  }

  /** It refused it, and answered to the other form after it. */
  refused(): void {
    this.#refusedUntil = steady(this.#clock) + this.#ms
  }
}

import { type Clock, pause } from '../clock.ts'

/** At most so many bytes a second, for all who share it. */
export class Pace {
  #bytesPerSecond: number
  readonly #clock: Clock
  /** When what was taken so far will have gone, at this pace. */
  #free: number

  constructor({ bytesPerSecond, clock }: { readonly bytesPerSecond: number; readonly clock: Clock }) {
    this.#bytesPerSecond = bytesPerSecond
    this.#clock = clock
    this.#free = clock.now()
  }

  /** From now on: what was taken before goes at the speed that was. */
  set bytesPerSecond(bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond
  }

  async take(bytes: number, signal: AbortSignal): Promise<void> {
    const now = this.#clock.now()
    const wait = this.#free - now
    this.#free = Math.max(this.#free, now) + (bytes / this.#bytesPerSecond) * 1000
    if (wait > 0) await pause(this.#clock, wait, signal)
  }
}

import { type Clock, pause, steady } from '../../registry/clock.ts'

export interface GatheringOptions {
  readonly clock: Clock
  /** How long the first one waits for more. */
  readonly forMs: number
  /** Whoever has gathered for so long was ended. */
  readonly lostMs: number
}

/**
 * What many requests of an isolate have to tell goes together: the first one waits a moment and sends for all. Only values are shared
 * between requests, never promises: in a Worker, what one request waits for ends with that request.
 */
export class Gathering {
  readonly #options: GatheringOptions
  #since: number | undefined

  constructor(options: GatheringOptions) {
    this.#options = options
  }

  /** Whether the caller is the one who sends, a moment later. */
  async turn(): Promise<boolean> {
    const { clock, forMs, lostMs } = this.#options
    const began = steady(clock)
    if (this.#since !== undefined && began - this.#since < lostMs) return false
    this.#since = began
    try {
      await pause(clock, forMs)
    } finally {
      this.#since = undefined
    }
    return true
  }
}

/** How long a link goes on sending from its queue while the sender is busy elsewhere: what a late timer costs is made up for within it. */
const QUEUE_MS = 25

/** One link with a bandwidth, shared by everything that goes over it. */
export class Link {
  readonly #bytesPerSecond: () => number | undefined
  #freeAt = 0

  constructor(bytesPerSecond: () => number | undefined) {
    this.#bytesPerSecond = bytesPerSecond
  }

  /** Resolves when these bytes have gone over it. */
  async carry(bytes: number): Promise<void> {
    const rate = this.#bytesPerSecond()
    if (rate === undefined) return
    const now = performance.now()
    this.#freeAt = Math.max(now - QUEUE_MS, this.#freeAt) + (bytes / rate) * 1000
    // Timers are no finer than this.
    if (this.#freeAt - now > 1) await new Promise((resolve) => setTimeout(resolve, this.#freeAt - now))
  }
}

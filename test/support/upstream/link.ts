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
    this.#freeAt = Math.max(now, this.#freeAt) + (bytes / rate) * 1000
    // Timers are no finer than this; what they are late by is made up for, because `freeAt` goes by the bytes alone.
    if (this.#freeAt - now > 1) await new Promise((resolve) => setTimeout(resolve, this.#freeAt - now))
  }
}

/** Wakes everybody who waits, each time it rings; nothing is kept for who comes later. */
export class Bell {
  #next = Promise.withResolvers<void>()

  /** Take it before looking at what may change: then no ring is missed. */
  get next(): Promise<void> {
    return this.#next.promise
  }

  ring(): void {
    const { resolve } = this.#next
    this.#next = Promise.withResolvers<void>()
    resolve()
  }
}

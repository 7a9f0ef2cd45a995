/** Wakes everybody who waits, each time it rings; nothing is kept for who comes later. */
export class Bell {
  /** Made when somebody waits: most chunks come while nobody does. */
  #next: PromiseWithResolvers<void> | undefined

  /** Take it before looking at what may change: then no ring is missed. */
  get next(): Promise<void> {
    this.#next ??= Promise.withResolvers<void>()
    return this.#next.promise
  }

  ring(): void {
    const next = this.#next
    this.#next = undefined
    next?.resolve()
  }
}

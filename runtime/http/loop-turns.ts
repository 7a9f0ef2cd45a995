/** Bytes of large answers that go out in one turn of the event loop: some tenths of a millisecond of it. */
const BYTES = 1024 * 1024

/**
 * Has large answers take turns with each other and with everything else: in each turn of the event loop so many bytes of them go out, first come
 * first served. Without it a small request waits until every transfer that is ready has written its piece.
 */
export class LoopTurns {
  #left = BYTES
  #next: NodeJS.Immediate | undefined
  #waiting: { readonly bytes: number; readonly go: () => void }[] = []

  /** undefined: write them now. Else when it resolves. */
  ask(bytes: number): Promise<void> | undefined {
    if (this.#left > 0 && this.#waiting.length === 0) {
      this.#left -= bytes
      // Not at each piece: where few are read, the loop would turn for nothing.
      if (this.#left < BYTES / 2) this.#next ??= setImmediate(() => this.#turn())
      return undefined
    }
    this.#next ??= setImmediate(() => this.#turn())
    return new Promise((go) => this.#waiting.push({ bytes, go }))
  }

  #turn(): void {
    this.#next = undefined
    this.#left = BYTES
    const waiting = this.#waiting
    if (waiting.length === 0) return
    let served = 0
    while (this.#left > 0) {
      const one = waiting[served]
      if (one === undefined) break
      served++
      this.#left -= one.bytes
      one.go()
    }
    this.#waiting = waiting.slice(served)
    this.#next = setImmediate(() => this.#turn())
  }
}

/** A part of this process that serves others. */
export interface Part {
  /** Says to those who ask that nobody should be sent here any more; serves all the same. */
  leave?(): void
  close(): Promise<void>
}

/** The parts of this process. They end in the opposite order of their beginnings. */
export class Running implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack()
  readonly #parts: Part[] = []

  adopt<P extends Part>(part: P): P {
    this.#parts.push(part)
    return this.#stack.adopt(part, (one) => one.close())
  }

  leave(): void {
    for (const part of this.#parts) part.leave?.()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack[Symbol.asyncDispose]()
  }
}

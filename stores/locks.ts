/** One at a time for each key, in the order of asking. It holds nothing about a key that nobody waits for. */
export class Locks {
  readonly #tails = new Map<string, Promise<void>>()

  async run<T>(key: string, act: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key)
    const turn = Promise.withResolvers<void>()
    this.#tails.set(key, turn.promise)
    await before
    try {
      return await act()
    } finally {
      if (this.#tails.get(key) === turn.promise) this.#tails.delete(key)
      turn.resolve()
    }
  }
}

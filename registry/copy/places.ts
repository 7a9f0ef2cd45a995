/** Where the failures of copies were: what was being done, as a person would say it. */
export class Places {
  readonly #of = new WeakMap<object, string>()

  /** Does `work`, and remembers of what it throws that it was at `place`, unless a place within is known. */
  async at<T>(place: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (typeof error === 'object' && error !== null && !this.#of.has(error)) this.#of.set(error, place)
      throw error
    }
  }

  of(error: unknown): string | undefined {
    return typeof error === 'object' && error !== null ? this.#of.get(error) : undefined
  }
}

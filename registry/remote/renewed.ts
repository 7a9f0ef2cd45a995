import type { Clock } from '../clock.ts'

export interface Expiring<T> {
  readonly value: T
  /** Milliseconds since the epoch, by our clock. */
  readonly expires: number
}

/** Something that is got elsewhere and expires, such as a login: got once for all who ask, and again `marginMs` before its end, or at half its life if that is later. */
export class Renewed<T> {
  readonly #get: () => Promise<Expiring<T>>
  readonly #clock: Clock
  readonly #marginMs: number
  #held: { readonly value: T; readonly until: number } | undefined
  #getting: Promise<T> | undefined

  constructor(get: () => Promise<Expiring<T>>, clock: Clock, marginMs: number) {
    this.#get = get
    this.#clock = clock
    this.#marginMs = marginMs
  }

  /** `refused`: one that was not accepted; if it is the one we hold, another is got. */
  async value(refused?: T): Promise<T> {
    if (this.#held && this.#held.until > this.#clock.now() && this.#held.value !== refused) return this.#held.value
    this.#getting ??= this.#renew().finally(() => {
      this.#getting = undefined
    })
    return await this.#getting
  }

  async #renew(): Promise<T> {
    const asked = this.#clock.now()
    const { value, expires } = await this.#get()
    this.#held = { value, until: expires - Math.min(this.#marginMs, Math.max(0, expires - asked) / 2) }
    return value
  }
}

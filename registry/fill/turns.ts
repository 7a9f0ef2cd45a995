import { tooBusy } from './errors.ts'

/** Lets so many in at once, and so many more wait, first come first served. */
export class Turns {
  readonly #waiting: (() => void)[] = []
  readonly #queue: number
  #free: number

  constructor({ atOnce, waiting }: { atOnce: number; waiting: number }) {
    this.#free = atOnce
    this.#queue = waiting
  }

  /** Resolves with what gives the turn back. @throws RegistryError UNAVAILABLE when too many wait; the signal's reason */
  async take(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted()
    if (this.#free > 0) {
      this.#free--
      return this.#giver()
    }
    if (this.#waiting.length >= this.#queue) throw tooBusy()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const onAbort = () => {
      const index = this.#waiting.indexOf(resolve)
      if (index >= 0) this.#waiting.splice(index, 1)
      reject(signal.reason)
    }
    this.#waiting.push(resolve)
    signal.addEventListener('abort', onAbort, { once: true })
    await promise
    signal.removeEventListener('abort', onAbort)
    return this.#giver()
  }

  /** Only if there is a free one now. */
  tryTake(): (() => void) | undefined {
    if (this.#free === 0) return undefined
    this.#free--
    return this.#giver()
  }

  #giver(): () => void {
    let given = false
    return () => {
      if (given) return
      given = true
      const next = this.#waiting.shift()
      if (next) next()
      else this.#free++
    }
  }
}

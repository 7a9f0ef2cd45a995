import type { Clock } from '../clock.ts'
import { Deadline } from '../deadline.ts'

/** One try at a source: its own AbortSignal, and waits that end by our clock even if whoever is waited for ignores the signal. */
export class Attempt {
  readonly #controller = new AbortController()
  readonly #clock: Clock
  readonly #patience: Deadline<() => unknown>
  readonly #outer: AbortSignal
  readonly #onAbort = () => this.end(this.#outer.reason)
  #disarm: (() => void) | undefined
  #reject: ((reason: unknown) => void) | undefined

  constructor(clock: Clock, outer: AbortSignal) {
    this.#clock = clock
    this.#patience = new Deadline(clock, (late) => this.end(late()))
    this.#outer = outer
    outer.throwIfAborted()
    outer.addEventListener('abort', this.#onAbort, { once: true })
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** One wait at a time. @throws what `late` makes when it takes longer than `ms`; the outer signal's reason */
  within<T>(ms: number, late: () => unknown, promise: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.signal.aborted) return reject(this.signal.reason)
      this.#patience.set(ms, late)
      const settle = () => {
        this.#patience.lift()
        this.#reject = undefined
      }
      this.#reject = (reason) => {
        settle()
        reject(reason)
      }
      promise.then(
        (value) => {
          if (this.signal.aborted) return
          settle()
          resolve(value)
        },
        (error) => {
          if (this.signal.aborted) return
          settle()
          reject(error)
        },
      )
    })
  }

  /** Ends all of it after so long. */
  deadline(ms: number, late: () => unknown): void {
    this.#disarm?.()
    this.#disarm = this.#clock.after(ms, () => this.end(late()))
  }

  /** Ends it, and whatever is waited for. */
  end(reason: unknown): void {
    this.#outer.removeEventListener('abort', this.#onAbort)
    this.#disarm?.()
    this.#patience.end()
    if (this.signal.aborted) return
    this.#controller.abort(reason)
    this.#reject?.(reason)
  }
}

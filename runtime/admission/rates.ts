import { type Clock, pause, steady } from '../../registry/clock.ts'

/** So many keys are remembered before those are forgotten that owe nothing. */
const KEYS = 4_096

/** Bytes per second for each key. Who was quiet may be ahead by a second's worth, and no more. */
export class Rates {
  readonly #perSecond: number
  readonly #clock: Clock
  /** When all that was given to a key is paid for, by the steady clock. */
  readonly #paidAt = new Map<string, number>()

  /** `perSecond` 0: no limit. */
  constructor(perSecond: number, clock: Clock) {
    this.#perSecond = perSecond
    this.#clock = clock
  }

  get limited(): boolean {
    return this.#perSecond > 0
  }

  /** Takes note of bytes that are to be given, and says how many milliseconds to wait before. */
  owe(key: string, bytes: number): number {
    if (!this.limited) return 0
    const now = steady(this.#clock)
    const paidAt = Math.max(this.#paidAt.get(key) ?? now, now) + (bytes / this.#perSecond) * 1_000
    if (this.#paidAt.size >= KEYS) this.#forget(now)
    this.#paidAt.set(key, paidAt)
    return Math.max(0, paidAt - now - 1_000)
  }

  #forget(now: number): void {
    for (const [key, paidAt] of this.#paidAt) if (paidAt <= now) this.#paidAt.delete(key)
  }
}

/** The same bytes, each chunk after the wait that `owe` says for its length. */
export function paced(
  body: ReadableStream<Uint8Array>,
  owe: (bytes: number) => number,
  clock: Clock,
  signal: AbortSignal,
): ReadableStream<Uint8Array> {
  return body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform: async (chunk, controller) => {
        const wait = owe(chunk.byteLength)
        if (wait > 0) await pause(clock, wait, signal)
        controller.enqueue(chunk)
      },
    }),
  )
}

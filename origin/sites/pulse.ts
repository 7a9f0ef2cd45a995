import type { LogAnswer } from '../../mesh/sites.ts'
import { type Clock, steady } from '../../registry/clock.ts'
import { BEAT_EVERY_MS } from './limits.ts'
import type { Standing } from './standing.ts'

/** What a standby says to its primary with each word about the log: the beat that it brings back, and what keeps it from taking changes in. */
export interface Word {
  readonly beat?: string
  readonly stuck?: string
}

/**
 * The standby's half of the lease as it is spoken: which beat it holds, and when it last said a word. A beat is a promise not to take over, which
 * a standby that is busy or has no room can make as well as any other.
 */
export class Pulse {
  readonly #standing: Standing
  readonly #clock: Clock
  /** With the lease that it renews, which is what is promised. */
  #beat: Pick<LogAnswer, 'beat' | 'leaseMs'> | undefined
  #saidAt = Number.NEGATIVE_INFINITY
  #told: string | undefined

  constructor(standing: Standing, clock: Clock) {
    this.#standing = standing
    this.#clock = clock
  }

  /** What goes along with a word that is sent now. */
  word(): Word {
    const { vow, contact } = this.#standing
    // What is promised counts from before the beat goes out.
    if (this.#beat !== undefined) vow.promise(this.#beat.leaseMs)
    this.#saidAt = steady(this.#clock)
    this.#told = contact.stuck
    return { ...(this.#beat && { beat: this.#beat.beat }), ...(this.#told !== undefined && { stuck: this.#told }) }
  }

  /** Of an answer. A lease that is not written down here is not promised: after a restart this site would wait for a shorter one. */
  take({ beat, leaseMs }: Pick<LogAnswer, 'beat' | 'leaseMs'>): void {
    if (this.#standing.pair?.leaseMs === leaseMs) this.#beat = { beat, leaseMs }
  }

  /** Whether the primary waits for a word, or does not know yet how this site is. */
  get due(): boolean {
    return this.#told !== this.#standing.contact.stuck || steady(this.#clock) - this.#saidAt >= BEAT_EVERY_MS
  }
}

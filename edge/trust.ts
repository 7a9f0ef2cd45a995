import { DISCONNECTED_AFTER_MS } from '../mesh/feed.ts'
import type { Clock } from '../registry/clock.ts'
import type { Kept } from './kept.ts'
import { CLOCK_SLACK_MS, KEEP_EVERY_MS } from './limits.ts'

export interface TrustOptions {
  readonly clock: Pick<Clock, 'now'>
  /** Milliseconds since some moment; never goes back, whatever is done to the clock. */
  readonly monotonic: () => number
  readonly kept: Kept
  /** Milliseconds. */
  readonly grace: number
}

/**
 * How long ago the origin last confirmed what this edge knows. While that is a moment ago the edge is connected; until the grace is
 * over, what it knows is trusted nevertheless; then no more. Time is counted by the monotonic clock as well as by the wall clock, and
 * written down, so that neither setting the clock back nor restarting makes the grace longer.
 */
export class Trust {
  readonly #options: TrustOptions
  /** By the wall clock; undefined: never. */
  #confirmedAt: number | undefined
  /** What the monotonic clock showed when `#spent` had passed since the last confirmation. */
  #mark: number
  #spent = 0
  #keptAt = Number.NEGATIVE_INFINITY
  /** As long as the clock is behind what it showed before the restart: nobody knows how long we were away, so nothing is trusted. */
  #behind: State | undefined

  private constructor(options: TrustOptions) {
    this.#options = options
    this.#mark = options.monotonic()
  }

  static async open(options: TrustOptions): Promise<Trust> {
    const trust = new Trust(options)
    const state = (await options.kept.get(STATE)) as State | undefined
    if (state === undefined) return trust
    trust.#confirmedAt = state.confirmedAt
    trust.#behind = state
    trust.#caughtUp()
    return trust
  }

  /** The origin just said where its feed is, and it is where we are. */
  async confirm(): Promise<void> {
    this.#confirmedAt = this.#options.clock.now()
    this.#behind = undefined
    this.#spent = 0
    this.#mark = this.#options.monotonic()
    await this.keep()
  }

  /** Writes down how much of the grace is used, now and then. */
  async keep(): Promise<void> {
    const now = this.#options.monotonic()
    if (this.#confirmedAt === undefined || now - this.#keptAt < KEEP_EVERY_MS || !this.#caughtUp()) return
    this.#keptAt = now
    const state: State = { confirmedAt: this.#confirmedAt, seenAt: this.#options.clock.now(), spent: Math.min(this.age(), Number.MAX_SAFE_INTEGER) }
    await this.#options.kept.set(STATE, state)
  }

  /** Milliseconds since the origin last confirmed what we know; infinite if it never has. */
  age(): number {
    if (this.#confirmedAt === undefined || !this.#caughtUp()) return Number.POSITIVE_INFINITY
    return Math.max(this.#spent + this.#options.monotonic() - this.#mark, this.#options.clock.now() - this.#confirmedAt)
  }

  get connected(): boolean {
    // By the monotonic clock alone: a wall clock that jumps does not cut the line.
    return this.#confirmedAt !== undefined && this.#caughtUp() && this.#spent + this.#options.monotonic() - this.#mark < DISCONNECTED_AFTER_MS
  }

  /** Whether what was true at the last confirmation may still be acted on. */
  get trusted(): boolean {
    return this.connected || this.age() <= this.#options.grace
  }

  /** Whether the clock shows no time that was over before the restart. A machine may start before it has asked what time it is. */
  #caughtUp(): boolean {
    if (this.#behind === undefined) return true
    const { clock, monotonic } = this.#options
    const [wall, mark] = [clock.now(), monotonic()]
    if (wall < this.#behind.seenAt - CLOCK_SLACK_MS) return false
    this.#spent = Math.max(this.#behind.spent + mark - this.#mark, wall - this.#behind.confirmedAt)
    this.#mark = mark
    this.#behind = undefined
    return true
  }
}

const STATE = 'trust'

interface State {
  readonly confirmedAt: number
  readonly seenAt: number
  readonly spent: number
}

import type { Clock } from '../../registry/clock.ts'

/** A clock that stands still until a test moves it. */
export class TestClock implements Clock {
  #now: number
  /** How far the time of day was set. */
  #set = 0
  #timers: { at: number; run: () => void }[] = []
  #waiting: (() => void)[] = []

  constructor(now = Date.UTC(2026, 0, 1)) {
    this.#now = now
  }

  now(): number {
    return this.#now + this.#set
  }

  monotonic(): number {
    return this.#now
  }

  /** Somebody sets the time of day, forward or back. No time passes. */
  set(ms: number): void {
    this.#set += ms
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.#now + ms, run }
    this.#timers.push(timer)
    for (const wake of this.#waiting.splice(0)) wake()
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
    }
  }

  /** What waits for this clock now. */
  get pending(): number {
    return this.#timers.length
  }

  /** Runs what falls due in the next `ms`, in order. */
  advance(ms: number): void {
    const end = this.#now + ms
    for (;;) {
      const next = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
      if (!next) break
      this.#timers = this.#timers.filter((other) => other !== next)
      this.#now = Math.max(this.#now, next.at)
      next.run()
    }
    this.#now = end
  }

  /** Resolves when something waits for exactly so long. */
  async waitedFor(ms: number): Promise<void> {
    while (!this.#timers.some(({ at }) => at - this.#now === ms)) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }
}

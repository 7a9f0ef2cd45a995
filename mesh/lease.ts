// The right of a primary to write. It comes from its standby, and ends by itself, so that a standby which cannot reach its primary knows
// when nothing is written there any more. No clock is compared with another: each half measures time that has passed, by its own.

/** How much slower one clock may run than the other, and what a timer may be late. */
const DRIFT = 0.02
const LATE_MS = 500

export interface LeaseTime {
  /** Milliseconds that pass evenly, whatever is done to the time of day. */
  readonly monotonic: () => number
}

/**
 * The primary's half. Each answer to its standby carries a beat: when the answer was given, by the primary's own clock. The standby's next word
 * brings the beat back. It was said after that moment, and with it the standby promised to wait; so the lease counts from the beat.
 */
export class Lease {
  readonly #time: LeaseTime
  /** Beats of an earlier run of this process mean nothing. */
  readonly #run: string
  #until = Number.NEGATIVE_INFINITY

  constructor(time: LeaseTime, run: string) {
    this.#time = time
    this.#run = run
  }

  beat(leaseMs: number): string {
    return `${this.#run} ${this.#time.monotonic()} ${leaseMs}`
  }

  renew(beat: string): void {
    const [run, at, ms] = beat.split(' ')
    const until = Number(at) + Number(ms)
    if (run === this.#run && Number.isFinite(until) && Number(at) <= this.#time.monotonic()) this.#until = Math.max(this.#until, until)
  }

  /** Milliseconds that are left; 0 or less: nothing may be written. */
  get left(): number {
    return this.#until - this.#time.monotonic()
  }

  get held(): boolean {
    return this.left > 0
  }
}

/** The standby's half: what it promises with each beat that it brings back. */
export class Vow {
  readonly #time: LeaseTime
  #until: number

  /** `leaseMs`: what an earlier run of this process may have promised a moment ago. */
  constructor(time: LeaseTime, leaseMs: number) {
    this.#time = time
    this.#until = time.monotonic() + withDrift(leaseMs)
  }

  /** Call it right before a beat goes out. */
  promise(leaseMs: number): void {
    this.#until = Math.max(this.#until, this.#time.monotonic() + withDrift(leaseMs))
  }

  /** Milliseconds until it is sure that the primary writes nothing. */
  get remaining(): number {
    return Math.max(0, this.#until - this.#time.monotonic())
  }
}

function withDrift(ms: number): number {
  return ms * (1 + DRIFT) + LATE_MS
}

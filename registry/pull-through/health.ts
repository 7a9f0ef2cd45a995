import type { Clock } from '../clock.ts'
import { RegistryError } from '../spec/errors.ts'
import type { PullThroughLimits } from './limits.ts'

/** What is known of the source's state: so that a failing one costs nobody a wait, and one that limits us is left alone. */
export class Health {
  readonly #clock: Clock
  readonly #limits: PullThroughLimits
  #failingUntil = 0
  #limited: { readonly until: number; readonly error: RegistryError } | undefined

  constructor(clock: Clock, limits: PullThroughLimits) {
    this.#clock = clock
    this.#limits = limits
  }

  /** Asking it about what can be served stale is no use now. */
  get failing(): boolean {
    const now = this.#clock.now()
    return now < this.#failingUntil || (this.#limited !== undefined && now < this.#limited.until)
  }

  /** @throws RegistryError TOOMANYREQUESTS while the source wants to be left alone, with what is left of its `Retry-After` */
  refuseWhileLimited(): void {
    const left = (this.#limited?.until ?? 0) - this.#clock.now()
    if (!this.#limited || left <= 0) return
    const { message, detail } = this.#limited.error
    throw new RegistryError('TOOMANYREQUESTS', message, detail, { headers: { 'Retry-After': String(Math.ceil(left / 1000)) } })
  }

  answered(): void {
    this.#failingUntil = 0
    this.#limited = undefined
  }

  failed(error: unknown): void {
    const now = this.#clock.now()
    if (!isSourceFailure(error)) return
    if (error instanceof RegistryError && error.code === 'TOOMANYREQUESTS') {
      const { limitedMs, limitedMaxMs } = this.#limits
      const asked = Number(error.headers['Retry-After'] ?? Number.NaN) * 1000
      this.#limited = { until: now + (Number.isFinite(asked) && asked > 0 ? Math.min(asked, limitedMaxMs) : limitedMs), error }
    } else this.stalled()
  }

  /** It has not failed yet, but somebody had to stop waiting for it. */
  stalled(): void {
    this.#failingUntil = this.#clock.now() + this.#limits.failingMs
  }
}

/** The source cannot answer now, or answers nonsense: what it said before still holds. A refusal is an answer. */
export function isSourceFailure(error: unknown): boolean {
  if (!(error instanceof RegistryError)) return true
  return error.code === 'UNAVAILABLE' || error.code === 'TOOMANYREQUESTS' || error.code === 'UPSTREAM_INVALID' || error.code === 'UNKNOWN'
}

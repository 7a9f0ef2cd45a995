import { type Clock, steady } from '../clock.ts'
import { RegistryError } from '../spec/errors.ts'
import type { Budget } from './budget.ts'
import type { PullThroughLimits } from './limits.ts'

export interface HealthOptions {
  readonly clock: Clock
  readonly limits: PullThroughLimits
  /** The source's name, for people. */
  readonly name: string
  readonly budget: Budget
}

/** What is known of the source's state: so that a failing one costs nobody a wait, and one that limits us is left alone. */
export class Health {
  readonly #options: HealthOptions
  #failingUntil = Number.NEGATIVE_INFINITY

  constructor(options: HealthOptions) {
    this.#options = options
  }

  /** Asking it about what can be served stale is no use now. */
  get failing(): boolean {
    const { clock, budget } = this.#options
    return steady(clock) < this.#failingUntil || budget.limitedMs > 0
  }

  /** @throws RegistryError TOOMANYREQUESTS while the source wants to be left alone, with what is left of its `Retry-After` */
  refuseWhileLimited(): void {
    const { budget, name } = this.#options
    const left = budget.limitedMs
    if (left <= 0) return
    throw new RegistryError(
      'TOOMANYREQUESTS',
      `${name} limits how often it is asked, and this was not asked for before. Try again later.`,
      { upstream: name },
      { headers: { 'Retry-After': String(Math.ceil(left / 1000)) } },
    )
  }

  /** The question's outcome, noted. */
  async watch<T>(question: () => Promise<T>): Promise<T> {
    try {
      const answer = await question()
      this.#failingUntil = Number.NEGATIVE_INFINITY
      return answer
    } catch (error) {
      this.#failed(error)
      throw this.#told(error)
    }
  }

  /** It has not failed yet, but somebody had to stop waiting for it. */
  stalled(): void {
    this.#failingUntil = steady(this.#options.clock) + this.#options.limits.failingMs
  }

  /** A limit tells whoever hears of it first what it tells those after him: for how long we leave the source alone. */
  #told(error: unknown): unknown {
    if (!(error instanceof RegistryError) || error.code !== 'TOOMANYREQUESTS') return error
    const { code, message, detail, headers } = error
    const seconds = Math.ceil(this.#options.budget.limitedMs / 1000)
    return new RegistryError(code, message, detail, { headers: { ...headers, 'Retry-After': String(seconds) }, cause: error })
  }

  #failed(error: unknown): void {
    if (!(error instanceof RegistryError) || error.code === 'UNAVAILABLE' || error.code === 'UNKNOWN') {
      this.stalled()
      return
    }
    // A refusal, or wrong bytes, under one name say nothing of the others.
    if (error.code !== 'TOOMANYREQUESTS') return
    const { limitedMs, limitedMaxMs } = this.#options.limits
    const asked = Number(error.headers['Retry-After'] ?? Number.NaN) * 1000
    this.#options.budget.leaveAlone(Number.isFinite(asked) && asked > 0 ? Math.min(asked, limitedMaxMs) : limitedMs)
  }
}

/**
 * The source cannot answer now, answers nonsense, or does not understand the question: what it said before still holds. That it refuses us,
 * or knows no such repository, is an answer.
 */
export function isSourceFailure(error: unknown): boolean {
  if (!(error instanceof RegistryError)) return true
  return error.code !== 'DENIED' && error.code !== 'UNAUTHORIZED' && error.code !== 'NAME_UNKNOWN'
}

import type { Clock } from '../clock.ts'
import type { RateLimit } from '../remote/rate-limit.ts'

/** What is known of how often a source may still be asked with one credential. Times are milliseconds since the epoch. */
export interface BudgetState {
  readonly limit?: number
  readonly remaining?: number
  /** For how many seconds the limit holds. */
  readonly windowSeconds?: number
  /** Whom the source counts, as it says. */
  readonly countedAs?: string
  /** When it said so. */
  readonly at: number
  /** It wants to be left alone until then. */
  readonly limitedUntil?: number
  /** When it said so. */
  readonly limitedFrom?: number
}

/** Below this share of its limit, a budget is for clients who wait. */
const LOW = 0.1
/** How long a source that names no window is believed to hold to what it said last: one that still counts says so with each answer. */
const UNNAMED_WINDOW_S = 600

/**
 * How often a source may still be asked with one credential. Clients spend it as they need; what is asked behind their backs, or before
 * they ask, stops while it is low.
 */
export class Budget {
  readonly #clock: Clock
  readonly #onChange: (() => void) | undefined
  #state: BudgetState | undefined

  /** `state`: what was known before a restart. */
  constructor(clock: Clock, state?: BudgetState, onChange?: () => void) {
    this.#clock = clock
    this.#state = state
    this.#onChange = onChange
  }

  get state(): BudgetState | undefined {
    return this.#state
  }

  /** Whether only those may spend who wait for the answer. */
  get low(): boolean {
    const { limit, remaining, windowSeconds = UNNAMED_WINDOW_S, at } = this.#state ?? { at: 0 }
    if (this.limitedMs > 0) return true
    if (limit === undefined || remaining === undefined || limit <= 0) return false
    // By then the source has begun to count anew.
    if (this.#clock.now() >= at + windowSeconds * 1000) return false
    return remaining < limit * LOW
  }

  /** For how many milliseconds the source wants to be left alone. */
  get limitedMs(): number {
    const { limitedUntil = 0, limitedFrom = 0 } = this.#state ?? {}
    const now = this.#clock.now()
    // Said at a moment that is still to come: the clock has been set back, and asking once tells what holds.
    return now < limitedFrom ? 0 : Math.max(0, limitedUntil - now)
  }

  observe({ limit, remaining, windowSeconds, source }: RateLimit): void {
    if (limit === undefined && remaining === undefined) return
    const { limitedUntil, limitedFrom } = this.#state ?? {}
    this.#change({
      ...(limit !== undefined && { limit }),
      ...(remaining !== undefined && { remaining }),
      ...(windowSeconds !== undefined && { windowSeconds }),
      ...(source !== undefined && { countedAs: source }),
      at: this.#clock.now(),
      ...(limitedUntil !== undefined && { limitedUntil }),
      ...(limitedFrom !== undefined && { limitedFrom }),
    })
  }

  /** What somebody else has heard of the same source with the same credential, if it is news. Not told on. */
  learn(state: BudgetState): void {
    const known = this.#state
    const newer = known === undefined || state.at > known.at ? state : known
    const { limitedUntil, limitedFrom } = (known?.limitedUntil ?? 0) > (state.limitedUntil ?? 0) ? (known ?? state) : state
    this.#state = { ...newer, ...(limitedUntil !== undefined && { limitedUntil }), ...(limitedFrom !== undefined && { limitedFrom }) }
  }

  leaveAlone(ms: number): void {
    const now = this.#clock.now()
    this.#change({ ...this.#state, at: this.#state?.at ?? now, limitedUntil: now + ms, limitedFrom: now })
  }

  #change(state: BudgetState): void {
    this.#state = state
    this.#onChange?.()
  }
}

export function isBudgetState(value: unknown): value is BudgetState {
  if (typeof value !== 'object' || value === null) return false
  const { limit, remaining, windowSeconds, at, limitedUntil, limitedFrom, countedAs } = value as Partial<BudgetState>
  const numbers = [limit, remaining, windowSeconds, limitedUntil, limitedFrom].every((field) => field === undefined || Number.isFinite(field))
  return numbers && Number.isFinite(at) && (countedAs === undefined || typeof countedAs === 'string')
}

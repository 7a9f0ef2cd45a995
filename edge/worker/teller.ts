import type { UpstreamBudget } from '../../mesh/enrolment.ts'
import { type Pulled, type Pulls, PullTally } from '../../mesh/pulls.ts'
import type { Clock } from '../../registry/clock.ts'
import type { Log } from '../../registry/log.ts'
import { BUDGETS_UNTOLD, SPOOL_BATCH_PULLS, TELL_EVERY_MS } from '../limits.ts'
import { Gathering } from './gathering.ts'

/** What is added up for the origin, over all of a Worker. */
export interface Counts {
  readonly hits: number
  readonly misses: number
  readonly bytesServed: number
  readonly bytesFetched: number
  readonly stale: number
  readonly fillsBegun: number
  readonly fillsCompleted: number
  readonly fillsPassed: number
  readonly fillsFailed: number
  readonly fillsWrong: number
}

export const NO_COUNTS: Counts = {
  hits: 0,
  misses: 0,
  bytesServed: 0,
  bytesFetched: 0,
  stale: 0,
  fillsBegun: 0,
  fillsCompleted: 0,
  fillsPassed: 0,
  fillsFailed: 0,
  fillsWrong: 0,
}

/** What a part of a Worker has seen since it last told. Sent again under its id until the Link has it: the Link takes each id once. */
export interface Telling {
  readonly id: string
  readonly pulls: readonly Pulls[]
  /** Pulls that there was no room for. */
  readonly lost: number
  readonly counts: Counts
  readonly budgets: readonly UpstreamBudget[]
}

export interface TellerOptions {
  readonly send: (telling: Telling) => Promise<void>
  readonly clock: Clock
  /** The origin's time. */
  readonly now: () => number
  readonly newId: () => string
  readonly log: Log
}

/**
 * Gathers what an isolate or an object of a Worker has to tell, and takes it to the Link behind the answers that it came from: what is seen
 * within a moment goes together. Bounded; what the Link could not be told goes along with the next.
 */
export class Teller {
  readonly #options: TellerOptions
  readonly #tally = new PullTally(SPOOL_BATCH_PULLS)
  readonly #budgets = new Map<string, UpstreamBudget>()
  readonly #gathering: Gathering
  #counts = NO_COUNTS
  #unsent: Telling | undefined

  constructor(options: TellerOptions) {
    this.#options = options
    this.#gathering = new Gathering({ clock: options.clock, forMs: TELL_EVERY_MS, lostMs: 10 * TELL_EVERY_MS })
  }

  note(pulled: Pulled): void {
    this.#tally.note(pulled, this.#options.now())
  }

  count(counts: Partial<Counts>): void {
    this.#counts = sum(this.#counts, counts)
  }

  /** The newest word of an upstream about one credential. */
  budget(budget: UpstreamBudget): void {
    const key = `${budget.upstream} ${budget.credential}`
    if (this.#budgets.size < BUDGETS_UNTOLD || this.#budgets.has(key)) this.#budgets.set(key, budget)
  }

  /** Each request that has noted something waits for it behind its answer. Never rejects. */
  async tell(): Promise<void> {
    const { log } = this.#options
    if (this.#unsent === undefined && !this.#anything) return
    if (!(await this.#gathering.turn())) return
    try {
      if (this.#unsent !== undefined) await this.#send(this.#unsent)
      if (this.#anything) await this.#send(this.#take())
    } catch (error) {
      log.warn({ error }, 'What was seen here could not be told to the link now; it is told with the next.')
    }
  }

  get #anything(): boolean {
    return this.#tally.size > 0 || this.#tally.lost > 0 || this.#budgets.size > 0 || Object.values(this.#counts).some((count) => count > 0)
  }

  #take(): Telling {
    const telling = { id: this.#options.newId(), ...this.#tally.take(), counts: this.#counts, budgets: [...this.#budgets.values()] }
    this.#counts = NO_COUNTS
    this.#budgets.clear()
    return telling
  }

  async #send(telling: Telling): Promise<void> {
    this.#unsent = telling
    await this.#options.send(telling)
    if (this.#unsent === telling) this.#unsent = undefined
  }
}

export function sum(a: Partial<Counts>, b: Partial<Counts>): Counts {
  return combined(a, b, (one, other) => one + other)
}

/** What `a` has more than `b`. */
export function difference(a: Counts, b: Counts): Counts {
  return combined(a, b, (one, other) => one - other)
}

function combined(a: Partial<Counts>, b: Partial<Counts>, of: (one: number, other: number) => number): Counts {
  const names = Object.keys(NO_COUNTS) as (keyof Counts)[]
  return { ...NO_COUNTS, ...Object.fromEntries(names.map((name) => [name, of(a[name] ?? 0, b[name] ?? 0)])) }
}

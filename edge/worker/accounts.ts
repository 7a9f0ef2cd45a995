import { BUDGETS_LIMIT, CACHES_LIMIT, type CacheReport, type EdgeReport, type UpstreamBudget } from '../../mesh/enrolment.ts'
import type { Spool } from '../away/spool.ts'
import type { Kept } from '../kept.ts'
import { TELLINGS_REMEMBERED } from '../limits.ts'
import { type Counts, NO_COUNTS, sum, type Telling } from './teller.ts'

const COUNTS = 'accounts/counts'
const BUDGETS = 'accounts/budgets'
const TOLD = 'accounts/told/'
const CACHES = 'accounts/caches'

export interface AccountsOptions {
  readonly kept: Kept
  readonly spool: Pick<Spool, 'add' | 'write'>
  readonly now: () => number
}

interface Found {
  readonly told: Set<string>
  readonly counts: Counts
  readonly budgets: Map<string, UpstreamBudget>
  readonly caches: readonly CacheReport[]
}

/** What all parts of a Worker have seen, added up in one place and kept: each telling is taken once, and durable when its teller hears so. */
export class Accounts {
  readonly #options: AccountsOptions
  /** Oldest first. */
  readonly #told: Set<string>
  readonly #budgets: Map<string, UpstreamBudget>
  #counts: Counts
  #caches: readonly CacheReport[]
  #version = 1

  private constructor(options: AccountsOptions, found: Found) {
    this.#options = options
    this.#told = found.told
    this.#counts = found.counts
    this.#budgets = found.budgets
    this.#caches = found.caches
  }

  static async open(options: AccountsOptions): Promise<Accounts> {
    const { kept } = options
    const told: [string, number][] = []
    for await (const key of kept.keys(TOLD)) told.push([key.slice(TOLD.length), Number(await kept.get(key))])
    const budgets = ((await kept.get(BUDGETS)) ?? []) as readonly UpstreamBudget[]
    return new Accounts(options, {
      told: new Set(told.sort(([, a], [, b]) => a - b).map(([id]) => id)),
      counts: sum(NO_COUNTS, ((await kept.get(COUNTS)) ?? {}) as Partial<Counts>),
      caches: ((await kept.get(CACHES)) ?? []) as readonly CacheReport[],
      budgets: new Map(budgets.map((budget) => [keyOf(budget), budget])),
    })
  }

  get report(): Omit<EdgeReport, 'version' | 'cursor' | 'url'> {
    const { hits, misses, bytesServed, bytesFetched, stale, fillsBegun, fillsCompleted, fillsPassed, fillsFailed, fillsWrong } = this.#counts
    return {
      hits,
      misses,
      bytesServed,
      bytesFetched,
      stale,
      fills: { begun: fillsBegun, completed: fillsCompleted, passed: fillsPassed, failed: fillsFailed, wrong: fillsWrong },
      // Of buckets that have a budget. Of others R2 says what they hold.
      diskBytes: this.#caches.reduce((bytes, { stored }) => bytes + stored, 0),
      caches: this.#caches,
      upstreams: this.#newest,
    }
  }

  /** How a bucket is now. */
  async cacheIs(cache: CacheReport): Promise<void> {
    this.#caches = [cache, ...this.#caches.filter(({ name }) => name !== cache.name)].slice(0, CACHES_LIMIT)
    await this.#options.kept.set(CACHES, this.#caches)
  }

  /** What is known of upstreams, if that is news to who knows `version`. */
  budgetsAfter(version: number | undefined): { readonly version: number; readonly budgets: readonly UpstreamBudget[] } | undefined {
    return version === this.#version ? undefined : { version: this.#version, budgets: this.#newest }
  }

  async take({ id, pulls, lost, counts, budgets }: Telling): Promise<void> {
    const { kept, spool, now } = this.#options
    if (this.#told.has(id)) return
    this.#told.add(id)
    this.#counts = sum(this.#counts, counts)
    this.#learn(budgets)
    spool.add(pulls, lost)
    await Promise.all([
      spool.write(),
      kept.set(COUNTS, this.#counts),
      kept.set(TOLD + id, now()),
      ...(budgets.length > 0 ? [kept.set(BUDGETS, this.#newest)] : []),
      ...this.#tooMany().map((oldest) => kept.delete(TOLD + oldest)),
    ])
  }

  /** What other edges have heard of the same upstreams, for all objects of this one. */
  async hear(budgets: readonly UpstreamBudget[]): Promise<void> {
    const before = this.#version
    this.#learn(budgets)
    if (this.#version !== before) await this.#options.kept.set(BUDGETS, this.#newest)
  }

  get #newest(): readonly UpstreamBudget[] {
    return [...this.#budgets.values()].sort((a, b) => b.at - a.at).slice(0, BUDGETS_LIMIT)
  }

  #learn(budgets: readonly UpstreamBudget[]): void {
    for (const budget of budgets) {
      const known = this.#budgets.get(keyOf(budget))
      if (known !== undefined && known.at > budget.at && (known.limitedUntil ?? 0) >= (budget.limitedUntil ?? 0)) continue
      this.#budgets.set(keyOf(budget), budget)
      this.#version++
    }
    for (const [key] of [...this.#budgets].sort(([, a], [, b]) => b.at - a.at).slice(BUDGETS_LIMIT)) this.#budgets.delete(key)
  }

  /** They are forgotten here as well. */
  #tooMany(): string[] {
    const oldest: string[] = []
    for (const id of this.#told) {
      if (this.#told.size - oldest.length <= TELLINGS_REMEMBERED) break
      oldest.push(id)
    }
    for (const id of oldest) this.#told.delete(id)
    return oldest
  }
}

function keyOf({ upstream, credential }: UpstreamBudget): string {
  return `${upstream} ${credential}`
}

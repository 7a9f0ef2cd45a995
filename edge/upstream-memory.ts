import { LRUCache } from 'lru-cache'
import { BUDGETS_LIMIT, type UpstreamBudget } from '../mesh/enrolment.ts'
import { type Clock, inTime } from '../registry/clock.ts'
import type { Log } from '../registry/log.ts'
import { Budget, isBudgetState } from '../registry/pull-through/budget.ts'
import type { ChallengeMemory, LearnedChallenge } from '../registry/remote/index.ts'
import { RegistryError } from '../registry/spec/errors.ts'
import type { Kept } from './kept.ts'
import { UPSTREAMS_IN_MEMORY } from './limits.ts'

/** Who asks an upstream does not wait longer for what is known of it, in milliseconds. */
const READ_MS = 1_000

export interface UpstreamMemoryOptions {
  readonly kept: Kept
  readonly clock: Clock
  readonly log: Log
  /** Told what upstreams say of their limits, for others who ask the same. */
  readonly heard?: ((budget: UpstreamBudget) => void) | undefined
}

interface Known {
  readonly upstream: string
  readonly credential: string
  readonly budget: Budget
}

/**
 * What an edge learns of its upstreams, kept beside the cache: where their tokens come from, and how often they may still be asked. Restarts,
 * and in a Worker the objects that come later, begin with it. What cannot be read counts as unknown.
 */
export class UpstreamMemory {
  readonly #options: UpstreamMemoryOptions
  /** Of more credentials than sources are open: those that are pushed out are of sources that have been, and are read again. */
  readonly #budgets = new LRUCache<string, Promise<Known>>({ max: 2 * UPSTREAMS_IN_MEMORY })
  #learned: readonly UpstreamBudget[] = []

  constructor(options: UpstreamMemoryOptions) {
    this.#options = options
  }

  /** One for a credential: all who ask an upstream anonymously from here are counted as one by it. */
  async budget(upstream: string, credential: string): Promise<Budget> {
    const key = keyOf(upstream, `budget.${credential}`)
    const known = this.#budgets.get(key) ?? this.#open(key, upstream, credential)
    this.#budgets.set(key, known)
    return (await known).budget
  }

  /** What others have heard. */
  async learn(budgets: readonly UpstreamBudget[]): Promise<void> {
    this.#learned = budgets
    for (const { budget, ...known } of await Promise.all(this.#budgets.values())) learnFrom(budgets, known, budget)
  }

  /** Those of which anything is known, the news first. */
  async budgets(): Promise<readonly UpstreamBudget[]> {
    const all = await Promise.all(this.#budgets.values())
    const known = all.flatMap(({ upstream, credential, budget: { state } }) => (state ? [{ upstream, credential, ...state }] : []))
    return known.sort((a, b) => b.at - a.at).slice(0, BUDGETS_LIMIT)
  }

  challenge(upstream: string, credential: string): ChallengeMemory {
    const key = keyOf(upstream, `challenge.${credential}`)
    return {
      load: async () => {
        const kept = await this.#read(key)
        return isChallenge(kept) ? kept : undefined
      },
      save: (learned) => {
        void this.#write(key, learned)
      },
    }
  }

  async #open(key: string, upstream: string, credential: string): Promise<Known> {
    const kept = await this.#read(key)
    let writing = false
    let changed = false
    const keep = async () => {
      changed = true
      if (writing) return
      writing = true
      while (changed) {
        changed = false
        await this.#write(key, { upstream, credential, ...budget.state })
      }
      writing = false
    }
    const budget = new Budget(this.#options.clock, isBudgetState(kept) ? kept : undefined, () => {
      if (budget.state) this.#options.heard?.({ upstream, credential, ...budget.state })
      void keep()
    })
    learnFrom(this.#learned, { upstream, credential }, budget)
    return { upstream, credential, budget }
  }

  async #read(key: string): Promise<unknown> {
    const { kept, clock } = this.#options
    try {
      const read = kept.get(key).then((value) => ({ value }))
      const found = await inTime(clock, READ_MS, read)
      if (found === 'late') throw new RegistryError('UNAVAILABLE', 'The store of this edge does not answer.')
      return found.value
    } catch (error) {
      this.#options.log.warn({ key, error }, 'what was known of an upstream cannot be read')
      return undefined
    }
  }

  async #write(key: string, value: unknown): Promise<void> {
    try {
      await this.#options.kept.set(key, value)
    } catch (error) {
      this.#options.log.warn({ key, error }, 'what is known of an upstream could not be kept')
    }
  }
}

function learnFrom(budgets: readonly UpstreamBudget[], { upstream, credential }: Pick<Known, 'upstream' | 'credential'>, budget: Budget): void {
  for (const { upstream: host, credential: of, ...state } of budgets)
    if (host === upstream && of === credential && isBudgetState(state)) budget.learn(state)
}

/** As an object store takes it: an address with a port, or of IPv6, has other characters. */
function keyOf(upstream: string, name: string): string {
  return `upstreams/${upstream.replace(/[^A-Za-z0-9_.:-]/g, '_')}/${name}`
}

function isChallenge(value: unknown): value is LearnedChallenge {
  if (typeof value !== 'object' || value === null || !('scheme' in value)) return false
  if (value.scheme === 'basic') return true
  const { realm, service } = value as { readonly realm?: unknown; readonly service?: unknown }
  return value.scheme === 'bearer' && typeof realm === 'string' && (service === undefined || typeof service === 'string')
}

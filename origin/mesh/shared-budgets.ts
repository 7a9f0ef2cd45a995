import { LRUCache } from 'lru-cache'
import type { UpstreamBudget } from '../../mesh/enrolment.ts'

/** Logins of upstreams that are remembered. */
const LOGINS = 10_000

/**
 * What edges have heard of the logins that they share: whoever spends a budget is seldom alone. Kept in memory, by each process what was told to it;
 * an edge that hears nothing here learns with its next answer. Who asks anonymously is counted by its address, and shares nothing.
 */
export class SharedBudgets {
  readonly #heard = new LRUCache<string, UpstreamBudget>({ max: LOGINS })

  /** Takes what an edge has heard, and returns what others have heard since of the same logins. */
  exchange(told: readonly UpstreamBudget[]): UpstreamBudget[] {
    return told.flatMap((budget) => {
      if (!budget.credential.startsWith(LOGIN)) return []
      const key = `${budget.upstream} ${budget.credential}`
      const known = this.#heard.get(key)
      if (known !== undefined && known.at > budget.at) return [known]
      this.#heard.set(key, budget)
      return []
    })
  }
}

const LOGIN = 'login.'

/** What edges call the login of an endpoint, whatever projects use it. */
export const loginOfEndpoint = (endpointId: number) => `${LOGIN}${endpointId}`

import { LRUCache } from 'lru-cache'
import type { ProjectFacts, SubjectId } from '../../policy/facts.ts'
import type { Change } from '../../schema/changes.ts'
import type { RecentChanges } from '../changes.ts'
import type { Account, EdgeAccount, FactSource } from './accounts.ts'

const PROJECTS = 10_000
const ACCOUNTS = 10_000
const EDGES = 2_000

/** An answer as it was read; `value` undefined: there is none, which is remembered too. */
interface Known<T> {
  readonly value: T | undefined
}

/**
 * Facts for decisions, remembered for as long as the feed names nothing that touches them. A decision is so never made from facts older than
 * the last commit that this process knows of.
 */
export class Facts implements FactSource {
  readonly #source: FactSource
  readonly #recent: RecentChanges
  readonly #projects = new LRUCache<string | number, Known<ProjectFacts>>({ max: PROJECTS })
  readonly #accounts = new LRUCache<SubjectId, Known<Account>>({ max: ACCOUNTS })
  readonly #edges = new LRUCache<string, Known<EdgeAccount>>({ max: EDGES })

  constructor(source: FactSource, recent: RecentChanges) {
    this.#source = source
    this.#recent = recent
    recent.on((changes) => this.#forget(changes))
  }

  project(key: string | number): Promise<ProjectFacts | undefined> {
    return this.#remember(this.#projects, key, () => this.#source.project(key))
  }

  account(id: SubjectId): Promise<Account | undefined> {
    return this.#remember(this.#accounts, id, () => this.#source.account(id))
  }

  /** Not remembered: names come from outside, without number. Who logs in again and again is known by its id (see Logins). */
  accountNamed(name: string): Promise<Account | undefined> {
    return this.#source.accountNamed(name)
  }

  edge(id: string): Promise<EdgeAccount | undefined> {
    return this.#remember(this.#edges, id, () => this.#source.edge(id))
  }

  async #remember<K extends string | number, T extends object>(
    cache: LRUCache<K, Known<T>>,
    key: K,
    read: () => Promise<T | undefined>,
  ): Promise<T | undefined> {
    const wait = this.#recent.settled()
    if (wait !== undefined) await wait
    const known = cache.get(key)
    if (known !== undefined) return known.value
    const before = this.#recent.heard
    const value = await read()
    // What was forgotten while we read may be what we read.
    if (this.#recent.heard === before) cache.set(key, { value })
    return value
  }

  #forget(changes: readonly Change[] | undefined): void {
    if (changes === undefined) {
      this.#projects.clear()
      this.#accounts.clear()
      this.#edges.clear()
      return
    }
    for (const change of changes) {
      const [family] = change.kind.split('.', 1)
      // Projects and accounts are changed by people, seldom: telling exactly which entry goes is not worth being wrong once.
      if (family === 'project' || family === 'member' || family === 'endpoint') this.#projects.clear()
      else if (family === 'user' || family === 'robot') this.#accounts.clear()
      else if (family === 'edge') this.#edges.clear()
    }
  }
}

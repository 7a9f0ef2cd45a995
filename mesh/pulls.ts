// What was pulled, by whom: counted where it happens, and told to the origin once.

import type { SubjectId } from '../policy/facts.ts'
import type { Digest } from '../registry/spec/digests.ts'
import type { RepositoryName, Tag } from '../registry/spec/names.ts'

/** Pulls of one manifest by one caller within a short while. */
export interface Pulls {
  readonly subject: SubjectId
  /** With its project, as the origin names it. */
  readonly repository: RepositoryName
  readonly digest: Digest
  /** The tag that it was asked by, if it was. */
  readonly tag?: Tag | undefined
  /** The network address that it was pulled from, where it is known. */
  readonly client?: string | undefined
  readonly count: number
  /** Of the first and of the last of them, milliseconds since the epoch by the origin's clock. */
  readonly first: number
  readonly last: number
}

/** What an edge tells at once. The origin takes each number of a spool once, however often it is sent. */
export interface PullBatch {
  /** The spool's id: a new one begins to count anew. */
  readonly spool: string
  /** From 1, without holes but for batches that were lost. */
  readonly number: number
  readonly pulls: readonly Pulls[]
  /** Pulls that this spool had no room for since its last batch. */
  readonly lost: number
}

export type Pulled = Omit<Pulls, 'count' | 'first' | 'last'>

/** Adds up pulls until somebody takes them. Holds at most `limit` different ones; of what comes beyond that only the number is kept. */
export class PullTally {
  readonly #limit: number
  readonly #pulls = new Map<string, Pulls>()
  #lost = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  get size(): number {
    return this.#pulls.size
  }

  get lost(): number {
    return this.#lost
  }

  get full(): boolean {
    return this.#pulls.size >= this.#limit
  }

  note(pulled: Pulled, now: number): void {
    this.add({ ...pulled, count: 1, first: now, last: now })
  }

  add(pulls: Pulls): void {
    const { subject, repository, digest, tag, client } = pulls
    const key = `${subject}\n${client ?? ''}\n${repository}\n${tag ?? ''}\n${digest}`
    const known = this.#pulls.get(key)
    if (known === undefined && this.full) this.#lost += pulls.count
    else if (known === undefined) this.#pulls.set(key, pulls)
    else {
      const { first, last } = pulls
      this.#pulls.set(key, { ...known, count: known.count + pulls.count, first: Math.min(known.first, first), last: Math.max(known.last, last) })
    }
  }

  /** What has been added up, in the order in which each came first. */
  get pulls(): readonly Pulls[] {
    return [...this.#pulls.values()]
  }

  /** What has been added up; it begins anew. */
  take(): { readonly pulls: readonly Pulls[]; readonly lost: number } {
    const taken = { pulls: this.pulls, lost: this.#lost }
    this.#pulls.clear()
    this.#lost = 0
    return taken
  }
}

import { dropOldest } from '../oldest.ts'

/** What a pull-through did since it is counted. */
export interface PullThroughCounters {
  /** What clients asked for, each request once: `tag` is a manifest by its tag, `manifest` one by its digest. */
  blobHits: number
  blobMisses: number
  manifestHits: number
  manifestMisses: number
  tagHits: number
  /** Tags served though the source could not confirm them. */
  tagsStale: number
  tagMisses: number
  /** Answers that something is not there, without asking. */
  negativeHits: number
  /** Requests to the source about manifests and tags. */
  sourceHeads: number
  sourceGets: number
  /** Manifests of wrong bytes. */
  sourceWrong: number
  /** Questions about tags asked behind the client's back. */
  renewals: number
  /** Blobs asked for before a client did, … */
  prefetches: number
  /** … and those that were left to their clients, since too much was under way or the budget low. */
  prefetchesLeft: number
  /** Bytes of blobs served from the store. */
  bytesHit: number
  /** Bytes of blobs that came from the source. */
  bytesFetched: number
}

export function newCounters(): PullThroughCounters {
  return {
    blobHits: 0,
    blobMisses: 0,
    manifestHits: 0,
    manifestMisses: 0,
    tagHits: 0,
    tagsStale: 0,
    tagMisses: 0,
    negativeHits: 0,
    sourceHeads: 0,
    sourceGets: 0,
    sourceWrong: 0,
    renewals: 0,
    prefetches: 0,
    prefetchesLeft: 0,
    bytesHit: 0,
    bytesFetched: 0,
  }
}

/** Sources whose counters are kept; more come and go at one place only where somebody makes and drops proxy caches all day. */
const SOURCES = 1_000

/** The counters of pull-throughs by the name of their source. They outlive the pull-throughs: with other credentials one is made anew. */
export class SourceCounters {
  readonly #counters = new Map<string, PullThroughCounters>()

  of(source: string): PullThroughCounters {
    const counters = this.#counters.get(source) ?? newCounters()
    this.#counters.set(source, counters)
    dropOldest(this.#counters, SOURCES)
    return counters
  }

  get bySource(): ReadonlyMap<string, PullThroughCounters> {
    return this.#counters
  }

  /** What an edge reports of itself. `bytesHit` were served from the store. */
  totals(): { readonly hits: number; readonly misses: number; readonly stale: number; readonly bytesHit: number } {
    const totals = { hits: 0, misses: 0, stale: 0, bytesHit: 0 }
    for (const { blobHits, manifestHits, tagHits, blobMisses, manifestMisses, tagMisses, tagsStale, bytesHit } of this.#counters.values()) {
      totals.hits += blobHits + manifestHits + tagHits
      totals.misses += blobMisses + manifestMisses + tagMisses
      totals.stale += tagsStale
      totals.bytesHit += bytesHit
    }
    return totals
  }
}

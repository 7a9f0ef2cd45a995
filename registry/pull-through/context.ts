import type { BlobStore, CreateHasher } from '../blob-store.ts'
import type { Clock } from '../clock.ts'
import type { Fills } from '../fill/fills.ts'
import type { Log } from '../log.ts'
import type { Repository } from '../registry.ts'
import type { RepositoryName } from '../spec/names.ts'
import type { Budget } from './budget.ts'
import type { Freshness } from './freshness.ts'
import type { Guard } from './guard.ts'
import type { Health } from './health.ts'
import type { PullThroughLimits } from './limits.ts'
import type { Negatives } from './negatives.ts'
import type { Records } from './records.ts'
import type { Refusals } from './refusals.ts'
import type { Source } from './source.ts'

/** What the parts of one pull-through share. */
export interface Context {
  readonly source: Source
  readonly blobs: BlobStore
  readonly records: Records
  readonly fills: Fills
  readonly freshness: Freshness
  readonly createHasher: CreateHasher
  readonly clock: Clock
  readonly log: Log
  readonly limits: PullThroughLimits
  readonly counters: PullThroughCounters
  readonly guard: Guard
  readonly budget: Budget
  /** For questions about manifests and tags, … */
  readonly health: Health
  /** … and about blobs, which some sources limit otherwise, or not at all. */
  readonly blobHealth: Health
  readonly negatives: Negatives
  readonly refusals: Refusals
}

export interface PullThroughCounters {
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

/** How flights and negatives name a thing. No repository's name has a space. */
export function keyOf(repository: RepositoryName, name: string): string {
  return `${repository} ${name}`
}

export function atSource({ source }: Context, repository: RepositoryName, signal: AbortSignal | undefined): Repository {
  return source.with(signal).repository(nameAtSource(source, repository))
}

export function nameAtSource(source: Source, repository: RepositoryName): RepositoryName {
  return source.nameAt?.(repository) ?? repository
}

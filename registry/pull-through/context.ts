import type { BlobStore, CreateHasher } from '../blob-store.ts'
import type { Clock } from '../clock.ts'
import type { Fills } from '../fill/fills.ts'
import type { Log } from '../log.ts'
import type { Repository } from '../registry.ts'
import type { RepositoryName } from '../spec/names.ts'
import type { Budget } from './budget.ts'
import type { PullThroughCounters } from './counters.ts'
import type { Freshness } from './freshness.ts'
import type { Guard } from './guard.ts'
import type { Health } from './health.ts'
import type { PullThroughLimits } from './limits.ts'
import type { Named } from './named.ts'
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
  readonly named: Named
  readonly refusals: Refusals
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

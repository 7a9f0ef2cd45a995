import type { CreateHasher } from '../../registry/blob-store.ts'
import type { Clock } from '../../registry/clock.ts'
import type { Pace } from '../../registry/copy/pace.ts'
import type { Together } from '../../registry/copy/together.ts'
import type { OnWait } from '../../registry/remote/index.ts'
import type { RepositoryName, Tag } from '../../registry/spec/names.ts'
import type { Database } from '../../schema/database.ts'
import type { ReplicationPolicy } from '../../schema/replication.ts'
import type { ReplicatePayload } from '../../schema/replication-jobs.ts'
import type { Platforms } from './platforms.ts'
import type { Site } from './sites.ts'
import type { ReplicationStep } from './steps.ts'
import type { TaskLog } from './task-log.ts'

/** One task, and what it is done with. */
export interface Work {
  readonly db: Database
  readonly payload: ReplicatePayload
  readonly policy: ReplicationPolicy
  readonly source: Site
  readonly destination: Site
  /** undefined: as fast as it goes. */
  readonly pace: Pace | undefined
  readonly createHasher: CreateHasher
  readonly fetch: typeof fetch
  readonly clock: Clock
  readonly task: TaskLog
  /** Told when a registry wants to be asked again later. */
  readonly onWait: OnWait
  readonly onStep?: ((step: ReplicationStep) => void) | undefined
  readonly signal: AbortSignal
}

/** A task whose tags are copied at once. */
export interface CopyWork extends Work {
  readonly together: Together
  /** Whether the destination may have something like what is copied: it is here, or got something from here before. */
  readonly mayHaveBases: boolean
  /** Of an index, the parts that are copied; undefined: all of them. */
  readonly platforms: Platforms | undefined
  /** Tags that another repository brings to the same name. */
  readonly met: ReadonlyMap<Tag, RepositoryName>
}

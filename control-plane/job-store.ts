import type { Claim } from '../schema/claims.ts'
import type { Database } from '../schema/database.ts'
import { pausedQueues } from '../schema/job-queues.ts'
import {
  type Failure,
  failJob,
  findJob,
  finishJob,
  type Job,
  type JobState,
  type Lease,
  leaseJob,
  nextRunAt,
  releaseJob,
  renewLease,
} from '../schema/jobs.ts'

/** Where jobs are, as a scheduler sees them; what each method promises is said at its namesake in schema/jobs.ts. */
export interface JobStore {
  /** Calls the listener when there may be something to take. What it returns ends that. */
  onJobs(listener: () => void): () => void
  /** Kinds that nobody takes up now. */
  pausedKinds(): Promise<ReadonlySet<string>>
  lease(claim: Claim): Promise<Job | undefined>
  nextRunAt(kinds: readonly string[]): Promise<number | undefined>
  find(id: number): Promise<Job | undefined>
  renew(lease: Lease, leaseMs: number): Promise<boolean>
  finish(lease: Lease): Promise<boolean>
  fail(lease: Lease, failure: Failure): Promise<JobState | undefined>
  release(lease: Lease): Promise<boolean>
}

/** Those of a database, which any number of processes share. */
export function databaseJobs(db: Database): JobStore {
  return {
    onJobs: (listener) =>
      db.onCommit(({ jobs }) => {
        if (jobs) listener()
      }),
    pausedKinds: () => pausedQueues(db),
    lease: (claim) => leaseJob(db, claim),
    nextRunAt: (kinds) => nextRunAt(db, kinds),
    find: (id) => findJob(db, id),
    renew: (lease, leaseMs) => renewLease(db, lease, leaseMs),
    finish: (lease) => finishJob(db, lease),
    fail: (lease, failure) => failJob(db, lease, failure),
    release: (lease) => releaseJob(db, lease),
  }
}

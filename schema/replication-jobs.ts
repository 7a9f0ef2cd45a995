import type { RepositoryName, Tag } from '../registry/spec/names.ts'
import type { NewJob } from './jobs.ts'

// What the API and the control plane say to each other about replication.

/** Begins an execution of a rule when its schedule says so. */
export const START_REPLICATION = 'replication.start'
/** Turns an execution into its tasks. */
export const PLAN_REPLICATION = 'replication.plan'
/** Does one task. */
export const REPLICATE = 'replication.task'

export interface StartPayload {
  readonly policyId: number
}

export interface PlanPayload {
  readonly executionId: number
  /** Only this tag, and whether it appeared or went. Without it: everything that the rule's filters let through. */
  readonly only?: { readonly repository: RepositoryName; readonly tag: Tag; readonly operation: 'copy' | 'deletion' }
}

export interface ReplicatePayload {
  readonly executionId: number
  readonly policyId: number
  readonly taskId: number
  readonly operation: 'copy' | 'deletion'
  readonly repository: RepositoryName
  readonly destination: RepositoryName
  readonly tags: readonly Tag[]
}

/** The job to begin an execution with: `startExecution(db, { policyId, trigger, operator }, (id) => planReplication({ executionId: id }))`. */
export function planReplication(payload: PlanPayload): NewJob {
  return { kind: PLAN_REPLICATION, payload, priority: 1 }
}

export function replicateJob(payload: ReplicatePayload): NewJob {
  return { kind: REPLICATE, payload, maxAttempts: 8 }
}

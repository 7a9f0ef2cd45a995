import type { RepositoryName, Tag } from '../registry/spec/names.ts'
import type { NewJob } from './jobs.ts'

// What the API and the control plane say to each other about replication.

/** Begins an execution of a rule when its schedule says so. */
export const START_REPLICATION = 'replication.start'
/** Turns an execution into its tasks. */
export const PLAN_REPLICATION = 'replication.plan'
/** Does one task. */
export const REPLICATE = 'replication.task'

const ATTEMPTS = 8
/** A week, of ten minutes each once the pauses have grown to that. */
const PATIENT_ATTEMPTS = 1_000

export interface StartPayload {
  readonly policyId: number
}

export interface PlanPayload {
  readonly executionId: number
  /** Only this tag (or every tag of a repository that is gone), and whether it appeared or went. Without it: everything that the rule's filters let through. */
  readonly only?: OneTag
  /** The tasks of this execution that failed, and nothing else. */
  readonly retryOf?: number
}

/** What happened to a tag that a rule follows, or to all tags of a repository. */
export interface OneTag {
  readonly repository: RepositoryName
  /** undefined: all of them, with their repository. */
  readonly tag?: Tag | undefined
  readonly operation: 'copy' | 'deletion'
  /** The change that said so. */
  readonly seq: number
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

/**
 * The job to begin an execution with: `startExecution(db, { policyId, trigger, operator }, (id) => planReplication({ executionId: id }, source))`.
 * What is to be done is asked of the source alone; null: this registry.
 */
export function planReplication(payload: PlanPayload, sourceEndpointId: number | null): NewJob {
  return { kind: PLAN_REPLICATION, payload, priority: 2, lane: sourceEndpointId ?? 0 }
}

/** The job of an event, which is one here: those about one tag of one rule are one while it waits. */
export function planEvent(executionId: number, policyId: number, only: OneTag, runAt: number): NewJob {
  return { ...planReplication({ executionId, only }, null), mergeKey: eventKey(policyId, only), runAt }
}

export function eventKey(policyId: number, { repository, tag }: Pick<OneTag, 'repository' | 'tag'>): string {
  return `replication:${policyId}:${repository}:${tag ?? ''}`
}

/** What was just pushed goes before what a run through everything found; and as nobody stands by and starts it again, it waits out a link that is cut for long. */
export function replicateJob(payload: ReplicatePayload, { endpointId, urgent }: { readonly endpointId: number; readonly urgent: boolean }): NewJob {
  return { kind: REPLICATE, payload, lane: endpointId, maxAttempts: urgent ? PATIENT_ATTEMPTS : ATTEMPTS, priority: urgent ? 1 : 0 }
}

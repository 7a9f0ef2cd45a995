import type { Job, NewJob } from '../jobs.ts'

/** The kind of the jobs that purge the audit log. */
export const PURGE_AUDIT = 'purge-audit'

/** What a purge is asked to do. */
export interface PurgePayload {
  /** What is older goes, in hours. */
  readonly retentionHours: number
  /** Only these events (`pull_artifact`, …); none: nothing is purged. */
  readonly events: readonly string[]
  /** The kinds of events that were asked for (`create,pull`), where they were: clients read back what they wrote. */
  readonly operations?: string | undefined
  readonly dryRun: boolean
  /** Harbor's name for what began it. */
  readonly trigger: 'Manual' | 'Schedule'
}

export interface PurgeProgress {
  readonly lines: readonly string[]
  readonly purged: number
}

export function purgeJob(payload: PurgePayload): Pick<NewJob, 'kind' | 'payload'> {
  return { kind: PURGE_AUDIT, payload }
}

export const purgePayload = (job: Job): PurgePayload => job.payload as PurgePayload

export const purgeProgress = (job: Job): PurgeProgress => (job.progress ?? { lines: [], purged: 0 }) as PurgeProgress

import type { CollectState } from '../registry/garbage/collect.ts'
import type { Job, NewJob } from './jobs.ts'

/** The kind of the jobs that collect garbage. */
export const COLLECT_GARBAGE = 'collect-garbage'

/** What a collection is asked to do. */
export interface GarbagePayload {
  readonly untagged: boolean
  readonly dryRun: boolean
  /** How many Harbor would do it with: kept for whoever asks again. */
  readonly workers?: number
  /** Harbor's name for what began it. */
  readonly trigger: 'Manual' | 'Schedule'
}

/** How far it is, and what it has said: a line each. */
export interface GarbageProgress {
  readonly state?: CollectState
  readonly lines: readonly string[]
}

export function garbageJob(payload: GarbagePayload): Pick<NewJob, 'kind' | 'payload'> {
  return { kind: COLLECT_GARBAGE, payload }
}

export const garbagePayload = (job: Job): GarbagePayload => job.payload as GarbagePayload

export const garbageProgress = (job: Job): GarbageProgress => (job.progress ?? { lines: [] }) as GarbageProgress

import type { CreateHasher } from '../../registry/blob-store.ts'
import type { Clock } from '../../registry/clock.ts'
import type { Log } from '../../registry/log.ts'
import type { Database } from '../../schema/database.ts'
import type { Job } from '../../schema/jobs.ts'
import { findReplicationPolicy } from '../../schema/replication.ts'
import { isInProgress, settleExecution } from '../../schema/replication-executions.ts'
import type { ReplicatePayload } from '../../schema/replication-jobs.ts'
import { findTask, updateTask } from '../../schema/replication-tasks.ts'
import { advice } from '../replication/advice.ts'
import { copyTags } from '../replication/copy-tags.ts'
import { deleteTags } from '../replication/delete-tags.ts'
import { resourceText } from '../replication/resources.ts'
import type { Sites } from '../replication/sites.ts'
import type { Speeds } from '../replication/speeds.ts'
import type { ReplicationStep } from '../replication/steps.ts'
import { TaskLog } from '../replication/task-log.ts'
import { waitsIn } from '../replication/waits.ts'
import type { JobHandler } from '../scheduler.ts'

export interface ReplicateOptions {
  readonly db: Database
  readonly sites: Sites
  readonly speeds: Speeds
  readonly createHasher: CreateHasher
  readonly fetch: typeof fetch
  readonly clock: Clock
  readonly log: Log
  readonly onStep?: ((step: ReplicationStep) => void) | undefined
}

/** Does one task of an execution: copies some tags of a repository to the other site, or deletes them there. */
export function replicate(options: ReplicateOptions): JobHandler {
  const { db, sites, speeds, clock, onStep } = options
  const told = new WeakSet<object>()
  return {
    async run(job, signal) {
      const payload = payloadOf(job)
      const { executionId, taskId, operation } = payload
      const policy = await findReplicationPolicy(db, payload.policyId)
      if (policy === undefined || !(await isInProgress(db, executionId))) return
      onStep?.('task taken')
      await updateTask(db, taskId, { status: 'InProgress' }, job)
      onStep?.('task begun')
      const before = await findTask(db, taskId)
      const log = new TaskLog({ ...options, told }, taskId, job, before?.bytesDone)
      const speed = await speeds.take(policy)
      try {
        const source = await sites.of(policy.sourceEndpointId)
        const destination = await sites.of(policy.destinationEndpointId)
        log.line(
          'INFO',
          `${operation === 'copy' ? 'Copying' : 'Deleting'} ${resourceText(payload)} from ${source.name} as ${payload.destination} at ${destination.name}, attempt ${job.attempts} of ${job.maxAttempts}.`,
        )
        const work = { ...options, payload, policy, source, destination, pace: speed?.pace, task: log, onWait: waitsIn(log, clock), signal }
        await (operation === 'copy' ? copyTags(work) : deleteTags(work))
        log.line('INFO', 'Done.')
      } finally {
        speed?.release()
        await log.flush()
      }
      signal.throwIfAborted()
      await updateTask(db, taskId, { status: 'Succeed' }, job)
      onStep?.('result written')
      await settleExecution(db, executionId)
      onStep?.('execution settled')
    },

    async failed(job, error, again) {
      const { taskId, executionId } = payloadOf(job)
      const log = new TaskLog({ ...options, told }, taskId, job)
      log.failure(error)
      if (again === undefined) log.line('ERROR', `Given up after ${job.attempts} ${job.attempts === 1 ? 'attempt' : 'attempts'}. ${advice(error)}`)
      else {
        const at = new Date(clock.now() + again).toISOString()
        log.line('WARNING', `Will go on in ${Math.ceil(again / 1000)} s, where it was broken off (${at}). ${advice(error)}`)
      }
      await log.flush()
      if (again !== undefined) return
      await updateTask(db, taskId, { status: 'Failed' }, job)
      await settleExecution(db, executionId)
    },
  }
}

function payloadOf(job: Job): ReplicatePayload {
  return job.payload as ReplicatePayload
}

import type { Log } from '../../registry/log.ts'
import type { Database } from '../../schema/database.ts'
import { findReplicationPolicy } from '../../schema/replication.ts'
import { listExecutions, startExecutionOnce } from '../../schema/replication-executions.ts'
import { planReplication, type StartPayload } from '../../schema/replication-jobs.ts'
import type { JobHandler } from '../scheduler.ts'

/** Begins an execution of a rule whose time has come. */
export function startReplication({ db, log }: { readonly db: Database; readonly log: Log }): JobHandler {
  return {
    async run(job) {
      const { policyId } = job.payload as StartPayload
      const policy = await findReplicationPolicy(db, policyId)
      // It may have been changed since its job was enqueued.
      if (policy === undefined || !policy.enabled || policy.trigger !== 'scheduled') return
      if (policy.singleActive && (await listExecutions(db, { policyId, status: 'InProgress' }, { page: 1, pageSize: 1 })).total > 0) {
        log.info({ policy: policyId }, 'A scheduled replication is left out: the one before it still runs.')
        return
      }
      // This job may be done again by another process.
      await startExecutionOnce(db, { policyId, trigger: 'scheduled', operator: 'system' }, `replication:${policyId}:job:${job.id}`, (executionId) =>
        planReplication({ executionId }, policy.sourceEndpointId),
      )
    },
  }
}

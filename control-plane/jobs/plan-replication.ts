import type { Database } from '../../schema/database.ts'
import type { Job } from '../../schema/jobs.ts'
import { findReplicationPolicy, otherEnd, type ReplicationPolicy } from '../../schema/replication.ts'
import {
  executionPlanned,
  failExecution,
  findExecution,
  isAnotherInProgress,
  noteExecution,
  skipExecution,
} from '../../schema/replication-executions.ts'
import { type PlanPayload, replicateJob } from '../../schema/replication-jobs.ts'
import { addTasks, failedTasks, lastTask, type PlannedTask } from '../../schema/replication-tasks.ts'
import { LIST_PAGE, TASKS_BATCH } from '../limits.ts'
import { deletions } from '../replication/deletions.ts'
import { destinationName } from '../replication/destination-name.ts'
import { matching } from '../replication/matching.ts'
import { type Resource, readResource, resourceText } from '../replication/resources.ts'
import type { Sites } from '../replication/sites.ts'
import type { ReplicationStep } from '../replication/steps.ts'
import { describe, type JobHandler } from '../scheduler.ts'

interface Planned {
  readonly from: Resource
  readonly to: Resource
  readonly operation: 'copy' | 'deletion'
}

export interface PlanOptions {
  readonly db: Database
  readonly sites: Sites
  readonly onStep?: ((step: ReplicationStep) => void) | undefined
}

/** Turns an execution into tasks: some tags of one repository each. What there is to do is never held as a whole. */
export function planReplication({ db, sites, onStep }: PlanOptions): JobHandler {
  return {
    async run(job, signal) {
      const payload = payloadOf(job)
      const { executionId } = payload
      onStep?.('plan begun')
      const execution = await findExecution(db, executionId)
      if (execution?.status !== 'InProgress') return
      const policy = await findReplicationPolicy(db, execution.policyId)
      if (policy === undefined) return
      // Events are about one tag each and must not be lost; a run through everything finds next time what it would have found now.
      if (policy.singleActive && payload.only === undefined && (await isAnotherInProgress(db, execution))) {
        await skipExecution(db, executionId, 'Skipped: another execution of this rule is still running.')
        return
      }
      // A destination that may not be used any more makes all of it fail, and not each task.
      await sites.of(policy.destinationEndpointId)
      const toTask = ({ from, to, operation }: Planned): PlannedTask => ({
        task: { resourceType: 'image', source: resourceText(from), destination: resourceText(to), operation },
        job: (taskId) =>
          replicateJob(
            { executionId, policyId: policy.id, taskId, operation, repository: from.repository, destination: to.repository, tags: from.tags },
            { endpointId: otherEnd(policy), urgent: execution.trigger === 'event_based' },
          ),
      })
      let batch: PlannedTask[] = []
      for await (const planned of work(payload, policy, signal)) {
        signal.throwIfAborted()
        batch.push(toTask(planned))
        if (batch.length < TASKS_BATCH) continue
        // Whoever stops an execution stops the tasks that are there, not those to come.
        if ((await addTasks(db, executionId, batch)) === undefined) return
        batch = []
      }
      if ((await addTasks(db, executionId, batch)) === undefined) return
      onStep?.('tasks added')
      await executionPlanned(db, executionId)
      onStep?.('plan ended')
    },
    async failed(job, error, again) {
      const { executionId } = payloadOf(job)
      if (again === undefined) return await failExecution(db, executionId, describe(error))
      await noteExecution(db, executionId, `${describe(error)} It is tried again at ${new Date(db.clock.now() + again).toISOString()}.`)
    },
  }

  /** What is to be done and has no task yet: a plan that was broken off goes on behind its last task. */
  async function* work({ executionId, only, retryOf }: PlanPayload, policy: ReplicationPolicy, signal: AbortSignal): AsyncGenerator<Planned> {
    const last = await lastTask(db, executionId)
    if (retryOf !== undefined) return yield* again(retryOf, last?.source)
    const to = ({ repository, tags }: Resource): Resource => ({
      repository: destinationName(repository, policy.destinationNamespace, policy.destinationReplaceCount),
      tags,
    })
    if (only !== undefined) {
      const { repository, tag, operation } = only
      const wanted = tag === undefined ? deletions(db, policy, last && readResource(last.source), repository) : [{ repository, tags: [tag] }]
      if (tag === undefined || last === undefined) for await (const from of wanted) yield { from, to: to(from), operation }
      return
    }
    const behind = last && readResource(last.source)
    if (last?.operation !== 'deletion') {
      for await (const from of matching(await sites.of(policy.sourceEndpointId), policy, behind, signal))
        yield { from, to: to(from), operation: 'copy' }
    }
    // A rule that acts by itself and was cut off meanwhile also catches up with what was deleted.
    if (!policy.replicateDeletion || policy.sourceEndpointId !== null || policy.trigger === 'manual') return
    const deletedBehind = last?.operation === 'deletion' ? behind : undefined
    for await (const from of deletions(db, policy, deletedBehind)) yield { from, to: to(from), operation: 'deletion' }
  }

  /** What failed in an execution, behind the task about `behind`. */
  async function* again(executionId: number, behind: string | undefined): AsyncGenerator<Planned> {
    let passed = behind === undefined
    for (let after = 0; ; ) {
      const failed = await failedTasks(db, executionId, after, LIST_PAGE)
      for (const { source, destination, operation } of failed) {
        const [from, to] = [readResource(source), readResource(destination)]
        if (passed && from && to) yield { from, to, operation }
        passed ||= source === behind
      }
      after = failed.at(-1)?.id ?? after
      if (failed.length < LIST_PAGE) return
    }
  }
}

function payloadOf(job: Job): PlanPayload {
  return job.payload as PlanPayload
}

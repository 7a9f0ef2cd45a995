import { parseDigest } from '../../../registry/spec/digests.ts'
import { createCustomer, deleteCustomer, findCustomer, listCustomers } from '../../../schema/customers.ts'
import type { Database } from '../../../schema/database.ts'
import { forgetDelivery, isDestination, listDeliveries, recordDelivery } from '../../../schema/deliveries.ts'
import {
  createEndpoint,
  deleteEndpoint,
  findEndpointById,
  findEndpointByName,
  listEndpoints,
  recordEndpointStatus,
  takeEndpointsToCheck,
  updateEndpoint,
} from '../../../schema/endpoints.ts'
import {
  createImmutableRule,
  deleteImmutableRule,
  findImmutableRule,
  listImmutableRules,
  updateImmutableRule,
} from '../../../schema/immutable-rules.ts'
import { listJobQueues, listRunningJobs, pausedQueues, pauseQueues, stopWaiting } from '../../../schema/job-queues.ts'
import {
  countJobs,
  dropEndedJobs,
  enqueueJob,
  failJob,
  findJob,
  finishJob,
  type Job,
  leaseJob,
  listJobs,
  nextRunAt,
  releaseJob,
  renewLease,
  stopJob,
} from '../../../schema/jobs.ts'
import { deliveredWithBlob, repositoriesOfProjectWithBlob } from '../../../schema/mount-sources.ts'
import {
  createReplicationPolicy,
  deleteReplicationPolicy,
  enabledReplicationPolicies,
  findReplicationPolicy,
  lanesOfPolicies,
  listReplicationPolicies,
  updateReplicationPolicy,
} from '../../../schema/replication.ts'
import {
  executionPlanned,
  failExecution,
  findExecution,
  forgetExecutionsBefore,
  isAnotherInProgress,
  isInProgress,
  listExecutions,
  noteExecution,
  settleExecution,
  skipExecution,
  startExecution,
  startExecutionForEvent,
  startExecutionOnce,
  stopExecution,
} from '../../../schema/replication-executions.ts'
import { planReplication } from '../../../schema/replication-jobs.ts'
import {
  addTasks,
  appendTaskLog,
  copiesInto,
  failedTasks,
  findTask,
  lastTask,
  listTasks,
  readTaskLog,
  tasksOfProject,
  updateTask,
} from '../../../schema/replication-tasks.ts'
import {
  beginRetentionTask,
  createRetentionPolicy,
  deleteRetentionPolicy,
  endRetention,
  executionOfJob,
  findRetentionExecution,
  findRetentionPolicy,
  finishRetentionTask,
  forgetRetentionsBefore,
  listRetentionExecutions,
  listRetentionTasks,
  repositoriesAfter,
  retentionCandidates,
  retentionTaskLog,
  retentionTotals,
  startRetention,
  stopRetention,
  updateRetentionPolicy,
} from '../../../schema/retention.ts'
import {
  findRun,
  forgetRunsBefore,
  lastRuns,
  listRuns,
  listRunTasks,
  nextTaskAt,
  policyOfRun,
  readRunLog,
  settleTask,
  startRun,
  stopRun,
  takeTasks,
} from '../../../schema/runs.ts'
import { deleteSchedule, enqueueDue, findSchedule, listSchedules, nextDue, putSchedule, schedulesPaused } from '../../../schema/schedules.ts'
import { useOfEndpoint } from '../../../schema/speeds.ts'
import { findTransfer, forgetTransfer, forgetTransfersBefore, rememberTransfer } from '../../../schema/transfers.ts'
import {
  anyWebhook,
  createWebhookPolicy,
  deleteWebhookPolicy,
  enabledWebhooks,
  findWebhookPolicy,
  listWebhookPolicies,
  updateWebhookPolicy,
  webhookPolicy,
} from '../../../schema/webhooks.ts'
import { dropWorkerPool, listWorkerPools, seeWorkerPool } from '../../../schema/worker-pools.ts'
import { app } from './images.ts'
import { listing, type Step } from './step.ts'

const ME = 'user:1'
const job = { kind: 'k', payload: {} }
const rule = { destinationNamespace: 'n', destinationReplaceCount: -1, filters: [], replicateDeletion: false, trigger: 'manual', cron: null } as const
const policy = { ...rule, name: 'p', creator: ME, destinationEndpointId: 1 }
const delivery = {
  endpointId: 1,
  destination: app,
  repository: app,
  tag: 'v1',
  bytes: 1,
  referrers: '',
  parts: '',
  digest: parseDigest(`sha256:${'a'.repeat(64)}`),
}
const transfer = { destination: 'd', repository: app, digest: delivery.digest }
const hook = { projectId: 1, name: 'w', description: '', targets: [], events: [], enabled: true }
const run = { kind: 'webhook', policyId: 1, trigger: 'EVENT', event: 'e', detail: {}, tasks: [{ target: 't', detail: {} }] } as const
const selectors = { repositories: [], tags: [] }

async function leased(db: Database, kind = 'k', lane = 0): Promise<Job> {
  await enqueueJob(db, { ...job, kind, lane })
  const taken = await leaseJob(db, { kinds: [kind, 'l'], owner: 'me', leaseMs: 1_000 })
  if (taken === undefined) throw new RangeError('There is no job.')
  return taken
}

/** Jobs and what they do: replication, retention, webhooks. User 1 and project 1 are there. */
export const work: readonly Step[] = [
  [
    'enqueue jobs',
    async (db) => {
      await enqueueJob(db, { ...job, idempotencyKey: 'i' })
      await enqueueJob(db, { ...job, idempotencyKey: 'i', mergeKey: 'm' })
    },
  ],
  [
    'do jobs',
    async (db) => {
      await renewLease(db, await leased(db), 1_000, { at: 1 })
      await failJob(db, await leased(db), { error: 'x', delayMs: () => 0 })
      await finishJob(db, await leased(db), { done: true })
      const away = { error: 'away', delayMs: () => 0, pauseMs: () => 0 }
      await failJob(db, await leased(db, 'k', 1), away)
      await finishJob(db, await leased(db, 'k', 1))
      await releaseJob(db, await leased(db))
      await stopJob(db, (await leased(db)).id)
      await nextRunAt(db, ['k'])
      await leaseJob(db, { kinds: ['k'], owner: 'me', leaseMs: 1_000, idleLanesOnly: true })
      await findJob(db, 1)
    },
  ],
  [
    'look at jobs',
    async (db) => {
      await listJobs(db, { kind: 'k', state: 'queued' }, listing)
      await listJobs(db, {}, listing)
      await listJobs(db, { kind: 'k' }, listing)
      await countJobs(db)
      await listJobQueues(db)
      await listRunningJobs(db)
      await listRunningJobs(db, 'me')
    },
  ],
  [
    'hold jobs',
    async (db) => {
      await pauseQueues(db, ['k'], true, ME)
      await pausedQueues(db)
      await pauseQueues(db, ['k'], false, ME)
      await stopWaiting(db, ['k'])
    },
  ],
  ['forget old jobs', (db) => dropEndedJobs(db, db.clock.now() + 1, 10)],
  [
    'schedules',
    async (db) => {
      await putSchedule(db, { purpose: 'p', type: 'Custom', cron: '* * * * * *', job })
      await findSchedule(db, 'p')
      await listSchedules(db, listing)
      await schedulesPaused(db)
      await nextDue(db)
      await db.write(({ sql }) => sql.run('UPDATE schedules SET next_at = 1'))
      await enqueueDue(db)
      await deleteSchedule(db, 'p')
    },
  ],
  [
    'who does jobs',
    async (db) => {
      await seeWorkerPool(db, { id: 'w', host: 'h', pid: 1, concurrency: 1, startedAt: 1 }, 1)
      await listWorkerPools(db, 0)
      await dropWorkerPool(db, 'w')
    },
  ],
  [
    'endpoints',
    async (db) => {
      const { id, updatedAt } = await createEndpoint(db, { name: 'e', type: 'harbor', url: 'https://e' }, ME)
      await updateEndpoint(db, id, { name: 'f' }, ME)
      await findEndpointById(db, id)
      await findEndpointByName(db, 'f')
      await listEndpoints(db, { name: 'f' }, listing)
      await takeEndpointsToCheck(db, db.clock.now() + 1, 5)
      await recordEndpointStatus(db, { id, updatedAt }, 'healthy', '')
    },
  ],
  [
    'customers',
    async (db) => {
      const project = { id: 1, name: 'team' }
      const customer = await createCustomer(
        db,
        { project, name: 'c', endpoint: { type: 'harbor', url: 'https://c' }, seal: async () => 's', rule },
        ME,
      )
      await listCustomers(db, 1)
      await findCustomer(db, project, 'c')
      await deleteCustomer(db, customer, ME)
    },
  ],
  [
    'rules of replication',
    async (db) => {
      await createReplicationPolicy(db, policy, ME)
      await findReplicationPolicy(db, 2)
      await listReplicationPolicies(db, { name: 'p' }, listing)
      await enabledReplicationPolicies(db, 'manual')
      await updateReplicationPolicy(db, 2, { name: 'q', trigger: 'scheduled', cron: '0 0 0 * * *' }, ME)
      const { id: destinationEndpointId } = await createEndpoint(db, { name: 'moved', type: 'harbor', url: 'https://m' }, ME)
      await updateReplicationPolicy(db, 2, { destinationEndpointId }, ME)
      await updateReplicationPolicy(db, 2, { destinationEndpointId: 1 }, ME)
    },
  ],
  [
    'runs of replication',
    async (db) => {
      const execution = { policyId: 2, trigger: 'manual', operator: ME } as const
      const id = await startExecution(db, execution)
      await startExecutionOnce(db, execution, 'once', (executionId) => planReplication({ executionId }, null))
      const only = { repository: app, operation: 'copy', seq: 1 } as const
      await startExecutionForEvent(db, execution, only, 0)
      await startExecutionForEvent(db, execution, { ...only, seq: 2 }, 0)
      const task = { resourceType: 'image', source: app, destination: app, operation: 'copy' } as const
      await addTasks(db, id, [{ task, job: () => ({ kind: 'replicate', payload: { policyId: 2 } }) }, { task }])
      const taken = await leased(db, 'replicate')
      await updateTask(db, 1, { status: 'InProgress', bytesTotal: 1 }, taken)
      await appendTaskLog(db, 1, 'a line', taken)
      await updateTask(db, 2, { status: 'Failed' })
      await lanesOfPolicies(db, [1])
      await noteExecution(db, id, 'waits')
      await Promise.all([readTaskLog(db, 1), findTask(db, 1), lastTask(db, id), failedTasks(db, id, 0, 10), copiesInto(db, id, app, 0, 10)])
      await tasksOfProject(db, id, 'source', 'team', 10)
      await useOfEndpoint(db, 1)
      await listTasks(db, id, { status: 'Failed', resourceType: 'image' }, listing)
      await Promise.all([findExecution(db, id), isInProgress(db, id), isAnotherInProgress(db, { id, policyId: 2 })])
      await executionPlanned(db, id)
      await settleExecution(db, id)
      await stopExecution(db, id)
      const short = await startExecution(db, execution)
      await addTasks(db, short, [{ task }])
      await updateTask(db, 3, { status: 'Succeed' })
      await settleExecution(db, short)
      await failExecution(db, 2, 'x')
      await skipExecution(db, 3, 'x')
      await listExecutions(db, { policyId: 2, status: 'Failed', trigger: 'manual' }, listing)
      await forgetExecutionsBefore(db, db.clock.now() + 1, 10)
      await deleteReplicationPolicy(db, 2, ME).catch(() => undefined)
    },
  ],
  [
    'deliveries',
    async (db) => {
      await recordDelivery(db, delivery)
      await recordDelivery(db, { ...delivery, digest: parseDigest(`sha256:${'b'.repeat(64)}`) })
      await isDestination(db, delivery)
      await listDeliveries(db, 1, 10)
      await listDeliveries(db, 1, 10, delivery)
      await deliveredWithBlob(db, 1, delivery.digest, 4)
      await repositoriesOfProjectWithBlob(db, 'team', delivery.digest, 4)
      await forgetDelivery(db, delivery)
    },
  ],
  [
    'transfers',
    async (db) => {
      await rememberTransfer(db, transfer, 'l')
      await findTransfer(db, transfer)
      await forgetTransfer(db, transfer)
      await forgetTransfersBefore(db, 5, 10)
    },
  ],
  [
    'immutable rules',
    async (db) => {
      const made = { projectId: 1, disabled: false, priority: 0, ...selectors }
      const id = await createImmutableRule(db, made, ME)
      await listImmutableRules(db, 1, listing)
      await findImmutableRule(db, 1, 1)
      await updateImmutableRule(db, id, { ...made, disabled: true }, ME)
      await deleteImmutableRule(db, 1, id, ME)
    },
  ],
  [
    'retention',
    async (db) => {
      const rules = [{ id: 1, disabled: false, priority: 0, template: 'always', count: 0, untagged: false, ...selectors }] as const
      const id = (await createRetentionPolicy(db, { projectId: 1, rules, cron: '0 0 0 * * *' }, ME)) ?? 0
      await findRetentionPolicy(db, id)
      await updateRetentionPolicy(db, id, { rules, cron: null }, ME)
      const execution = await startRetention(db, id, true)
      await executionOfJob(db, id, 77)
      await findRetentionExecution(db, execution)
      await listRetentionExecutions(db, id, listing)
      await repositoriesAfter(db, 1, '', 10)
      await retentionCandidates(db, 1, '', 10)
      const task = (await beginRetentionTask(db, execution, app)) ?? 0
      await finishRetentionTask(db, task, { total: 1, retained: 1, log: 'l' })
      await listRetentionTasks(db, execution, listing)
      await retentionTotals(db, execution)
      await retentionTaskLog(db, execution, task)
      await endRetention(db, execution, 'Succeed')
      await stopRetention(db, await startRetention(db, id, false))
      await forgetRetentionsBefore(db, 5, 10)
      await deleteRetentionPolicy(db, id, ME)
    },
  ],
  [
    'webhooks',
    async (db) => {
      const id = await createWebhookPolicy(db, hook, ME, ME)
      await updateWebhookPolicy(db, id, { ...hook, name: 'x' }, ME)
      await findWebhookPolicy(db, 1, id)
      await webhookPolicy(db, id)
      await listWebhookPolicies(db, 1, listing)
      await anyWebhook(db)
      await enabledWebhooks(db, [1])
    },
  ],
  [
    'runs of webhooks',
    async (db) => {
      const id = (await startRun(db, { ...run, key: 'k' })) ?? 0
      await findRun(db, 'webhook', 1, id)
      await policyOfRun(db, id)
      await listRuns(db, { kind: 'webhook', policyId: 1, status: ['Running'] }, listing)
      await listRunTasks(db, id, {}, listing)
      await listRunTasks(db, id, { status: ['Running'] }, listing)
      await readRunLog(db, id, 1)
      await lastRuns(db, 'webhook', 1)
      const [task] = await takeTasks(db, 'webhook', [], 5)
      if (task === undefined) throw new RangeError('There is no task.')
      await takeTasks(db, 'webhook', ['t'], 5)
      await nextTaskAt(db, 'webhook')
      await settleTask(db, task, { again: 1, text: '' }, 'log')
      await settleTask(db, task, { status: 'Success', text: '' }, 'log')
      await stopRun(db, (await startRun(db, run)) ?? 0)
      await forgetRunsBefore(db, db.clock.now() + 1, 10)
      await deleteWebhookPolicy(db, 1, 1, ME)
    },
  ],
  ['delete an endpoint', (db) => deleteEndpoint(db, 1, ME).catch(() => undefined)],
]

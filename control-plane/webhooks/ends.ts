import { showRetentionRule } from '../../policy/harbor-rules.ts'
import type { Database } from '../../schema/database.ts'
import { type Endpoint, findEndpointById } from '../../schema/endpoints.ts'
import { principalFacts } from '../../schema/principals.ts'
import { findReplicationPolicy } from '../../schema/replication.ts'
import { findExecution } from '../../schema/replication-executions.ts'
import { type ReplicationTask, tasksOfProject } from '../../schema/replication-tasks.ts'
import { findRetentionExecution, findRetentionPolicy, listRetentionTasks, retentionTaskLog, retentionTotals } from '../../schema/retention.ts'
import { deletedIn } from '../jobs/retention-log.ts'
import { LIST_PAGE, WEBHOOK_ARTIFACTS_LIMIT } from '../limits.ts'

// How runs ended, as Harbor tells it: the names of its fields, and its words for states.

/** An artifact that a run did something with. */
interface Done {
  readonly type: string
  readonly status: string
  readonly name_tag: string
}

export type RetentionEnd = NonNullable<Awaited<ReturnType<typeof retentionEnd>>>['end']
export type ReplicationEnd = NonNullable<Awaited<ReturnType<typeof replicationEnd>>>['end']

/** `trigger`: what began it. undefined: its policy, or the run, has been deleted since. */
export async function retentionEnd(db: Database, executionId: number, project: string) {
  const execution = await findRetentionExecution(db, executionId)
  const policy = execution && (await findRetentionPolicy(db, execution.policyId))
  if (execution === undefined || policy === undefined) return undefined
  const { total, retained } = await retentionTotals(db, executionId)
  const end = {
    total,
    retained,
    project_name: project,
    retention_policy_id: policy.id,
    retention_rule: policy.rules.filter(({ disabled }) => !disabled).map(showRetentionRule),
    result: execution.status === 'Succeed' ? 'SUCCESS' : 'FAIL',
    deleted_artifact: await deletedBy(db, executionId),
  }
  return { trigger: execution.trigger.toUpperCase(), end }
}

/** The first so many. */
async function deletedBy(db: Database, executionId: number): Promise<Done[]> {
  const deleted: Done[] = []
  for (let page = 1; ; page++) {
    const { items } = await listRetentionTasks(db, executionId, { page, pageSize: LIST_PAGE })
    for (const task of items.filter(({ total, retained }) => retained < total)) {
      for (const name of deletedIn((await retentionTaskLog(db, executionId, task.id)) ?? '')) {
        if (deleted.length === WEBHOOK_ARTIFACTS_LIMIT) return deleted
        deleted.push({ type: 'image', status: 'SUCCESS', name_tag: `${withoutProject(task.repository)}${name}` })
      }
    }
    if (items.length < LIST_PAGE) return deleted
  }
}

const TRIGGERS = { manual: 'MANUAL', scheduled: 'SCHEDULED', event_based: 'EVENT' } as const
const STATES = { Succeed: 'Success', Failed: 'Error', Stopped: 'Stopped', InProgress: 'Running', Pending: 'Pending' } as const

/** What it did with artifacts of this project, and what began it. undefined: its rule, or the run, has been deleted since. */
export async function replicationEnd(db: Database, executionId: number, project: string) {
  const execution = await findExecution(db, executionId)
  const policy = execution && (await findReplicationPolicy(db, execution.policyId))
  if (execution === undefined || policy === undefined) return undefined
  const { sourceEndpointId, destinationEndpointId, creator } = policy
  const here = sourceEndpointId === null ? 'source' : 'destination'
  const remoteId = sourceEndpointId ?? destinationEndpointId
  const remote = remoteId === null ? undefined : await findEndpointById(db, remoteId)
  const [source, destination] = here === 'source' ? [HERE, placeOf(remote)] : [placeOf(remote), HERE]
  const tasks = await tasksOfProject(db, executionId, here, project, WEBHOOK_ARTIFACTS_LIMIT)
  const [first] = tasks
  const those = (...states: ReplicationTask['status'][]) => tasks.filter(({ status }) => states.includes(status)).map((task) => shown(task, here))
  const trigger = TRIGGERS[execution.trigger]
  const end = {
    job_status: STATES[execution.status],
    ...(policy.description !== '' && { description: policy.description }),
    ...(first !== undefined && { artifact_type: first.resourceType }),
    ...(remote?.credentialType && { authentication_type: remote.credentialType }),
    override_mode: policy.override,
    trigger_type: trigger,
    policy_creator: (await principalFacts(db, creator))?.name ?? creator,
    execution_timestamp: Math.floor(execution.startedAt / 1000),
    src_resource: { ...source, namespace: first?.source.split('/')[0] },
    dest_resource: { ...destination, namespace: first?.destination.split('/')[0] },
    successful_artifact: those('Succeed'),
    failed_artifact: those('Failed', 'Stopped'),
  }
  return { trigger, end }
}

const shown = (task: ReplicationTask, here: 'source' | 'destination'): Done => ({
  type: task.resourceType,
  status: STATES[task.status],
  name_tag: withoutProject(task[here]),
})

/** Harbor's `name_tag` is what the artifact is called in its project here. */
const withoutProject = (name: string) => name.slice(name.indexOf('/') + 1)

interface Place {
  readonly registry_name?: string
  readonly registry_type: string
  /** undefined: this registry, whose address the sender knows. */
  readonly endpoint?: string
}

const HERE: Place = { registry_type: 'harbor' }

const placeOf = (endpoint: Endpoint | undefined): Place =>
  endpoint === undefined ? HERE : { registry_name: endpoint.name, registry_type: endpoint.type, endpoint: endpoint.url }

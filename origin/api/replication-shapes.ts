import { z } from '@hono/zod-openapi'
import { readFilters } from '../../control-plane/replication/filters.ts'
import { filterBeside } from '../../control-plane/replication/reach.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import { isRepositoryName } from '../../registry/spec/names.ts'
import { filterOfProject } from '../../schema/customers.ts'
import { type Endpoint, findEndpointById } from '../../schema/endpoints.ts'
import { findProjectById } from '../../schema/projects.ts'
import type { NewReplicationPolicy, ReplicationPolicy as Row } from '../../schema/replication.ts'
import type { ReplicationExecution } from '../../schema/replication-executions.ts'
import type { ReplicationTask } from '../../schema/replication-tasks.ts'
import type { OriginServices } from '../services.ts'
import { instant } from './environment.ts'
import { badField } from './errors.ts'
import { FILTERS_LIMIT } from './limits.ts'
import { Registry, showRegistry } from './registry-shapes.ts'
import { TRIGGERS } from './registry-types.ts'
import { refuseBadCron } from './schedules.ts'

const Filter = z
  .object({
    type: z.enum(['name', 'tag', 'label', 'resource', 'platform']),
    value: z.union([z.string().max(1000), z.array(z.string().max(256)).max(100)]),
    decoration: z.enum(['matches', 'excludes', '']).nullish(),
  })
  .openapi('ReplicationFilter')

const Trigger = z
  .object({ type: z.enum(TRIGGERS), trigger_settings: z.object({ cron: z.string().max(256).nullish() }).nullish() })
  .openapi('ReplicationTrigger')

/** An endpoint by its id; none, or 0, is this registry. */
const EndpointRef = z.object({ id: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER).nullish() }).nullish()

export const PolicyRequest = z.object({
  name: z.string().min(1, 'is missing').max(255, 'has 255 characters at most'),
  description: z.string().max(1024, 'has 1024 characters at most').nullish(),
  src_registry: EndpointRef,
  dest_registry: EndpointRef,
  dest_namespace: z
    .string()
    .refine((text) => text === '' || isRepositoryName(text), 'is lower-case path components, or empty')
    .nullish(),
  dest_namespace_replace_count: z.number().int().min(-1).max(100).nullish(),
  trigger: Trigger.nullish(),
  filters: z.array(Filter).max(FILTERS_LIMIT).nullish(),
  replicate_deletion: z.boolean().nullish(),
  deletion: z.boolean().nullish(),
  override: z.boolean().nullish(),
  enabled: z.boolean().nullish(),
  speed: z.number().int().min(-1).max(2_147_483_647).nullish(),
  copy_by_chunk: z.boolean().nullish(),
  single_active_replication: z.boolean().nullish(),
})

export const Policy = z
  .object({
    id: z.number().int(),
    name: z.string(),
    description: z.string(),
    src_registry: Registry,
    dest_registry: Registry,
    dest_namespace: z.string(),
    dest_namespace_replace_count: z.number().int(),
    trigger: z.object({ type: z.enum(TRIGGERS), trigger_settings: z.object({ cron: z.string() }) }),
    filters: z.array(z.object({ type: z.string(), value: z.unknown(), decoration: z.string().optional() })),
    replicate_deletion: z.boolean(),
    deletion: z.boolean(),
    override: z.boolean(),
    enabled: z.boolean(),
    creation_time: z.string(),
    update_time: z.string(),
    speed: z.number().int(),
    copy_by_chunk: z.boolean(),
    single_active_replication: z.boolean(),
  })
  .openapi('ReplicationPolicy')

const someId = z.number().int().min(1).max(Number.MAX_SAFE_INTEGER)

export const StartRequest = z
  .object({
    policy_id: someId,
    retry_of: someId.optional().describe('An execution of the rule that has ended: only its tasks that failed are done again'),
  })
  .openapi('StartReplicationExecution')

export const Execution = z
  .object({
    id: z.number().int(),
    policy_id: z.number().int(),
    status: z.string(),
    trigger: z.string(),
    start_time: z.string(),
    end_time: z.string().optional(),
    status_text: z.string(),
    total: z.number().int(),
    failed: z.number().int(),
    succeed: z.number().int(),
    in_progress: z.number().int(),
    stopped: z.number().int(),
    bytes_total: z.number().int().describe('Of blobs that have to move, as far as the tasks know by now'),
    bytes_done: z.number().int().describe('Of those, moved'),
    bytes_per_second: z.number().int().describe('Since it began'),
    eta_seconds: z.number().int().optional().describe('Until what is known by now has moved, at that rate; while it runs'),
  })
  .openapi('ReplicationExecution')

export const Task = z
  .object({
    id: z.number().int(),
    execution_id: z.number().int(),
    status: z.string(),
    job_id: z.string(),
    operation: z.string(),
    resource_type: z.string(),
    src_resource: z.string(),
    dst_resource: z.string(),
    start_time: z.string().optional(),
    end_time: z.string().optional(),
    bytes_total: z.number().int(),
    bytes_done: z.number().int(),
  })
  .openapi('ReplicationTask')

type Db = OriginServices['db']

/** A rule as the database takes it. @throws ApiError BAD_REQUEST for what cannot be carried out */
export async function readPolicy(
  db: Db,
  body: z.infer<typeof PolicyRequest>,
  { absent }: { readonly absent: boolean },
): Promise<Omit<NewReplicationPolicy, 'creator'>> {
  const source = await endpointOf(db, body.src_registry, 'src_registry')
  const destination = await endpointOf(db, body.dest_registry, 'dest_registry')
  if ((source === null) === (destination === null))
    throw badField('src_registry', 'one side is another registry (its id), the other is this one (no id, or 0)')
  if (source !== null && source.projectId !== null)
    throw badField('src_registry.id', `${source.name} is a customer of a project: nothing is got from it`)
  const trigger = body.trigger?.type ?? 'manual'
  const cron = body.trigger?.trigger_settings?.cron ?? ''
  if (trigger === 'scheduled') refuseBadCron('trigger.trigger_settings.cron', cron, db.clock.now())
  if (trigger === 'event_based' && source !== null)
    throw badField('trigger.type', 'event_based follows what happens here, so this registry is the source')
  const filters = (body.filters ?? []).map(({ type, value, decoration }) => ({ type, value, ...(decoration && { decoration }) }))
  try {
    readFilters(filters)
  } catch (error) {
    if (error instanceof RegistryError) throw badField('filters', error.message)
    throw error
  }
  // Whatever the rule says besides, a customer gets what is of its project.
  const project = destination?.projectId ? await findProjectById(db, destination.projectId) : undefined
  const own = project && filterOfProject(project.name)
  const beside = project && filterBeside(filters, project.name)
  if (project && beside !== undefined)
    throw badField(
      'filters',
      `${destination?.name} is a customer of the project ${project.name} and gets nothing else, and ${beside} lets nothing of it through`,
    )
  return {
    name: body.name,
    description: body.description ?? '',
    sourceEndpointId: source?.id ?? null,
    destinationEndpointId: destination?.id ?? null,
    destinationNamespace: body.dest_namespace ?? '',
    destinationReplaceCount: body.dest_namespace_replace_count ?? -1,
    trigger,
    cron: cron === '' ? null : cron,
    filters: own === undefined ? filters : [own, ...filters.filter(({ type, value }) => type !== own.type || value !== own.value)],
    replicateDeletion: body.replicate_deletion ?? body.deletion ?? false,
    override: body.override ?? absent,
    enabled: body.enabled ?? absent,
    speed: body.speed ?? 0,
    copyByChunk: body.copy_by_chunk ?? false,
    singleActive: body.single_active_replication ?? false,
  }
}

async function endpointOf(db: Db, given: z.infer<typeof EndpointRef>, field: string): Promise<Endpoint | null> {
  const endpointId = given?.id ?? 0
  if (endpointId === 0) return null
  const endpoint = await findEndpointById(db, endpointId)
  if (endpoint === undefined) throw badField(`${field}.id`, `there is no registry ${endpointId}`)
  return endpoint
}

export async function showPolicy(db: Db, row: Row, here: string): Promise<z.infer<typeof Policy>> {
  const side = async (endpointId: number | null) => {
    const endpoint: Endpoint | undefined = endpointId === null ? undefined : await findEndpointById(db, endpointId)
    return endpoint === undefined ? thisRegistry(row, here) : showRegistry(endpoint)
  }
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    src_registry: await side(row.sourceEndpointId),
    dest_registry: await side(row.destinationEndpointId),
    dest_namespace: row.destinationNamespace,
    dest_namespace_replace_count: row.destinationReplaceCount,
    trigger: { type: row.trigger, trigger_settings: { cron: row.cron ?? '' } },
    filters: row.filters.map(({ type, value, decoration }) => ({ type, value, ...(decoration !== undefined && { decoration }) })),
    replicate_deletion: row.replicateDeletion,
    deletion: row.replicateDeletion,
    override: row.override,
    enabled: row.enabled,
    creation_time: instant(row.createdAt),
    update_time: instant(row.updatedAt),
    speed: row.speed,
    copy_by_chunk: row.copyByChunk,
    single_active_replication: row.singleActive,
  }
}

/** Harbor shows itself as the registry 0, by the name Local. */
function thisRegistry(row: Row, here: string): z.infer<typeof Registry> {
  const time = instant(row.createdAt)
  return {
    id: 0,
    name: 'Local',
    url: here,
    type: 'atoll',
    description: '',
    insecure: false,
    status: 'healthy',
    creation_time: time,
    update_time: time,
  }
}

/** `held`: why its endpoint is not asked now. */
export function showExecution(row: ReplicationExecution, now: number, held: string | undefined): z.infer<typeof Execution> {
  const seconds = Math.max(1, (row.endedAt ?? now) - row.startedAt) / 1000
  const rate = row.bytesDone / seconds
  return {
    id: row.id,
    policy_id: row.policyId,
    status: row.status,
    trigger: row.trigger,
    start_time: instant(row.startedAt),
    ...(row.endedAt !== null && { end_time: instant(row.endedAt) }),
    status_text: [row.statusText, ...(row.status === 'InProgress' ? [held ?? row.note] : [])].filter((text) => text !== '').join(': '),
    total: row.total,
    failed: row.failed,
    succeed: row.succeeded,
    in_progress: row.pending + row.inProgress,
    stopped: row.stopped,
    bytes_total: row.bytesTotal,
    bytes_done: row.bytesDone,
    bytes_per_second: Math.round(rate),
    ...(row.status === 'InProgress' && rate > 0 && { eta_seconds: Math.ceil((row.bytesTotal - row.bytesDone) / rate) }),
  }
}

export function showTask(row: ReplicationTask): z.infer<typeof Task> {
  return {
    id: row.id,
    execution_id: row.executionId,
    status: row.status,
    job_id: row.jobId === null ? '' : String(row.jobId),
    operation: row.operation,
    resource_type: row.resourceType,
    src_resource: row.source,
    dst_resource: row.destination,
    ...(row.startedAt !== null && { start_time: instant(row.startedAt) }),
    ...(row.endedAt !== null && { end_time: instant(row.endedAt) }),
    bytes_total: row.bytesTotal,
    bytes_done: row.bytesDone,
  }
}

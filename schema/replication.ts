import { and, desc, eq, inArray, sql as raw } from 'drizzle-orm'
import { tell } from './changes.ts'
import type { WriteConnection } from './connection.ts'
import type { Database } from './database.ts'
import { conflict, notFound, precondition } from './errors.ts'
import { COUNT, contains, type Listed, type Listing, ordering, window } from './listing.ts'
import { wished } from './matching.ts'
import { REPLICATE, START_REPLICATION, type StartPayload } from './replication-jobs.ts'
import { deleteScheduleIn, putScheduleIn } from './schedules.ts'
import { jobs } from './tables/jobs.ts'
import { replicationExecutions, replicationPolicies } from './tables/replication.ts'

export type { ReplicationFilter } from './tables/replication.ts'

/** A replication rule. A null endpoint is this registry. */
export type ReplicationPolicy = typeof replicationPolicies.$inferSelect
export type ReplicationTrigger = ReplicationPolicy['trigger']

/** The endpoint of a rule: one of its two sides is another registry, and the other this one. */
export function otherEnd({ sourceEndpointId, destinationEndpointId }: Pick<ReplicationPolicy, 'sourceEndpointId' | 'destinationEndpointId'>): number {
  return sourceEndpointId ?? destinationEndpointId ?? 0
}

/** By policy, the lane that its jobs are in. */
export async function lanesOfPolicies(db: Database, ids: readonly number[]): Promise<ReadonlyMap<number, number>> {
  const ends = {
    id: replicationPolicies.id,
    sourceEndpointId: replicationPolicies.sourceEndpointId,
    destinationEndpointId: replicationPolicies.destinationEndpointId,
  }
  const rows = await db.read.sql
    .select(ends)
    .from(replicationPolicies)
    .where(inArray(replicationPolicies.id, [...ids]))
  return new Map(rows.map((row) => [row.id, otherEnd(row)]))
}

/** Everything but what the database gives; what is left out has the table's default. */
export type NewReplicationPolicy = Omit<typeof replicationPolicies.$inferInsert, 'id' | 'createdAt' | 'updatedAt'>
export type ReplicationPolicyPatch = Partial<Omit<NewReplicationPolicy, 'creator'>>

/** @throws RegistryError 409 the name is taken; SyntaxError for a cron expression that cannot be read */
export async function createReplicationPolicy(db: Database, policy: NewReplicationPolicy, actor: string): Promise<ReplicationPolicy> {
  return await db.write(async (connection) => {
    await refuseTaken(connection, policy.name)
    const now = db.clock.now()
    const row = await connection.sql
      .insert(replicationPolicies)
      .values({ ...policy, createdAt: now, updatedAt: now })
      .returning()
      .get()
    await keepSchedule(db, connection, row)
    await tell(db, connection, { actor, kind: 'replication.policy.created', subject: `replication:${row.id}`, detail: { name: row.name } })
    return row
  })
}

export function findReplicationPolicy(db: Database, id: number): Promise<ReplicationPolicy | undefined> {
  return db.read.sql.select().from(replicationPolicies).where(eq(replicationPolicies.id, id)).get()
}

const searched = {
  id: replicationPolicies.id,
  name: replicationPolicies.name,
  description: replicationPolicies.description,
  creator: replicationPolicies.creator,
  enabled: replicationPolicies.enabled,
  override: replicationPolicies.override,
  replicate_deletion: replicationPolicies.replicateDeletion,
  // 0 is this registry itself.
  src_registry_id: raw`coalesce(${replicationPolicies.sourceEndpointId}, 0)`,
  dest_registry_id: raw`coalesce(${replicationPolicies.destinationEndpointId}, 0)`,
  dest_namespace: replicationPolicies.destinationNamespace,
  creation_time: replicationPolicies.createdAt,
  update_time: replicationPolicies.updatedAt,
}

/** Searched and sorted by their fields. */
export async function listReplicationPolicies(
  db: Database,
  /** `name` is part of it. */
  filter: { readonly name?: string | undefined },
  listing: Listing,
): Promise<Listed<ReplicationPolicy>> {
  const table = replicationPolicies
  const condition = and(contains(table.name, filter.name), wished(listing, searched))
  const { limit, offset } = window(listing)
  const items = await db.read.sql
    .select()
    .from(table)
    .where(condition)
    .orderBy(...ordering(listing, searched, table.id))
    .limit(limit)
    .offset(offset)
  const counted = await db.read.sql.select({ total: COUNT }).from(table).where(condition).get()
  return { items, total: counted?.total ?? 0 }
}

/** The rules in force that are set off so. */
export function enabledReplicationPolicies(db: Database, trigger: ReplicationTrigger): Promise<ReplicationPolicy[]> {
  return db.read.sql
    .select()
    .from(replicationPolicies)
    .where(and(eq(replicationPolicies.trigger, trigger), eq(replicationPolicies.enabled, true)))
}

/** @throws RegistryError 404, 409 the name is taken */
export async function updateReplicationPolicy(db: Database, id: number, patch: ReplicationPolicyPatch, actor: string): Promise<void> {
  await db.write(async (connection) => {
    const before = await required(connection, id)
    if (patch.name !== undefined && patch.name !== before.name) await refuseTaken(connection, patch.name)
    const changed = (Object.keys(patch) as (keyof ReplicationPolicyPatch)[]).filter(
      (key) => patch[key] !== undefined && JSON.stringify(patch[key]) !== JSON.stringify(before[key]),
    )
    if (changed.length === 0) return
    const after = await connection.sql
      .update(replicationPolicies)
      .set({ ...patch, updatedAt: db.clock.now() })
      .where(eq(replicationPolicies.id, id))
      .returning()
      .get()
    await keepSchedule(db, connection, after)
    if (otherEnd(after) !== otherEnd(before)) await moveLane(connection, id, otherEnd(before), otherEnd(after))
    await tell(db, connection, { actor, kind: 'replication.policy.updated', subject: `replication:${id}`, detail: { name: before.name, changed } })
  })
}

/** With its executions and tasks. @throws RegistryError 404, 412 an execution is running */
export async function deleteReplicationPolicy(db: Database, id: number, actor: string): Promise<void> {
  await db.write(async (connection) => {
    const { sql } = connection
    const { name } = await required(connection, id)
    const running = await sql
      .select({ id: replicationExecutions.id })
      .from(replicationExecutions)
      .where(and(eq(replicationExecutions.policyId, id), eq(replicationExecutions.status, 'InProgress')))
      .orderBy(desc(replicationExecutions.id))
      .limit(1)
      .get()
    if (running !== undefined) throw precondition(`Execution ${running.id} of replication rule ${name} is running; stop it first.`)
    await deleteScheduleIn(connection, purposeOf(id))
    await sql.delete(replicationPolicies).where(eq(replicationPolicies.id, id))
    await tell(db, connection, { actor, kind: 'replication.policy.deleted', subject: `replication:${id}`, detail: { name } })
  })
}

const purposeOf = (id: number) => `replication:${id}`

/** A rule in force whose trigger is a schedule has one. */
async function keepSchedule(db: Database, connection: WriteConnection, { id, trigger, enabled, cron }: ReplicationPolicy): Promise<void> {
  if (trigger !== 'scheduled' || !enabled || cron === null) {
    await deleteScheduleIn(connection, purposeOf(id))
    return
  }
  const payload: StartPayload = { policyId: id }
  await putScheduleIn(db, connection, { purpose: purposeOf(id), type: 'Custom', cron, job: { kind: START_REPLICATION, payload } })
}

/** What waits is done with the endpoint that the rule has when its turn comes. */
async function moveLane({ sql }: WriteConnection, id: number, from: number, to: number): Promise<void> {
  await sql
    .update(jobs)
    .set({ lane: to })
    .where(and(eq(jobs.state, 'queued'), eq(jobs.kind, REPLICATE), eq(jobs.lane, from), raw`json_extract(${jobs.payload}, '$.policyId') = ${id}`))
}

async function required({ sql }: WriteConnection, id: number): Promise<ReplicationPolicy> {
  const policy = await sql.select().from(replicationPolicies).where(eq(replicationPolicies.id, id)).get()
  if (policy === undefined) throw notFound(`There is no replication rule ${id}.`)
  return policy
}

async function refuseTaken({ sql }: WriteConnection, name: string): Promise<void> {
  if (await sql.select({ id: replicationPolicies.id }).from(replicationPolicies).where(eq(replicationPolicies.name, name)).get()) {
    throw conflict(`There is a replication rule ${name} already.`)
  }
}

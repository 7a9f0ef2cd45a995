import { and, desc, eq, sql as raw } from 'drizzle-orm'
import type { Digest } from '../registry/spec/digests.ts'
import type { RepositoryName, Tag } from '../registry/spec/names.ts'
import { tell } from './changes.ts'
import type { WriteConnection } from './connection.ts'
import type { Database } from './database.ts'
import { conflict, notFound, precondition } from './errors.ts'
import { COUNT, type Listed, type Listing, ordering, window } from './listing.ts'
import { wished } from './matching.ts'
import { deleteScheduleIn, putScheduleIn } from './schedules.ts'
import { preheatInstances, preheatPolicies } from './tables/preheat.ts'
import { runs } from './tables/runs.ts'

export type { PreheatFilters } from './tables/preheat.ts'

/** An edge that projects may warm. Times in milliseconds since the epoch. */
export type PreheatInstance = typeof preheatInstances.$inferSelect
export type NewPreheatInstance = Omit<PreheatInstance, 'id' | 'createdAt'>
export type PreheatPolicy = typeof preheatPolicies.$inferSelect
export type NewPreheatPolicy = Omit<PreheatPolicy, 'id' | 'createdAt' | 'updatedAt'>

/** The kind of the jobs that begin a scheduled policy. */
export const START_PREHEAT = 'start-preheat'
const purposeOf = (id: number) => `preheat:${id}`

/** @throws RegistryError 409 there is one of that name or endpoint */
export async function createPreheatInstance(db: Database, instance: NewPreheatInstance, actor: string): Promise<number> {
  return await db.write(async (connection) => {
    const { sql } = connection
    const taken = await sql
      .select({ name: preheatInstances.name })
      .from(preheatInstances)
      .where(raw`${preheatInstances.name} = ${instance.name} OR ${preheatInstances.endpoint} = ${instance.endpoint}`)
      .get()
    if (taken !== undefined) throw conflict(`There is an instance of this name or endpoint already: ${taken.name}.`)
    if (instance.standard) await sql.update(preheatInstances).set({ standard: false })
    const { id } = await sql
      .insert(preheatInstances)
      .values({ ...instance, createdAt: db.clock.now() })
      .returning({ id: preheatInstances.id })
      .get()
    await tell(db, connection, { actor, kind: 'preheat.instance.created', subject: instance.name })
    return id
  })
}

/** @throws RegistryError 404 */
export async function updatePreheatInstance(db: Database, name: string, patch: Partial<NewPreheatInstance>, actor: string): Promise<void> {
  await db.write(async (connection) => {
    const { sql } = connection
    if (patch.standard === true) await sql.update(preheatInstances).set({ standard: false })
    const changed = await sql.update(preheatInstances).set(patch).where(eq(preheatInstances.name, name)).returning({ id: preheatInstances.id })
    if (changed.length === 0) throw notFound(`preheat instance ${name} not found`)
    await tell(db, connection, { actor, kind: 'preheat.instance.updated', subject: name })
  })
}

/** @throws RegistryError 404, 412 a policy stands on it */
export async function deletePreheatInstance(db: Database, name: string, actor: string): Promise<void> {
  await db.write(async (connection) => {
    const { sql } = connection
    const instance = await sql.select({ id: preheatInstances.id }).from(preheatInstances).where(eq(preheatInstances.name, name)).get()
    if (instance === undefined) throw notFound(`preheat instance ${name} not found`)
    const used = await sql
      .select({ name: preheatPolicies.name })
      .from(preheatPolicies)
      .where(eq(preheatPolicies.instanceId, instance.id))
      .limit(1)
      .get()
    if (used !== undefined) throw precondition(`The preheat policy ${used.name} stands on it; delete that first.`)
    await sql.delete(preheatInstances).where(eq(preheatInstances.id, instance.id))
    await tell(db, connection, { actor, kind: 'preheat.instance.deleted', subject: name })
  })
}

export function findPreheatInstance(db: Database, by: { readonly name: string } | { readonly id: number }): Promise<PreheatInstance | undefined> {
  return db.read.sql
    .select()
    .from(preheatInstances)
    .where('name' in by ? eq(preheatInstances.name, by.name) : eq(preheatInstances.id, by.id))
    .get()
}

const searchedOfInstance = {
  id: preheatInstances.id,
  name: preheatInstances.name,
  description: preheatInstances.description,
  endpoint: preheatInstances.endpoint,
  enabled: preheatInstances.enabled,
  default: preheatInstances.standard,
  insecure: preheatInstances.insecure,
  setup_timestamp: raw`${preheatInstances.createdAt} / 1000`,
}

/** The standard one first; searched and sorted by their fields. */
export async function listPreheatInstances(db: Database, listing: Listing): Promise<Listed<PreheatInstance>> {
  const condition = wished(listing, searchedOfInstance)
  const { limit, offset } = window(listing)
  const items = await db.read.sql
    .select()
    .from(preheatInstances)
    .where(condition)
    .orderBy(desc(preheatInstances.standard), ...ordering(listing, searchedOfInstance, preheatInstances.id))
    .limit(limit)
    .offset(offset)
  const counted = await db.read.sql.select({ total: COUNT }).from(preheatInstances).where(condition).get()
  return { items, total: counted?.total ?? 0 }
}

/** @throws RegistryError 409 */
export async function createPreheatPolicy(db: Database, policy: NewPreheatPolicy, actor: string): Promise<number> {
  return await db.write(async (connection) => {
    await refuseTaken(connection, policy)
    const now = db.clock.now()
    const { id } = await connection.sql
      .insert(preheatPolicies)
      .values({ ...policy, createdAt: now, updatedAt: now })
      .returning({ id: preheatPolicies.id })
      .get()
    await schedule(db, connection, id, policy)
    await tell(db, connection, {
      actor,
      kind: 'preheat.policy.created',
      subject: `preheat:${id}`,
      projectId: policy.projectId,
      detail: { name: policy.name },
    })
    return id
  })
}

/** @throws RegistryError 404, 409 */
export async function updatePreheatPolicy(db: Database, id: number, policy: NewPreheatPolicy, actor: string): Promise<void> {
  await db.write(async (connection) => {
    const before = await connection.sql.select().from(preheatPolicies).where(eq(preheatPolicies.id, id)).get()
    if (before === undefined) throw notFound(`preheat policy ${id} not found`)
    if (before.name !== policy.name) await refuseTaken(connection, policy)
    await connection.sql
      .update(preheatPolicies)
      .set({ ...policy, updatedAt: db.clock.now() })
      .where(eq(preheatPolicies.id, id))
    await schedule(db, connection, id, policy)
    await tell(db, connection, {
      actor,
      kind: 'preheat.policy.updated',
      subject: `preheat:${id}`,
      projectId: policy.projectId,
      detail: { name: policy.name },
    })
  })
}

/** With its runs. */
export async function deletePreheatPolicy(db: Database, policy: PreheatPolicy, actor: string): Promise<void> {
  await db.write((connection) => deletePreheatPolicyIn(db, connection, policy, actor))
}

/** Those of a project that goes, in its transaction. */
export async function deletePreheatOfProject(db: Database, connection: WriteConnection, projectId: number, actor: string): Promise<void> {
  const policies = await connection.sql.select().from(preheatPolicies).where(eq(preheatPolicies.projectId, projectId))
  for (const policy of policies) await deletePreheatPolicyIn(db, connection, policy, actor)
}

type Named = Pick<PreheatPolicy, 'id' | 'projectId' | 'name'>

async function deletePreheatPolicyIn(db: Database, connection: WriteConnection, { id, projectId, name }: Named, actor: string): Promise<void> {
  const { sql } = connection
  await sql.delete(preheatPolicies).where(eq(preheatPolicies.id, id))
  await sql.delete(runs).where(and(eq(runs.kind, 'preheat'), eq(runs.policyId, id)))
  await deleteScheduleIn(connection, purposeOf(id))
  await tell(db, connection, { actor, kind: 'preheat.policy.deleted', subject: `preheat:${id}`, projectId, detail: { name } })
}

export function findPreheatPolicy(db: Database, projectId: number, name: string): Promise<PreheatPolicy | undefined> {
  return db.read.sql
    .select()
    .from(preheatPolicies)
    .where(and(eq(preheatPolicies.projectId, projectId), eq(preheatPolicies.name, name)))
    .get()
}

/** Of whichever project. */
export function preheatPolicy(db: Database, id: number): Promise<PreheatPolicy | undefined> {
  return db.read.sql.select().from(preheatPolicies).where(eq(preheatPolicies.id, id)).get()
}

const searchedOfPolicy = {
  id: preheatPolicies.id,
  name: preheatPolicies.name,
  description: preheatPolicies.description,
  project_id: preheatPolicies.projectId,
  provider_id: preheatPolicies.instanceId,
  enabled: preheatPolicies.enabled,
  creation_time: preheatPolicies.createdAt,
  update_time: preheatPolicies.updatedAt,
}

/** Searched and sorted by their fields. */
export async function listPreheatPolicies(db: Database, projectId: number, listing: Listing): Promise<Listed<PreheatPolicy>> {
  const condition = and(eq(preheatPolicies.projectId, projectId), wished(listing, searchedOfPolicy))
  const { limit, offset } = window(listing)
  const items = await db.read.sql
    .select()
    .from(preheatPolicies)
    .where(condition)
    .orderBy(...ordering(listing, searchedOfPolicy, preheatPolicies.id))
    .limit(limit)
    .offset(offset)
  const counted = await db.read.sql.select({ total: COUNT }).from(preheatPolicies).where(condition).get()
  return { items, total: counted?.total ?? 0 }
}

/** Those of a project that follow pushes. */
export function preheatOnPush(db: Database, projectId: number): Promise<PreheatPolicy[]> {
  return db.read.sql
    .select()
    .from(preheatPolicies)
    .where(and(eq(preheatPolicies.projectId, projectId), eq(preheatPolicies.enabled, true), eq(preheatPolicies.trigger, 'event_based')))
}

/** Whether any project has one that follows pushes. */
export async function anyPreheatOnPush(db: Database): Promise<boolean> {
  const { id, enabled, trigger } = preheatPolicies
  const found = await db.read.sql.select({ id }).from(preheatPolicies).where(raw`${enabled} = 1 AND ${trigger} = 'event_based'`).limit(1).get()
  return found !== undefined
}

/** A tagged artifact, with the names of the labels it carries. */
export interface TaggedArtifact {
  readonly repository: RepositoryName
  readonly tag: Tag
  readonly digest: Digest
  readonly labels: readonly string[]
}

/** The tags of a project after one of them, by repository and name; at most `limit`. */
export async function taggedArtifacts(
  db: Database,
  projectId: number,
  after: Pick<TaggedArtifact, 'repository' | 'tag'> | undefined,
  limit: number,
): Promise<TaggedArtifact[]> {
  const { repository, tag } = after ?? { repository: '', tag: '' }
  const rows = await db.read.sql.all<Omit<TaggedArtifact, 'labels'> & { readonly labels: string }>(raw`
    SELECT r.name AS repository, t.name AS tag, t.digest AS digest,
      (SELECT json_group_array(l.name) FROM manifests m JOIN artifact_labels a ON a.manifest_id = m.id JOIN labels l ON l.id = a.label_id
        WHERE m.repository_id = t.repository_id AND m.digest = t.digest) AS labels
    FROM repositories r JOIN tags t ON t.repository_id = r.id
    WHERE r.project_id = ${projectId} AND (r.name, t.name) > (${repository}, ${tag})
    ORDER BY r.name, t.name LIMIT ${limit}`)
  return rows.map((row) => ({ ...row, labels: JSON.parse(row.labels) as string[] }))
}

async function schedule(db: Database, connection: WriteConnection, id: number, { trigger, cron, enabled }: NewPreheatPolicy): Promise<void> {
  if (trigger === 'scheduled' && cron !== null && enabled) {
    await putScheduleIn(db, connection, { purpose: purposeOf(id), type: 'Custom', cron, job: { kind: START_PREHEAT, payload: { policyId: id } } })
  } else await deleteScheduleIn(connection, purposeOf(id))
}

async function refuseTaken({ sql }: WriteConnection, { projectId, name }: NewPreheatPolicy): Promise<void> {
  const taken = await sql
    .select({ id: preheatPolicies.id })
    .from(preheatPolicies)
    .where(and(eq(preheatPolicies.projectId, projectId), eq(preheatPolicies.name, name)))
    .get()
  if (taken !== undefined) throw conflict(`The project has a preheat policy ${name} already.`)
}

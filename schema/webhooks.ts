import { and, eq, inArray, sql as raw } from 'drizzle-orm'
import { tell } from './changes.ts'
import type { WriteConnection } from './connection.ts'
import type { Database } from './database.ts'
import { conflict, notFound } from './errors.ts'
import { COUNT, type Listed, type Listing, ordering, window } from './listing.ts'
import { wished } from './matching.ts'
import { runs } from './tables/runs.ts'
import { webhookPolicies } from './tables/webhooks.ts'

export type { WebhookTarget } from './tables/webhooks.ts'

/** Who is told of what happens in a project. Times in milliseconds since the epoch. */
export type WebhookPolicy = typeof webhookPolicies.$inferSelect
export type NewWebhookPolicy = Omit<WebhookPolicy, 'id' | 'creator' | 'createdAt' | 'updatedAt'>

/** Resolves with its id. @throws RegistryError 409 the project has one of that name */
export async function createWebhookPolicy(db: Database, policy: NewWebhookPolicy, creator: string, actor: string): Promise<number> {
  return await db.write(async (connection) => {
    await refuseTaken(connection, policy)
    const now = db.clock.now()
    const { id } = await connection.sql
      .insert(webhookPolicies)
      .values({ ...policy, creator, createdAt: now, updatedAt: now })
      .returning({ id: webhookPolicies.id })
      .get()
    await tell(db, connection, { actor, kind: 'webhook.created', ...about(policy, id) })
    return id
  })
}

/** @throws RegistryError 404 the project has none of that id, 409 it has another of that name */
export async function updateWebhookPolicy(db: Database, id: number, policy: NewWebhookPolicy, actor: string): Promise<void> {
  await db.write(async (connection) => {
    const before = await connection.sql.select().from(webhookPolicies).where(ofProject(policy.projectId, id)).get()
    if (before === undefined) throw notFound(`webhook policy ${id} not found`)
    if (before.name !== policy.name) await refuseTaken(connection, policy)
    await connection.sql
      .update(webhookPolicies)
      .set({ ...policy, updatedAt: db.clock.now() })
      .where(eq(webhookPolicies.id, id))
    await tell(db, connection, { actor, kind: 'webhook.updated', ...about(policy, id) })
  })
}

/** With all that it has sent. False: the project has none of that id. */
export async function deleteWebhookPolicy(db: Database, projectId: number, id: number, actor: string): Promise<boolean> {
  return await db.write(async (connection) => {
    const { sql } = connection
    const gone = await sql.delete(webhookPolicies).where(ofProject(projectId, id)).returning().get()
    if (gone === undefined) return false
    await sql.delete(runs).where(and(eq(runs.kind, 'webhook'), eq(runs.policyId, id)))
    await tell(db, connection, { actor, kind: 'webhook.deleted', ...about(gone, id) })
    return true
  })
}

export function findWebhookPolicy(db: Database, projectId: number, id: number): Promise<WebhookPolicy | undefined> {
  return db.read.sql.select().from(webhookPolicies).where(ofProject(projectId, id)).get()
}

/** Of whichever project. */
export function webhookPolicy(db: Database, id: number): Promise<WebhookPolicy | undefined> {
  return db.read.sql.select().from(webhookPolicies).where(eq(webhookPolicies.id, id)).get()
}

const searched = {
  id: webhookPolicies.id,
  name: webhookPolicies.name,
  description: webhookPolicies.description,
  project_id: webhookPolicies.projectId,
  enabled: webhookPolicies.enabled,
  creator: webhookPolicies.creator,
  creation_time: webhookPolicies.createdAt,
  update_time: webhookPolicies.updatedAt,
}

/** Searched and sorted by their fields. */
export async function listWebhookPolicies(db: Database, projectId: number, listing: Listing): Promise<Listed<WebhookPolicy>> {
  const condition = and(eq(webhookPolicies.projectId, projectId), wished(listing, searched))
  const { limit, offset } = window(listing)
  const items = await db.read.sql
    .select()
    .from(webhookPolicies)
    .where(condition)
    .orderBy(...ordering(listing, searched, webhookPolicies.id))
    .limit(limit)
    .offset(offset)
  const counted = await db.read.sql.select({ total: COUNT }).from(webhookPolicies).where(condition).get()
  return { items, total: counted?.total ?? 0 }
}

/** Those of some projects that want to be told. */
export function enabledWebhooks(db: Database, projectIds: readonly number[]): Promise<WebhookPolicy[]> {
  return db.read.sql
    .select()
    .from(webhookPolicies)
    .where(and(inArray(webhookPolicies.projectId, [...projectIds]), eq(webhookPolicies.enabled, true)))
}

/** Whether there is any that wants to be told of something. */
export async function anyWebhook(db: Database): Promise<boolean> {
  const found = await db.read.sql.select({ id: webhookPolicies.id }).from(webhookPolicies).where(raw`${webhookPolicies.enabled} = 1`).limit(1).get()
  return found !== undefined
}

async function refuseTaken({ sql }: WriteConnection, { projectId, name }: NewWebhookPolicy): Promise<void> {
  const taken = await sql
    .select({ id: webhookPolicies.id })
    .from(webhookPolicies)
    .where(and(eq(webhookPolicies.projectId, projectId), eq(webhookPolicies.name, name)))
    .get()
  if (taken !== undefined) throw conflict(`The project has a webhook ${name} already.`)
}

const ofProject = (projectId: number, id: number) => and(eq(webhookPolicies.projectId, projectId), eq(webhookPolicies.id, id))

const about = ({ projectId, name }: Pick<WebhookPolicy, 'projectId' | 'name'>, id: number) => ({
  subject: `webhook:${id}`,
  projectId,
  detail: { name },
})

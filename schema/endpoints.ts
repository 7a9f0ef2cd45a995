import { and, eq, inArray, isNull, lte, or } from 'drizzle-orm'
import { tell } from './changes.ts'
import type { WriteConnection } from './connection.ts'
import type { Database } from './database.ts'
import { conflict, notFound, precondition } from './errors.ts'
import { beginLaneAnew, resumeLane } from './lanes.ts'
import { COUNT, contains, type Listed, type Listing, ordering, window } from './listing.ts'
import { wished } from './matching.ts'
import { endpoints } from './tables/endpoints.ts'
import { projects } from './tables/projects.ts'
import { replicationPolicies } from './tables/replication.ts'

/** Another registry. `sealedSecret` is opaque here. */
export type Endpoint = typeof endpoints.$inferSelect

export interface NewEndpoint {
  readonly name: string
  /** Harbor's name for its kind: `docker-hub`, `docker-registry`, `harbor`, … */
  readonly type: string
  readonly url: string
  readonly description?: string | undefined
  readonly credentialType?: string | null | undefined
  readonly accessKey?: string | null | undefined
  readonly sealedSecret?: string | null | undefined
  readonly insecure?: boolean | undefined
  readonly caCertificate?: string | null | undefined
  readonly jobsAtOnce?: number | undefined
  /** KiB a second. */
  readonly speed?: number | undefined
  /** The project that it is for alone. It stays with it. */
  readonly projectId?: number | undefined
  /** Milliseconds since the epoch; null: no end. */
  readonly expiresAt?: number | null | undefined
}

export interface EndpointPatch extends Omit<Partial<NewEndpoint>, 'type' | 'name' | 'url' | 'projectId'> {
  readonly name?: string | undefined
  readonly url?: string | undefined
}

export type EndpointStatus = Endpoint['status']

/** @throws RegistryError 409 the name is taken */
export async function createEndpoint(db: Database, endpoint: NewEndpoint, actor: string): Promise<Endpoint> {
  return await db.write(async (connection) => {
    await refuseTaken(connection, endpoint.name)
    const now = db.clock.now()
    const row = await connection.sql
      .insert(endpoints)
      .values({
        ...given(endpoint),
        name: endpoint.name,
        type: endpoint.type,
        url: endpoint.url,
        projectId: endpoint.projectId,
        createdAt: now,
        updatedAt: now,
      })
      .returning()
      .get()
    await tell(db, connection, {
      actor,
      kind: 'endpoint.created',
      subject: `endpoint:${row.id}`,
      detail: { name: row.name },
      projectId: endpoint.projectId,
    })
    return row
  })
}

export function findEndpointById(db: Database, id: number): Promise<Endpoint | undefined> {
  return db.read.sql.select().from(endpoints).where(eq(endpoints.id, id)).get()
}

export function findEndpointByName(db: Database, name: string): Promise<Endpoint | undefined> {
  return db.read.sql.select().from(endpoints).where(eq(endpoints.name, name)).get()
}

const searched = {
  id: endpoints.id,
  name: endpoints.name,
  description: endpoints.description,
  url: endpoints.url,
  type: endpoints.type,
  status: endpoints.status,
  insecure: endpoints.insecure,
  access_key: endpoints.accessKey,
  credential_type: endpoints.credentialType,
  creation_time: endpoints.createdAt,
  update_time: endpoints.updatedAt,
}

/** Searched and sorted by their fields. */
export async function listEndpoints(
  db: Database,
  /** `name` is part of it. */
  filter: { readonly name?: string | undefined },
  listing: Listing,
): Promise<Listed<Endpoint>> {
  const condition = and(contains(endpoints.name, filter.name), wished(listing, searched))
  const { limit, offset } = window(listing)
  const items = await db.read.sql
    .select()
    .from(endpoints)
    .where(condition)
    .orderBy(...ordering(listing, searched, endpoints.id))
    .limit(limit)
    .offset(offset)
  const counted = await db.read.sql.select({ total: COUNT }).from(endpoints).where(condition).get()
  return { items, total: counted?.total ?? 0 }
}

/** @throws RegistryError 404, 409 the name is taken */
export async function updateEndpoint(db: Database, id: number, patch: EndpointPatch, actor: string): Promise<void> {
  await db.write(async (connection) => {
    const before = await required(connection, id)
    if (patch.name !== undefined && patch.name !== before.name) await refuseTaken(connection, patch.name)
    const values = given(patch)
    const changed = (Object.keys(values) as (keyof Endpoint)[]).filter((key) => values[key] !== before[key])
    if (changed.length === 0) return
    // What was seen of it before says nothing of where it is now.
    const asked = changed.some((key) => !OF_OURS.has(key))
    const unseen = asked ? { status: 'unknown' as const, statusText: '', checkedAt: null } : {}
    await connection.sql
      .update(endpoints)
      .set({ ...values, ...unseen, updatedAt: db.clock.now() })
      .where(eq(endpoints.id, id))
    if (asked) await beginLaneAnew(db, connection, id)
    await tell(db, connection, { actor, kind: 'endpoint.updated', subject: `endpoint:${id}`, detail: { name: before.name, changed } })
  })
}

/**
 * Takes endpoints that nobody has looked at since `before`, those first that waited longest: whoever takes one looks at it, and no other process
 * does meanwhile.
 */
export async function takeEndpointsToCheck(db: Database, before: number, limit: number): Promise<Endpoint[]> {
  const due = or(isNull(endpoints.checkedAt), lte(endpoints.checkedAt, before))
  const some = await db.read.sql.select({ id: endpoints.id }).from(endpoints).where(due).limit(1)
  if (some.length === 0) return []
  return await db.write(async ({ sql }) => {
    const chosen = sql.select({ id: endpoints.id }).from(endpoints).where(due).orderBy(endpoints.checkedAt, endpoints.id).limit(limit)
    return await sql.update(endpoints).set({ checkedAt: db.clock.now() }).where(inArray(endpoints.id, chosen)).returning()
  })
}

/**
 * Writes down what a look at an endpoint showed, unless it has been changed since. Whether it answers is no change of the endpoint: nobody's cache
 * depends on it, and nobody is told.
 */
export async function recordEndpointStatus(
  db: Database,
  { id, updatedAt }: Pick<Endpoint, 'id' | 'updatedAt'>,
  status: EndpointStatus,
  statusText: string,
): Promise<void> {
  await db.write(({ sql }) =>
    sql
      .update(endpoints)
      .set({ status, statusText, checkedAt: db.clock.now() })
      .where(and(eq(endpoints.id, id), eq(endpoints.updatedAt, updatedAt))),
  )
}

/** @throws RegistryError 404, 412 a proxy cache or a replication rule uses it */
export async function deleteEndpoint(db: Database, id: number, actor: string): Promise<void> {
  await db.write(async (connection) => {
    const { sql } = connection
    const { name } = await required(connection, id)
    const project = await sql.select({ name: projects.name }).from(projects).where(eq(projects.endpointId, id)).limit(1).get()
    if (project !== undefined) throw precondition(`The endpoint ${name} is used by project ${project.name}.`)
    const policy = await sql
      .select({ name: replicationPolicies.name })
      .from(replicationPolicies)
      .where(or(eq(replicationPolicies.sourceEndpointId, id), eq(replicationPolicies.destinationEndpointId, id)))
      .limit(1)
      .get()
    if (policy !== undefined) throw precondition(`The endpoint ${name} is used by replication rule ${policy.name}.`)
    await sql.delete(endpoints).where(eq(endpoints.id, id))
    await resumeLane(connection, id)
    await tell(db, connection, { actor, kind: 'endpoint.deleted', subject: `endpoint:${id}`, detail: { name } })
  })
}

/** What changes nothing of how an endpoint is reached. */
const OF_OURS: ReadonlySet<keyof Endpoint> = new Set(['name', 'description', 'jobsAtOnce', 'speed'])

/** The fields that were given. */
function given(patch: EndpointPatch): Partial<Endpoint> {
  const { name, url, description, credentialType, accessKey, sealedSecret, insecure, caCertificate, jobsAtOnce, speed, expiresAt } = patch
  const fields = { name, url, description, credentialType, accessKey, sealedSecret, insecure, caCertificate, jobsAtOnce, speed, expiresAt }
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}

async function refuseTaken({ sql }: WriteConnection, name: string): Promise<void> {
  if (await sql.select({ id: endpoints.id }).from(endpoints).where(eq(endpoints.name, name)).get()) {
    throw conflict(`There is an endpoint ${name} already.`)
  }
}

async function required({ sql }: WriteConnection, id: number): Promise<Endpoint> {
  const endpoint = await sql.select().from(endpoints).where(eq(endpoints.id, id)).get()
  if (endpoint === undefined) throw notFound(`There is no registry endpoint ${id}.`)
  return endpoint
}

import { and, eq, inArray, isNotNull, isNull, or, sql as raw, type SQL } from 'drizzle-orm'
import type { LibSQLDatabase } from 'drizzle-orm/libsql'
import { type Member, type ProjectFacts, ROLES } from '../policy/facts.ts'
import { tell } from './changes.ts'
import type { Database } from './database.ts'
import { removeUnlistedRepositories } from './delete-repository.ts'
import { conflict, notFound, precondition } from './errors.ts'
import { COUNT, contains, type Listed, type Listing, ordering, window } from './listing.ts'
import { wished } from './matching.ts'
import { deletePreheatOfProject } from './preheat.ts'
import { deleteRetentionOfProject } from './retention.ts'
import { uploads } from './tables/blobs.ts'
import { endpoints } from './tables/endpoints.ts'
import { labels } from './tables/labels.ts'
import { members, projects } from './tables/projects.ts'
import { isListed, repositories } from './tables/repositories.ts'
import { robots } from './tables/robots.ts'
import { users } from './tables/users.ts'
import { webhookPolicies } from './tables/webhooks.ts'

export interface Project {
  readonly id: number
  readonly name: string
  readonly ownerId: number
  readonly ownerName: string
  readonly public: boolean
  /** Bytes; -1: unlimited. */
  readonly storageLimit: number
  readonly storageUsed: number
  /** Where a proxy cache gets its images from; null: it is none. */
  readonly endpointId: number | null
  /** By Harbor's names, with its string values; without `public`. */
  readonly metadata: Readonly<Record<string, string>>
  readonly repositoryCount: number
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  readonly updatedAt: number
}

export interface NewProject {
  readonly name: string
  readonly ownerId: number
  readonly public: boolean
  readonly storageLimit?: number | undefined
  readonly endpointId?: number | undefined
  readonly metadata?: Readonly<Record<string, string>> | undefined
}

export interface ProjectPatch {
  readonly public?: boolean | undefined
  readonly storageLimit?: number | undefined
  /** Merged into what is there; null takes a key away. */
  readonly metadata?: Readonly<Record<string, string | null>> | undefined
}

export interface ProjectFilter {
  /** Part of the name. */
  readonly name?: string | undefined
  readonly public?: boolean | undefined
  readonly proxy?: boolean | undefined
  /** Only those that this user is a member of, himself or by a group. */
  readonly memberOf?: Membership | undefined
  /** Only public ones and those that this user is a member of. */
  readonly visibleTo?: Membership | undefined
  /** Only public ones and these. */
  readonly visibleIds?: readonly number[] | undefined
  readonly ownerName?: string | undefined
  readonly ids?: readonly number[] | undefined
}

/** Which projects somebody may know of; nothing: all of them. */
export type Visibility = Pick<ProjectFilter, 'public' | 'visibleTo' | 'visibleIds'>

export interface Membership {
  readonly userId: number
  readonly groups: readonly number[]
}

const repositoryCount =
  raw<number>`(SELECT count(*) FROM repositories WHERE repositories.project_id = projects.id AND repositories.listed = 1)`.mapWith(Number)

const fields = {
  id: projects.id,
  name: projects.name,
  ownerId: projects.ownerId,
  ownerName: users.username,
  public: projects.public,
  storageLimit: projects.storageLimit,
  storageUsed: projects.storageUsed,
  endpointId: projects.endpointId,
  metadata: projects.metadata,
  repositoryCount,
  createdAt: projects.createdAt,
  updatedAt: projects.updatedAt,
}

const select = (sql: LibSQLDatabase) => sql.select(fields).from(projects).innerJoin(users, eq(users.id, projects.ownerId))

const facts = (sql: LibSQLDatabase) => {
  const statement = (condition: SQL) =>
    sql
      .select({
        id: projects.id,
        name: projects.name,
        public: projects.public,
        endpointId: projects.endpointId,
        // Columns by their full names: drizzle leaves out the table where there is one, and a subquery has another.
        // One statement, so that members and visibility are of one moment.
        members: raw<string>`(SELECT json_group_array(json_array(kind, subject_id, role)) FROM members WHERE members.project_id = projects.id)`,
      })
      .from(projects)
      .where(and(condition, isNull(projects.deletedAt)))
      .prepare()
  return { byName: statement(eq(projects.name, raw.placeholder('key'))), byId: statement(eq(projects.id, raw.placeholder('key'))) }
}

/** What decisions need of a project, by its name or id; undefined: there is none. */
export async function projectFacts(db: Database, project: string | number): Promise<ProjectFacts | undefined> {
  const { byName, byId } = db.read.prepared(facts)
  const row = await (typeof project === 'string' ? byName : byId).get({ key: project })
  if (row === undefined) return undefined
  const { endpointId, members, ...known } = row
  const rows = JSON.parse(members) as [Kind, number, Member['role']][]
  return { ...known, members: rows.map(([kind, id, role]) => ({ subject: `${kind}:${id}`, role })), proxy: endpointId !== null }
}

type Kind = 'user' | 'group'

/** The owner becomes its first project admin. @throws RegistryError 409 the name is taken, 404 there is no such endpoint or owner */
export async function createProject(db: Database, project: NewProject, actor: string): Promise<Project> {
  const id = await db.write(async (connection) => {
    const { sql } = connection
    if (await sql.select({ id: projects.id }).from(projects).where(eq(projects.name, project.name)).get()) {
      throw conflict(`There is a project ${project.name} already.`)
    }
    const now = db.clock.now()
    const row = await sql
      .insert(projects)
      .values({
        name: project.name,
        ownerId: project.ownerId,
        public: project.public,
        storageLimit: project.storageLimit ?? -1,
        endpointId: project.endpointId ?? null,
        metadata: project.metadata ?? {},
        createdAt: now,
        updatedAt: now,
      })
      .returning({ id: projects.id })
      .get()
    await sql
      .insert(members)
      .values({ projectId: row.id, kind: 'user', subjectId: project.ownerId, role: ROLES.projectAdmin, createdAt: now, updatedAt: now })
    await tell(db, connection, { actor, kind: 'project.created', subject: project.name, projectId: row.id })
    return row.id
  })
  return await required(db, id)
}

export function findProjectByName(db: Database, name: string): Promise<Project | undefined> {
  return select(db.read.sql)
    .where(and(eq(projects.name, name), isNull(projects.deletedAt)))
    .get()
}

export function findProjectById(db: Database, id: number): Promise<Project | undefined> {
  return select(db.read.sql)
    .where(and(eq(projects.id, id), isNull(projects.deletedAt)))
    .get()
}

/** The names of the projects where this setting of `metadata` is set. */
export async function projectsWithSetting(db: Database, setting: string): Promise<string[]> {
  const rows = await db.read.sql
    .select({ name: projects.name })
    .from(projects)
    .where(and(isNull(projects.deletedAt), raw`json_extract(${projects.metadata}, ${`$."${setting}"`}) IS NOT NULL`))
    .orderBy(projects.name)
  return rows.map(({ name }) => name)
}

const searched = {
  id: projects.id,
  project_id: projects.id,
  name: projects.name,
  owner_id: projects.ownerId,
  // 0: it is no proxy cache.
  registry_id: raw`coalesce(${projects.endpointId}, 0)`,
  creation_time: projects.createdAt,
  update_time: projects.updatedAt,
  storage_limit: projects.storageLimit,
  storage_used: projects.storageUsed,
}

/** Searched and sorted by their fields. */
export async function listProjects(db: Database, filter: ProjectFilter, listing: Listing): Promise<Listed<Project>> {
  const { sql } = db.read
  const condition = and(
    isNull(projects.deletedAt),
    contains(projects.name, filter.name),
    filter.proxy === undefined ? undefined : filter.proxy ? isNotNull(projects.endpointId) : isNull(projects.endpointId),
    filter.memberOf === undefined ? undefined : membershipOf(filter.memberOf),
    isVisible(filter),
    filter.ownerName === undefined
      ? undefined
      : inArray(projects.ownerId, sql.select({ id: users.id }).from(users).where(eq(users.username, filter.ownerName))),
    filter.ids === undefined ? undefined : inArray(projects.id, [...filter.ids]),
    wished(listing, searched),
  )
  const { limit, offset } = window(listing)
  const order = ordering(listing, searched, projects.name)
  // First which rows they are: what is told of each (how many repositories) would be found for every row that is sorted.
  const page = sql
    .select({ id: projects.id })
    .from(projects)
    .where(condition)
    .orderBy(...order)
    .limit(limit)
    .offset(offset)
  const items = await select(sql)
    .where(inArray(projects.id, page))
    .orderBy(...order)
  const counted = await sql.select({ total: COUNT }).from(projects).where(condition).get()
  return { items, total: counted?.total ?? 0 }
}

function isVisible({ public: isPublic, visibleTo, visibleIds }: Visibility): SQL | undefined {
  return and(
    isPublic === undefined ? undefined : eq(projects.public, isPublic),
    visibleTo === undefined ? undefined : raw`(${projects.public} = 1 OR ${membershipOf(visibleTo)})`,
    visibleIds === undefined ? undefined : or(eq(projects.public, true), inArray(projects.id, [...visibleIds])),
  )
}

/** The ids of those projects, for a condition; undefined: of all. For functions of this room. */
export function idsOfVisible(sql: LibSQLDatabase, visibility: Visibility): SQL | undefined {
  const condition = isVisible(visibility)
  if (condition === undefined) return undefined
  const ids = sql
    .select({ id: projects.id })
    .from(projects)
    .where(and(isNull(projects.deletedAt), condition))
  return raw`(${ids.getSQL()})`
}

function membershipOf({ userId, groups }: Membership): SQL {
  const byGroup = groups.length === 0 ? raw`` : raw` UNION SELECT project_id FROM members WHERE kind = 'group' AND subject_id IN ${[...groups]}`
  return raw`${projects.id} IN (SELECT project_id FROM members WHERE kind = 'user' AND subject_id = ${userId}${byGroup})`
}

/** @throws RegistryError 404 */
export async function updateProject(db: Database, id: number, patch: ProjectPatch, actor: string): Promise<Project> {
  await db.write(async (connection) => {
    const { sql } = connection
    const before = await sql
      .select()
      .from(projects)
      .where(and(eq(projects.id, id), isNull(projects.deletedAt)))
      .get()
    if (before === undefined) throw notFound(`There is no project ${id}.`)
    const after = {
      public: patch.public ?? before.public,
      storageLimit: patch.storageLimit ?? before.storageLimit,
      metadata: merge(before.metadata, patch.metadata ?? {}),
    }
    if (
      after.public === before.public &&
      after.storageLimit === before.storageLimit &&
      JSON.stringify(after.metadata) === JSON.stringify(before.metadata)
    ) {
      return
    }
    await sql
      .update(projects)
      .set({ ...after, updatedAt: db.clock.now() })
      .where(eq(projects.id, id))
    await tell(db, connection, { actor, kind: 'project.updated', subject: before.name, projectId: id, detail: { public: after.public } })
  })
  return await required(db, id)
}

function merge(before: Readonly<Record<string, string>>, patch: Readonly<Record<string, string | null>>): Record<string, string> {
  const merged: Record<string, string | null> = { ...before, ...patch }
  return Object.fromEntries(Object.entries(merged).filter((entry): entry is [string, string] => entry[1] !== null))
}

/** Its name can be given again, its id never is. @throws RegistryError 404, 412 it has repositories */
export async function deleteProject(db: Database, id: number, actor: string): Promise<void> {
  await db.write(async (connection) => {
    const { sql } = connection
    const found = await sql
      .select({ name: projects.name })
      .from(projects)
      .where(and(eq(projects.id, id), isNull(projects.deletedAt)))
      .get()
    if (found === undefined) throw notFound(`There is no project ${id}.`)
    const listed = and(eq(repositories.projectId, id), isListed)
    if ((await sql.select({ id: repositories.id }).from(repositories).where(listed).limit(1).get()) !== undefined) {
      throw precondition(`Project ${found.name} has repositories; delete them first.`)
    }
    // Their rules go by the project's name, which another project may have tomorrow.
    const customer = await sql.select({ name: endpoints.name }).from(endpoints).where(eq(endpoints.projectId, id)).limit(1).get()
    if (customer !== undefined) throw precondition(`Project ${found.name} has the customer ${customer.name}; remove it first.`)
    const now = db.clock.now()
    await sql.delete(members).where(eq(members.projectId, id))
    await sql.delete(robots).where(eq(robots.projectId, id))
    await sql.delete(labels).where(eq(labels.projectId, id))
    await deletePreheatOfProject(db, connection, id, actor)
    await deleteRetentionOfProject(db, connection, id, actor)
    await sql.delete(webhookPolicies).where(eq(webhookPolicies.projectId, id))
    await sql.delete(uploads).where(eq(uploads.projectId, id))
    await removeUnlistedRepositories(db, connection, id)
    await sql
      .update(projects)
      .set({ name: `${found.name}#${id}`, endpointId: null, storageUsed: 0, storagePending: 0, deletedAt: now, updatedAt: now })
      .where(eq(projects.id, id))
    await tell(db, connection, { actor, kind: 'project.deleted', subject: found.name, projectId: id })
  })
}

async function required(db: Database, id: number): Promise<Project> {
  const project = await findProjectById(db, id)
  if (project === undefined) throw notFound(`There is no project ${id}.`)
  return project
}

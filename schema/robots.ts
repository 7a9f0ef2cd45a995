import { and, eq, isNull, sql as raw, type SQL } from 'drizzle-orm'
import type { LibSQLDatabase } from 'drizzle-orm/libsql'
import type { RobotPermission } from '../policy/facts.ts'
import { tell } from './changes.ts'
import type { WriteConnection } from './connection.ts'
import type { Database } from './database.ts'
import { conflict, notFound } from './errors.ts'
import { COUNT, type Listed, type Listing, ordering, window } from './listing.ts'
import { wished } from './matching.ts'
import { projects } from './tables/projects.ts'
import { robots } from './tables/robots.ts'

/** A robot account. Its `name` is without prefix and project: `ci` of `robot$team+ci`. `projectName` null: it belongs to the system. */
export type Robot = typeof robots.$inferSelect & { readonly projectName: string | null }

export interface NewRobot {
  readonly name: string
  readonly description?: string | undefined
  /** undefined: a robot of the system. */
  readonly projectId?: number | undefined
  readonly secretHash: string
  /** Days; -1: for ever. */
  readonly duration: number
  readonly expiresAt?: number | undefined
  readonly disabled?: boolean | undefined
  readonly permissions: readonly RobotPermission[]
  /** `user:3`, `robot:4`. */
  readonly creator: string
}

export interface RobotPatch {
  readonly description?: string | undefined
  readonly duration?: number | undefined
  /** null: never. */
  readonly expiresAt?: number | null | undefined
  readonly disabled?: boolean | undefined
  readonly permissions?: readonly RobotPermission[] | undefined
}

const select = (sql: LibSQLDatabase) =>
  sql.select({ robot: robots, projectName: projects.name }).from(robots).leftJoin(projects, eq(projects.id, robots.projectId))

const flat = (row: { robot: typeof robots.$inferSelect; projectName: string | null }): Robot => ({ ...row.robot, projectName: row.projectName })

/** Asked at every login and for every token. */
const reads = (sql: LibSQLDatabase) => ({
  byId: select(sql)
    .where(eq(robots.id, raw.placeholder('id')))
    .prepare(),
  ofSystem: select(sql)
    .where(and(eq(robots.name, raw.placeholder('name')), isNull(robots.projectId)))
    .prepare(),
  ofProject: select(sql)
    .where(and(eq(robots.name, raw.placeholder('name')), eq(projects.name, raw.placeholder('projectName'))))
    .prepare(),
})

/** @throws RegistryError 409 the name is taken in this project (or in the system) */
export async function createRobot(db: Database, robot: NewRobot, actor: string): Promise<Robot> {
  const id = await db.write(async (connection) => {
    const { sql } = connection
    const taken = await sql
      .select({ id: robots.id })
      .from(robots)
      .where(and(robot.projectId === undefined ? isNull(robots.projectId) : eq(robots.projectId, robot.projectId), eq(robots.name, robot.name)))
      .get()
    if (taken !== undefined) throw conflict(`There is a robot ${robot.name} already.`)
    const now = db.clock.now()
    const row = await sql
      .insert(robots)
      .values({
        name: robot.name,
        description: robot.description ?? '',
        level: robot.projectId === undefined ? 'system' : 'project',
        projectId: robot.projectId ?? null,
        secretHash: robot.secretHash,
        duration: robot.duration,
        expiresAt: robot.expiresAt ?? null,
        disabled: robot.disabled ?? false,
        permissions: robot.permissions,
        creator: robot.creator,
        createdAt: now,
        updatedAt: now,
      })
      .returning({ id: robots.id })
      .get()
    await tell(db, connection, { actor, kind: 'robot.created', subject: `robot:${row.id}`, projectId: robot.projectId, detail: { name: robot.name } })
    return row.id
  })
  const created = await findRobotById(db, id)
  if (created === undefined) throw notFound(`There is no robot ${id}.`)
  return created
}

export async function findRobotById(db: Database, id: number): Promise<Robot | undefined> {
  const row = await db.read.prepared(reads).byId.get({ id })
  return row && flat(row)
}

/** By its name without prefix; `projectName` undefined: one of the system. */
export async function findRobotByName(db: Database, name: string, projectName: string | undefined): Promise<Robot | undefined> {
  const { ofSystem, ofProject } = db.read.prepared(reads)
  const row = projectName === undefined ? await ofSystem.get({ name }) : await ofProject.get({ name, projectName })
  return row && flat(row)
}

export interface RobotFilter {
  /** null: only robots of the system; undefined: all. */
  readonly projectId?: number | null | undefined
}

const fields = {
  id: robots.id,
  name: robots.name,
  description: robots.description,
  duration: robots.duration,
  /** In seconds; -1: never. */
  expires_at: raw`coalesce(${robots.expiresAt} / 1000, -1)`,
  disabled: robots.disabled,
  creation_time: robots.createdAt,
  update_time: robots.updatedAt,
}

/** Searched and sorted by their fields. */
export async function listRobots(db: Database, filter: RobotFilter, listing: Listing): Promise<Listed<Robot>> {
  const { projectId } = filter
  const scope: SQL | undefined = projectId === undefined ? undefined : projectId === null ? isNull(robots.projectId) : eq(robots.projectId, projectId)
  const condition = and(scope, wished(listing, fields))
  const { limit, offset } = window(listing)
  const rows = await select(db.read.sql)
    .where(condition)
    .orderBy(...ordering(listing, fields, robots.id))
    .limit(limit)
    .offset(offset)
  const counted = await db.read.sql.select({ total: COUNT }).from(robots).where(condition).get()
  return { items: rows.map(flat), total: counted?.total ?? 0 }
}

/** @throws RegistryError 404 */
export async function updateRobot(db: Database, id: number, patch: RobotPatch, actor: string): Promise<void> {
  await db.write(async (connection) => {
    const before = await required(connection, id)
    const after = {
      description: patch.description ?? before.description,
      duration: patch.duration ?? before.duration,
      expiresAt: patch.expiresAt === undefined ? before.expiresAt : patch.expiresAt,
      disabled: patch.disabled ?? before.disabled,
      permissions: patch.permissions ?? before.permissions,
    }
    const { description, duration, expiresAt, disabled, permissions } = before
    if (JSON.stringify(after) === JSON.stringify({ description, duration, expiresAt, disabled, permissions })) return
    await change(db, connection, before, after, actor)
  })
}

/** A new secret; the old one is no longer good. @throws RegistryError 404 */
export async function setRobotSecret(db: Database, id: number, secretHash: string, actor: string): Promise<void> {
  await db.write(async (connection) => {
    const before = await required(connection, id)
    await change(db, connection, before, { secretHash, credentialVersion: before.credentialVersion + 1 }, actor)
  })
}

/** @throws RegistryError 404 */
export async function deleteRobot(db: Database, id: number, actor: string): Promise<void> {
  await db.write(async (connection) => {
    const { name, projectId } = await required(connection, id)
    await connection.sql.delete(robots).where(eq(robots.id, id))
    await tell(db, connection, { actor, kind: 'robot.deleted', subject: `robot:${id}`, projectId: projectId ?? undefined, detail: { name } })
  })
}

async function required({ sql }: WriteConnection, id: number): Promise<typeof robots.$inferSelect> {
  const robot = await sql.select().from(robots).where(eq(robots.id, id)).get()
  if (robot === undefined) throw notFound(`There is no robot ${id}.`)
  return robot
}

async function change(
  db: Database,
  connection: WriteConnection,
  { id, projectId, name }: typeof robots.$inferSelect,
  patch: Partial<typeof robots.$inferInsert>,
  actor: string,
): Promise<void> {
  await connection.sql
    .update(robots)
    .set({ ...patch, updatedAt: db.clock.now() })
    .where(eq(robots.id, id))
  await tell(db, connection, { actor, kind: 'robot.updated', subject: `robot:${id}`, projectId: projectId ?? undefined, detail: { name } })
}

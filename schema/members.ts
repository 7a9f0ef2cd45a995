import { and, eq, or, sql as raw, type SQL } from 'drizzle-orm'
import type { LibSQLDatabase } from 'drizzle-orm/libsql'
import type { RoleId } from '../policy/facts.ts'
import { tell } from './changes.ts'
import type { WriteConnection } from './connection.ts'
import type { Database } from './database.ts'
import { conflict, notFound } from './errors.ts'
import { COUNT, contains, type Listed, type Listing, window } from './listing.ts'
import { members } from './tables/projects.ts'
import { userGroups, users } from './tables/users.ts'

export interface ProjectMember {
  readonly id: number
  readonly projectId: number
  readonly kind: 'user' | 'group'
  readonly subjectId: number
  readonly role: RoleId
  /** Of the user or group. */
  readonly name: string
}

export interface NewMember {
  readonly projectId: number
  readonly kind: 'user' | 'group'
  readonly subjectId: number
  readonly role: RoleId
}

const name = raw<string>`coalesce(${users.username}, ${userGroups.name})`

const select = (sql: LibSQLDatabase) =>
  sql
    .select({ id: members.id, projectId: members.projectId, kind: members.kind, subjectId: members.subjectId, role: members.role, name })
    .from(members)
    .leftJoin(users, and(eq(members.kind, 'user'), eq(users.id, members.subjectId)))
    .leftJoin(userGroups, and(eq(members.kind, 'group'), eq(userGroups.id, members.subjectId)))

const one = (projectId: number, id: number) => and(eq(members.projectId, projectId), eq(members.id, id))

/** Resolves with the member's id. The caller has made sure that project and user exist. @throws RegistryError 409 it is a member already */
export async function addMember(db: Database, member: NewMember, actor: string): Promise<number> {
  const { projectId, kind, subjectId, role } = member
  return await db.write(async (connection) => {
    const { sql } = connection
    const held = await sql
      .select({ id: members.id })
      .from(members)
      .where(and(eq(members.projectId, projectId), eq(members.kind, kind), eq(members.subjectId, subjectId)))
      .get()
    if (held !== undefined) throw conflict(`This ${kind} is a member of the project already.`)
    const now = db.clock.now()
    const row = await sql
      .insert(members)
      .values({ projectId, kind, subjectId, role, createdAt: now, updatedAt: now })
      .returning({ id: members.id })
      .get()
    await tell(db, connection, { actor, kind: 'member.created', subject: `${kind}:${subjectId}`, projectId, detail: { role } })
    return row.id
  })
}

export function findMember(db: Database, projectId: number, id: number): Promise<ProjectMember | undefined> {
  return select(db.read.sql).where(one(projectId, id)).get()
}

/** In the order of their ids; `name` is part of the user's or group's. */
export async function listMembers(
  db: Database,
  projectId: number,
  filter: { readonly name?: string | undefined },
  listing: Listing,
): Promise<Listed<ProjectMember>> {
  const { limit, offset } = window(listing)
  const named: SQL | undefined = or(contains(users.username, filter.name), contains(userGroups.name, filter.name))
  const condition = and(eq(members.projectId, projectId), named)
  const items = await select(db.read.sql).where(condition).orderBy(members.id).limit(limit).offset(offset)
  const counted = await db.read.sql
    .select({ total: COUNT })
    .from(members)
    .leftJoin(users, and(eq(members.kind, 'user'), eq(users.id, members.subjectId)))
    .leftJoin(userGroups, and(eq(members.kind, 'group'), eq(userGroups.id, members.subjectId)))
    .where(condition)
    .get()
  return { items, total: counted?.total ?? 0 }
}

/** @throws RegistryError 404 */
export async function setMemberRole(db: Database, projectId: number, id: number, role: RoleId, actor: string): Promise<void> {
  await db.write(async (connection) => {
    const member = await required(connection, projectId, id)
    if (member.role === role) return
    await connection.sql.update(members).set({ role, updatedAt: db.clock.now() }).where(eq(members.id, id))
    await tell(db, connection, { actor, kind: 'member.updated', subject: `${member.kind}:${member.subjectId}`, projectId, detail: { role } })
  })
}

/** @throws RegistryError 404 */
export async function removeMember(db: Database, projectId: number, id: number, actor: string): Promise<void> {
  await db.write(async (connection) => {
    const member = await required(connection, projectId, id)
    await connection.sql.delete(members).where(eq(members.id, id))
    await tell(db, connection, { actor, kind: 'member.deleted', subject: `${member.kind}:${member.subjectId}`, projectId })
  })
}

async function required({ sql }: WriteConnection, projectId: number, id: number): Promise<typeof members.$inferSelect> {
  const member = await sql.select().from(members).where(one(projectId, id)).get()
  if (member === undefined) throw notFound(`The project has no member ${id}.`)
  return member
}

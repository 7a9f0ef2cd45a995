import { and, asc, eq, sql as raw } from 'drizzle-orm'
import type { LibSQLDatabase } from 'drizzle-orm/libsql'
import { tell } from './changes.ts'
import type { WriteConnection } from './connection.ts'
import type { Database } from './database.ts'
import { conflict, notFound } from './errors.ts'
import { COUNT, contains, type Listed, type Listing, window } from './listing.ts'
import { groupUsers, members } from './tables/projects.ts'
import { userGroups } from './tables/users.ts'

/** Kinds of groups, as Harbor numbers them. */
export const LDAP_GROUP = 1
export const OIDC_GROUP = 3

export type UserGroup = typeof userGroups.$inferSelect

export interface NewGroup {
  readonly name: string
  /** Harbor's: 1 LDAP, 2 HTTP, 3 OIDC. */
  readonly type: number
  /** An LDAP group is known by it, whatever its name. */
  readonly ldapDn?: string
}

const reads = (sql: LibSQLDatabase) => ({
  ofUser: sql
    .select({ id: groupUsers.groupId })
    .from(groupUsers)
    .where(eq(groupUsers.userId, raw.placeholder('userId')))
    .orderBy(asc(groupUsers.groupId))
    .prepare(),
})

/** The first one of this name and kind. */
export async function findGroupByName(db: Database, name: string, type: number): Promise<UserGroup | undefined> {
  return await db.read.sql
    .select()
    .from(userGroups)
    .where(and(eq(userGroups.name, name), eq(userGroups.type, type)))
    .orderBy(asc(userGroups.id))
    .get()
}

/** The ids of the groups that a user was in at his last login. */
export async function groupsOfUser(db: Database, userId: number): Promise<number[]> {
  return (await db.read.prepared(reads).ofUser.all({ userId })).map((row) => row.id)
}

/** Keeps which groups an identity provider says that a user is in. */
export async function setGroupsOfUser(db: Database, userId: number, groups: readonly number[], actor: string): Promise<void> {
  await db.write(async (connection) => {
    const { sql } = connection
    const held = await sql.select({ id: groupUsers.groupId }).from(groupUsers).where(eq(groupUsers.userId, userId))
    const wanted = new Set(groups)
    if (held.length === wanted.size && held.every(({ id }) => wanted.has(id))) return
    await sql.delete(groupUsers).where(eq(groupUsers.userId, userId))
    if (wanted.size > 0) await sql.insert(groupUsers).values([...wanted].map((groupId) => ({ groupId, userId })))
    await tell(db, connection, { actor, kind: 'user.updated', subject: `user:${userId}`, detail: { changed: ['groups'] } })
  })
}

/** The group of this name (an LDAP group: of this DN), made if there is none. */
export async function ensureGroup(db: Database, group: NewGroup): Promise<UserGroup> {
  return await db.write(async (connection) => (await findIn(connection, group)) ?? (await insert(db, connection, group)))
}

/** @throws RegistryError 409 there is one of that name or DN */
export async function createGroup(db: Database, group: NewGroup, actor: string): Promise<UserGroup> {
  return await db.write(async (connection) => {
    if ((await findIn(connection, group)) !== undefined) throw conflict(`There is a group ${group.ldapDn ?? group.name} already.`)
    const made = await insert(db, connection, group)
    await tell(db, connection, { actor, kind: 'group.created', subject: `group:${made.id}`, detail: { name: made.name } })
    return made
  })
}

/** @throws RegistryError 404 */
export async function renameGroup(db: Database, id: number, name: string, actor: string): Promise<void> {
  await db.write(async (connection) => {
    const renamed = await connection.sql.update(userGroups).set({ name }).where(eq(userGroups.id, id)).returning({ id: userGroups.id })
    if (renamed.length === 0) throw notFound(`user group ${id} not found`)
    await tell(db, connection, { actor, kind: 'group.updated', subject: `group:${id}`, detail: { name } })
  })
}

/** With the roles that its people had by it. False: there is none. */
export async function deleteGroup(db: Database, id: number, actor: string): Promise<boolean> {
  return await db.write(async (connection) => {
    const { sql } = connection
    const gone = await sql.delete(userGroups).where(eq(userGroups.id, id)).returning().get()
    if (gone === undefined) return false
    const roles = await sql
      .delete(members)
      .where(and(eq(members.kind, 'group'), eq(members.subjectId, id)))
      .returning({ projectId: members.projectId })
    for (const { projectId } of roles)
      await tell(db, connection, { actor, kind: 'member.deleted', subject: `group:${id}`, projectId, detail: { name: gone.name } })
    const people = await sql.delete(groupUsers).where(eq(groupUsers.groupId, id)).returning({ userId: groupUsers.userId })
    for (const { userId } of people) {
      await tell(db, connection, { actor, kind: 'user.updated', subject: `user:${userId}`, detail: { changed: ['groups'] }, audit: 'silent' })
    }
    await tell(db, connection, { actor, kind: 'group.deleted', subject: `group:${id}`, detail: { name: gone.name } })
    return true
  })
}

/** By id. */
export async function listGroups(
  db: Database,
  filter: { readonly name?: string | undefined; readonly ldapDn?: string | undefined },
  listing: Listing,
): Promise<Listed<UserGroup>> {
  const condition = and(
    contains(userGroups.name, filter.name),
    filter.ldapDn === undefined || filter.ldapDn === '' ? undefined : eq(userGroups.ldapDn, normalDn(filter.ldapDn)),
  )
  const { limit, offset } = window(listing)
  const items = await db.read.sql.select().from(userGroups).where(condition).orderBy(asc(userGroups.id)).limit(limit).offset(offset)
  const counted = await db.read.sql.select({ total: COUNT }).from(userGroups).where(condition).get()
  return { items, total: counted?.total ?? 0 }
}

export function findGroupById(db: Database, id: number): Promise<UserGroup | undefined> {
  return db.read.sql.select().from(userGroups).where(eq(userGroups.id, id)).get()
}

/** Those of RFC 4514 that differ in case or in spaces around their commas name the same entry. */
export function normalDn(dn: string): string {
  return dn
    .trim()
    .toLowerCase()
    .replaceAll(/\s*([,=])\s*/g, '$1')
}

async function findIn({ sql }: WriteConnection, { name, type, ldapDn }: NewGroup): Promise<UserGroup | undefined> {
  const known = ldapDn === undefined ? and(eq(userGroups.name, name), eq(userGroups.ldapDn, '')) : eq(userGroups.ldapDn, normalDn(ldapDn))
  return await sql
    .select()
    .from(userGroups)
    .where(and(eq(userGroups.type, type), known))
    .get()
}

async function insert(db: Database, { sql }: WriteConnection, { name, type, ldapDn = '' }: NewGroup): Promise<UserGroup> {
  return await sql
    .insert(userGroups)
    .values({ name, type, ldapDn: normalDn(ldapDn), createdAt: db.clock.now() })
    .returning()
    .get()
}

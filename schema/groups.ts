import { and, asc, eq, sql as raw } from 'drizzle-orm'
import type { LibSQLDatabase } from 'drizzle-orm/libsql'
import { tell } from './changes.ts'
import type { Database } from './database.ts'
import { groupUsers } from './tables/projects.ts'
import { userGroups } from './tables/users.ts'

export type UserGroup = typeof userGroups.$inferSelect

const reads = (sql: LibSQLDatabase) => ({
  ofUser: sql
    .select({ id: groupUsers.groupId })
    .from(groupUsers)
    .where(eq(groupUsers.userId, raw.placeholder('userId')))
    .orderBy(asc(groupUsers.groupId))
    .prepare(),
})

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

/** The group of this name, made if there is none. */
export async function ensureGroup(
  db: Database,
  group: { readonly name: string; readonly type: number; readonly ldapDn?: string },
): Promise<UserGroup> {
  const { name, type, ldapDn = '' } = group
  return await db.write(async ({ sql }) => {
    const found = await sql
      .select()
      .from(userGroups)
      .where(and(eq(userGroups.type, type), eq(userGroups.name, name), eq(userGroups.ldapDn, ldapDn)))
      .get()
    return found ?? (await sql.insert(userGroups).values({ name, type, ldapDn, createdAt: db.clock.now() }).returning().get())
  })
}

export function findGroupById(db: Database, id: number): Promise<UserGroup | undefined> {
  return db.read.sql.select().from(userGroups).where(eq(userGroups.id, id)).get()
}

import { and, asc, eq, isNull, or, sql as raw } from 'drizzle-orm'
import type { LibSQLDatabase } from 'drizzle-orm/libsql'
import { tell } from './changes.ts'
import type { WriteConnection } from './connection.ts'
import type { Database } from './database.ts'
import { conflict, notFound } from './errors.ts'
import { COUNT, contains, type Listed, type Listing, ordering, window } from './listing.ts'
import { wished } from './matching.ts'
import { groupUsers, members } from './tables/projects.ts'
import { oidcLinks, sessions } from './tables/sessions.ts'
import { users } from './tables/users.ts'

/** A person. `passwordHash` null: no password here. */
export type User = Omit<typeof users.$inferSelect, 'deletedAt'>

export interface NewUser {
  readonly username: string
  readonly email?: string | undefined
  readonly realname?: string | undefined
  readonly comment?: string | undefined
  readonly passwordHash?: string | undefined
  readonly admin?: boolean | undefined
}

export interface UserPatch {
  readonly email?: string | null | undefined
  readonly realname?: string | undefined
  readonly comment?: string | undefined
  readonly disabled?: boolean | undefined
}

export interface UserFilter {
  /** Part of the username. */
  readonly username?: string | undefined
  readonly exactUsername?: string | undefined
  /** Part of the address. */
  readonly email?: string | undefined
  readonly exactEmail?: string | undefined
  readonly admin?: boolean | undefined
}

const fields = {
  id: users.id,
  username: users.username,
  email: users.email,
  realname: users.realname,
  comment: users.comment,
  passwordHash: users.passwordHash,
  admin: users.admin,
  adminByGroup: users.adminByGroup,
  disabled: users.disabled,
  credentialVersion: users.credentialVersion,
  createdAt: users.createdAt,
  updatedAt: users.updatedAt,
}

/** Asked at every login and for every token. */
const reads = (sql: LibSQLDatabase) => ({
  byUsername: sql
    .select(fields)
    .from(users)
    .where(and(eq(users.username, raw.placeholder('username')), isNull(users.deletedAt)))
    .prepare(),
  byId: sql
    .select(fields)
    .from(users)
    .where(and(eq(users.id, raw.placeholder('id')), isNull(users.deletedAt)))
    .prepare(),
})

/** An account for somebody who is known elsewhere. An address that is another's already stays his. @throws RegistryError 409 the name is taken */
export function onboardUser(db: Database, user: Pick<NewUser, 'username' | 'email' | 'realname'>): Promise<User> {
  return db.write((connection) => onboardIn(db, connection, user))
}

/** As `onboardUser`, in a transaction of this room. */
export async function onboardIn(db: Database, connection: WriteConnection, user: Pick<NewUser, 'username' | 'email' | 'realname'>): Promise<User> {
  const { email, ...rest } = user
  const taken = email !== undefined && (await connection.sql.select({ id: users.id }).from(users).where(eq(users.email, email)).get()) !== undefined
  return await createIn(db, connection, { ...rest, ...(!taken && { email }) }, 'system')
}

/** @throws RegistryError 409 username or email is taken */
export function createUser(db: Database, user: NewUser, actor: string): Promise<User> {
  return db.write((connection) => createIn(db, connection, user, actor))
}

async function createIn(db: Database, connection: WriteConnection, user: NewUser, actor: string): Promise<User> {
  const { sql } = connection
  const email = user.email ?? null
  await refuseTaken(connection, user.username, email)
  const now = db.clock.now()
  const row = await sql
    .insert(users)
    .values({
      username: user.username,
      email,
      realname: user.realname ?? '',
      comment: user.comment ?? '',
      passwordHash: user.passwordHash ?? null,
      admin: user.admin ?? false,
      createdAt: now,
      updatedAt: now,
    })
    .returning(fields)
    .get()
  await tell(db, connection, { actor, kind: 'user.created', subject: `user:${row.id}`, detail: { username: row.username } })
  return row
}

/** Whatever the case of its letters. */
export function findUserByUsername(db: Database, username: string): Promise<User | undefined> {
  return db.read.prepared(reads).byUsername.get({ username })
}

export function findUserById(db: Database, id: number): Promise<User | undefined> {
  return db.read.prepared(reads).byId.get({ id })
}

/** The id of the administrator who has been here longest, to own what the system makes by itself. @throws RegistryError 404 there is none */
export async function firstAdministrator(db: Database): Promise<number> {
  const row = await db.read.sql
    .select({ id: users.id })
    .from(users)
    .where(and(eq(users.admin, true), isNull(users.deletedAt)))
    .orderBy(asc(users.id))
    .limit(1)
    .get()
  if (row === undefined) throw notFound('There is no administrator.')
  return row.id
}

const searched = {
  user_id: users.id,
  username: users.username,
  email: users.email,
  realname: users.realname,
  comment: users.comment,
  sysadmin_flag: users.admin,
  creation_time: users.createdAt,
  update_time: users.updatedAt,
}

/** Searched and sorted by their fields. */
export async function listUsers(db: Database, filter: UserFilter, listing: Listing): Promise<Listed<User>> {
  const condition = and(
    isNull(users.deletedAt),
    contains(users.username, filter.username),
    filter.admin === undefined ? undefined : eq(users.admin, filter.admin),
    wished(listing, searched),
  )
  const { limit, offset } = window(listing)
  const items = await db.read.sql
    .select(fields)
    .from(users)
    .where(condition)
    .orderBy(...ordering(listing, searched, users.id))
    .limit(limit)
    .offset(offset)
  const counted = await db.read.sql.select({ total: COUNT }).from(users).where(condition).get()
  return { items, total: counted?.total ?? 0 }
}

/** @throws RegistryError 404, 409 the email is taken */
export async function updateUser(db: Database, id: number, patch: UserPatch, actor: string): Promise<User> {
  return await db.write(async (connection) => {
    const before = await required(connection, id)
    const email = patch.email === undefined ? before.email : patch.email
    if (email !== before.email) await refuseTaken(connection, undefined, email)
    const after = {
      email,
      realname: patch.realname ?? before.realname,
      comment: patch.comment ?? before.comment,
      disabled: patch.disabled ?? before.disabled,
    }
    return await change(db, connection, before, after, actor)
  })
}

/** A new password; what was given for the old one (`credentialVersion`) is no longer good. @throws RegistryError 404 */
export async function setPasswordHash(db: Database, id: number, passwordHash: string, actor: string): Promise<void> {
  await db.write(async (connection) => {
    const before = await required(connection, id)
    await change(db, connection, before, { passwordHash, credentialVersion: before.credentialVersion + 1 }, actor)
  })
}

/** The same password, hashed anew with today's parameters: nothing that anybody else sees has changed. False: it is another password by now. */
export async function replacePasswordHash(db: Database, id: number, before: string, passwordHash: string): Promise<boolean> {
  const rows = await db.write(({ sql }) =>
    sql
      .update(users)
      .set({ passwordHash })
      .where(and(eq(users.id, id), eq(users.passwordHash, before)))
      .returning({ id: users.id }),
  )
  return rows.length > 0
}

/** @throws RegistryError 404 */
export async function setSysadmin(db: Database, id: number, admin: boolean, actor: string): Promise<void> {
  await db.write(async (connection) => {
    await change(db, connection, await required(connection, id), { admin }, actor)
  })
}

/** Whether somebody is an administrator of the system, by what was said of him here or by a group. */
export const isAdministrator = ({ admin, adminByGroup }: Pick<User, 'admin' | 'adminByGroup'>): boolean => admin || adminByGroup

/** What a group says of somebody. What was said of him here stays as it is. */
export async function setAdminByGroup(db: Database, id: number, adminByGroup: boolean, actor: string): Promise<void> {
  await db.write(async (connection) => {
    await change(db, connection, await required(connection, id), { adminByGroup }, actor)
  })
}

/** Those who are administrators by a group, until they log in again: which group makes them so is another now. */
export async function dropAdminsByGroup(db: Database, actor: string): Promise<void> {
  await db.write(async (connection) => {
    const rows = await connection.sql.select({ id: users.id }).from(users).where(raw`${users.adminByGroup} = 1`)
    for (const { id } of rows) await change(db, connection, await required(connection, id), { adminByGroup: false }, actor)
  })
}

/** The username and email can be given again, to a new id; the old one keeps its row, disabled. @throws RegistryError 404 */
export async function deleteUser(db: Database, id: number, actor: string): Promise<void> {
  await db.write(async (connection) => {
    const { sql } = connection
    const user = await required(connection, id)
    const now = db.clock.now()
    await sql.delete(members).where(and(eq(members.kind, 'user'), eq(members.subjectId, id)))
    await sql.delete(groupUsers).where(eq(groupUsers.userId, id))
    await sql.delete(oidcLinks).where(eq(oidcLinks.userId, id))
    await sql.delete(sessions).where(eq(sessions.userId, id))
    await sql
      .update(users)
      .set({
        username: `${user.username}#${id}`,
        email: user.email === null ? null : `${user.email}#${id}`,
        passwordHash: null,
        admin: false,
        disabled: true,
        deletedAt: now,
        updatedAt: now,
        credentialVersion: user.credentialVersion + 1,
      })
      .where(eq(users.id, id))
    await tell(db, connection, { actor, kind: 'user.deleted', subject: `user:${id}`, detail: { username: user.username } })
  })
}

async function required({ sql }: WriteConnection, id: number): Promise<User> {
  const user = await sql
    .select(fields)
    .from(users)
    .where(and(eq(users.id, id), isNull(users.deletedAt)))
    .get()
  if (user === undefined) throw notFound(`There is no user ${id}.`)
  return user
}

async function change(db: Database, connection: WriteConnection, before: User, patch: Partial<User>, actor: string): Promise<User> {
  const after = { ...before, ...patch }
  const changed = (Object.keys(patch) as (keyof User)[]).filter((key) => after[key] !== before[key])
  if (changed.length === 0) return before
  const updatedAt = db.clock.now()
  await connection.sql
    .update(users)
    .set({ ...patch, updatedAt })
    .where(eq(users.id, before.id))
  await tell(db, connection, { actor, kind: 'user.updated', subject: `user:${before.id}`, detail: { username: before.username, changed } })
  return { ...after, updatedAt }
}

async function refuseTaken({ sql }: WriteConnection, username: string | undefined, email: string | null): Promise<void> {
  const taken = await sql
    .select({ username: users.username })
    .from(users)
    .where(or(username === undefined ? undefined : eq(users.username, username), email === null ? raw`0` : eq(users.email, email)))
    .get()
  if (taken !== undefined) throw conflict('This username or email is in use already.')
}

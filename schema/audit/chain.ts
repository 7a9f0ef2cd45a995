import { createHash } from 'node:crypto'
import { eq, sql as raw } from 'drizzle-orm'
import type { LibSQLDatabase } from 'drizzle-orm/libsql'
import { z } from 'zod'
import { cause } from '../cause.ts'
import type { Connection, WriteConnection } from '../connection.ts'
import type { Database } from '../database.ts'
import { auditLog } from '../tables/audit.ts'
import { projects } from '../tables/projects.ts'
import { robots } from '../tables/robots.ts'
import { settings } from '../tables/settings.ts'
import { userGroups, users } from '../tables/users.ts'

/** What the audit log holds of one thing that happened. Times in milliseconds since the epoch. */
export type AuditEntry = Omit<typeof auditLog.$inferSelect, 'hash' | 'purged'>
export type NewAuditEntry = Omit<AuditEntry, 'id' | 'username' | 'address'> & { readonly address?: string | undefined }

/** The end of a chain: an id, and the hash that the next row's covers. */
export interface Link {
  readonly id: number
  readonly hash: string
}

/** Before the first row there ever was. */
export const ORIGIN: Link = { id: 0, hash: '' }

/** Where in the settings it is kept what came before the oldest row that is left. */
const BASE = 'audit.base'
const baseShape = z.object({ id: z.number().int(), hash: z.string() })

const statements = (sql: LibSQLDatabase) => ({
  given: sql
    .select({ id: LAST_GIVEN.mapWith(Number).as('id') })
    .from(raw`(SELECT 1)`)
    .prepare(),
  last: sql.select({ hash: auditLog.hash }).from(auditLog).where(raw`${auditLog.id} = (SELECT max(id) FROM audit_log)`).prepare(),
  base: sql.select({ value: settings.value }).from(settings).where(eq(settings.key, BASE)).prepare(),
  insert: insertBehind(sql),
  user: sql
    .select({ name: users.username })
    .from(users)
    .where(eq(users.id, raw.placeholder('id')))
    .prepare(),
  robot: sql
    .select({ name: robots.name, project: projects.name })
    .from(robots)
    .leftJoin(projects, eq(projects.id, robots.projectId))
    .where(eq(robots.id, raw.placeholder('id')))
    .prepare(),
  group: sql
    .select({ name: userGroups.name })
    .from(userGroups)
    .where(eq(userGroups.id, raw.placeholder('id')))
    .prepare(),
})

/** The last id that was ever given, whatever has become of its row: SQLite keeps that where ids are never given again. */
const LAST_GIVEN = raw`max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'audit_log'), 0), coalesce((SELECT max(id) FROM audit_log), 0))`

/** Rows behind the last, which whoever remembers it need not ask for: nothing is written if another process has gone on from there. */
function insertBehind(sql: LibSQLDatabase) {
  return sql
    .insert(auditLog)
    .select(
      raw`SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8, value ->> 9,
        value ->> 10, value ->> 11, value ->> 12, 0 FROM json_each(${raw.placeholder('rows')}) WHERE ${LAST_GIVEN} = ${raw.placeholder('before')} ORDER BY key`,
    )
    .prepare()
}

/** Writes an entry in the transaction of what it tells of. For functions of this room. */
export async function appendAudit(connection: WriteConnection, entry: NewAuditEntry): Promise<void> {
  await appendAuditAll(connection, [entry])
}

/** As many in one statement. */
export async function appendAuditAll(connection: WriteConnection, entries: readonly NewAuditEntry[]): Promise<void> {
  if (entries.length === 0) return
  const named: Omit<AuditEntry, 'id'>[] = []
  for (const entry of entries) {
    named.push({ ...entry, address: entry.address ?? cause.getStore()?.address ?? '', username: await nameOf(connection, entry.actor) })
  }
  const remembered = connection.auditHead && (await appendBehind(connection, connection.auditHead, named))
  connection.auditHead = remembered ?? (await appendBehind(connection, await headOf(connection), named))
}

/** Resolves with the new end; undefined: `before` is not the end. */
async function appendBehind(connection: WriteConnection, before: Link, entries: readonly Omit<AuditEntry, 'id'>[]): Promise<Link | undefined> {
  let head = before
  const rows = entries.map((entry) => {
    const row = { ...entry, id: head.id + 1 }
    head = { id: row.id, hash: hashOf(head.hash, row) }
    const { id, time, actor, username, operation, resourceType, resource, projectId, address, succeeded, count, detail } = row
    return [id, time, actor, username, operation, resourceType, resource, projectId, address, succeeded ? 1 : 0, count, detail, head.hash]
  })
  const { rowsAffected } = await connection.prepared(statements).insert.run({ rows: JSON.stringify(rows), before: before.id })
  return rowsAffected === 0 ? undefined : head
}

/** The end of the chain as this connection sees it. Where somebody cut rows off, their ids stay missing. */
export async function headOf(connection: Connection): Promise<Link> {
  const { last, given } = connection.prepared(statements)
  const { hash } = (await last.get()) ?? (await baseOf(connection))
  return { id: (await given.get())?.id ?? 0, hash }
}

/** The id of the last entry that is there; 0: there is none. */
export async function lastAuditId(db: Database): Promise<number> {
  return (await db.read.sql.get<{ last: number | null }>(raw`SELECT max(id) AS last FROM audit_log`)).last ?? 0
}

/** What came before the oldest row that is left. */
export async function baseOf(connection: Connection): Promise<Link> {
  const row = await connection.prepared(statements).base.get()
  return row === undefined ? ORIGIN : baseShape.parse(row.value)
}

export async function setBase({ sql }: WriteConnection, base: Link, now: number): Promise<void> {
  await sql
    .insert(settings)
    .values({ key: BASE, value: base, updatedAt: now })
    .onConflictDoUpdate({ target: settings.key, set: { value: base, updatedAt: now } })
}

/** The sha256 of the hash before and of every field in a fixed order, in base64url. */
export function hashOf(before: string, entry: AuditEntry): string {
  const { id, time, actor, username, operation, resourceType, resource, projectId, address, succeeded, count, detail } = entry
  const fields = [id, time, actor, username, operation, resourceType, resource, projectId, address, succeeded, count, detail]
  return createHash('sha256').update(before).update(JSON.stringify(fields)).digest('base64url')
}

/** What people call `user:3`, `robot:12` or `group:4`; anything else is its own name. */
export async function nameOf(connection: WriteConnection, subject: string): Promise<string> {
  const [, kind, number] = /^(user|robot|group):([1-9][0-9]{0,15})$/.exec(subject) ?? []
  if (kind === undefined) return subject
  const known = connection.names.get(subject)
  if (known !== undefined) return known
  const { user, robot, group } = connection.prepared(statements)
  const id = Number(number)
  if (kind === 'group') return (await group.get({ id }))?.name ?? subject
  const name = kind === 'user' ? (await user.get({ id }))?.name : nameOfRobot(await robot.get({ id }))
  if (name === undefined) return subject
  connection.names.set(subject, name)
  return name
}

function nameOfRobot(row: { readonly name: string; readonly project: string | null } | undefined): string | undefined {
  return row && `robot$${row.project === null ? '' : `${row.project}+`}${row.name}`
}

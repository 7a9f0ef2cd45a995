import { createHash } from 'node:crypto'
import { eq, sql as raw } from 'drizzle-orm'
import type { LibSQLDatabase } from 'drizzle-orm/libsql'
import { z } from 'zod'
import { cause } from '../cause.ts'
import type { Connection, WriteConnection } from '../connection.ts'
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
  last: sql.select({ id: auditLog.id, hash: auditLog.hash }).from(auditLog).where(raw`${auditLog.id} = (SELECT max(id) FROM audit_log)`).prepare(),
  base: sql.select({ value: settings.value }).from(settings).where(eq(settings.key, BASE)).prepare(),
  insert: sql
    .insert(auditLog)
    .values({
      id: raw.placeholder('id'),
      time: raw.placeholder('time'),
      actor: raw.placeholder('actor'),
      username: raw.placeholder('username'),
      operation: raw.placeholder('operation'),
      resourceType: raw.placeholder('resourceType'),
      resource: raw.placeholder('resource'),
      projectId: raw.placeholder('projectId'),
      address: raw.placeholder('address'),
      succeeded: raw.placeholder('succeeded'),
      count: raw.placeholder('count'),
      detail: raw.placeholder('detail'),
      hash: raw.placeholder('hash'),
    })
    .prepare(),
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

/** Writes an entry in the transaction of what it tells of. For functions of this room. */
export async function appendAudit(connection: WriteConnection, entry: NewAuditEntry): Promise<void> {
  const before = connection.auditHead ?? (await headOf(connection))
  const address = entry.address ?? cause.getStore()?.address ?? ''
  const row = { ...entry, address, id: before.id + 1, username: await nameOf(connection, entry.actor) }
  const hash = hashOf(before.hash, row)
  await connection.prepared(statements).insert.run({ ...row, hash })
  connection.auditHead = { id: row.id, hash }
}

/** The end of the chain as this connection sees it. */
export async function headOf(connection: Connection): Promise<Link> {
  return (await connection.prepared(statements).last.get()) ?? (await baseOf(connection))
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
export async function nameOf(connection: Connection, subject: string): Promise<string> {
  const [, kind, number] = /^(user|robot|group):([1-9][0-9]{0,15})$/.exec(subject) ?? []
  if (kind === undefined) return subject
  const { user, robot, group } = connection.prepared(statements)
  const id = Number(number)
  if (kind === 'robot') {
    const row = await robot.get({ id })
    return row === undefined ? subject : `robot$${row.project === null ? '' : `${row.project}+`}${row.name}`
  }
  return (await (kind === 'user' ? user : group).get({ id }))?.name ?? subject
}

import { and, asc, eq, gt, lt, sql as raw } from 'drizzle-orm'
import type { LibSQLDatabase } from 'drizzle-orm/libsql'
import { appendAuditAll, type NewAuditEntry, nameOf } from './audit/chain.ts'
import { type AuditEvent, auditEventOf } from './audit/events.ts'
import type { ChangeKind } from './change-kinds.ts'
import { lastChange } from './change-watch.ts'
import type { WriteConnection } from './connection.ts'
import type { Database } from './database.ts'
import { CHANGE_ROWS } from './limits.ts'
import { changes, cursors } from './tables/changes.ts'

export type { ChangeKind } from './change-kinds.ts'

/** One thing that happened. `time` in milliseconds since the epoch; `before` and `after` are digests for tags and manifests. */
export type Change = typeof changes.$inferSelect

export interface NewChange {
  readonly actor: string
  readonly kind: ChangeKind
  readonly subject: string
  readonly projectId?: number | undefined
  readonly before?: string | undefined
  readonly after?: string | undefined
  readonly detail?: Readonly<Record<string, unknown>> | undefined
  /** What the audit log says of it, where that is not what it says of its kind. `silent`: another change of this transaction says it all. */
  readonly audit?: AuditEvent | 'silent' | undefined
}

const insertStatement = (sql: LibSQLDatabase) =>
  sql
    .insert(changes)
    .select(
      raw`SELECT NULL, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8
        FROM json_each(${raw.placeholder('rows')}) WHERE true ORDER BY key`,
    )
    .prepare()

/** Tells of a change, in the feed and in the audit log, in the transaction that makes it. For functions of this room. */
export async function tell(db: Pick<Database, 'clock' | 'site'>, connection: WriteConnection, change: NewChange): Promise<number> {
  await tellAll(db, connection, [change])
  return connection.lastChange
}

/** Tells of many, in their order. */
export async function tellAll(db: Pick<Database, 'clock' | 'site'>, connection: WriteConnection, list: readonly NewChange[]): Promise<void> {
  const time = db.clock.now()
  for (let from = 0; from < list.length; from += CHANGE_ROWS) {
    const some = list.slice(from, from + CHANGE_ROWS)
    const rows = some.map(({ actor, kind, subject, projectId = null, before = null, after = null, detail }) => {
      return [db.site, time, actor, kind, subject, projectId, before, after, detail === undefined ? null : JSON.stringify(detail)]
    })
    const { lastInsertRowid } = await connection.prepared(insertStatement).run({ rows: JSON.stringify(rows) })
    connection.lastChange = Number(lastInsertRowid)
    const entries: NewAuditEntry[] = []
    for (const change of some) {
      if (change.audit !== 'silent') entries.push(await auditEntry(connection, change, time, change.audit ?? auditEventOf(change.kind)))
    }
    await appendAuditAll(connection, entries)
  }
}

async function auditEntry(connection: WriteConnection, change: NewChange, time: number, event: AuditEvent): Promise<NewAuditEntry> {
  const { actor, subject, projectId = null, before, after, detail } = change
  const more = { ...detail, ...(before !== undefined && { before }), ...(after !== undefined && { after }) }
  const named = detail?.username
  return {
    time,
    actor,
    operation: event.operation,
    resourceType: event.resourceType,
    // Whoever is deleted goes by another name already.
    resource: typeof named === 'string' ? named : await nameOf(connection, subject),
    projectId,
    succeeded: true,
    count: 1,
    detail: Object.keys(more).length === 0 ? '' : JSON.stringify(more),
  }
}

/** Adds a change that no other write makes (a pull reported by an edge, say). Resolves with its sequence number. */
export function appendChange(db: Database, change: NewChange): Promise<number> {
  return db.write((connection) => tell(db, connection, change))
}

/** Changes after `after`, in order, at most `limit`. */
export function readChanges(db: Database, after: number, limit: number, filter: { readonly projectId?: number } = {}): Promise<Change[]> {
  return db.read.sql
    .select()
    .from(changes)
    .where(and(gt(changes.seq, after), filter.projectId === undefined ? undefined : eq(changes.projectId, filter.projectId)))
    .orderBy(asc(changes.seq))
    .limit(limit)
}

/** The sequence number of the last change; 0: there is none. */
export function headOfChanges(db: Database): Promise<number> {
  return lastChange(db.read)
}

/** How far this follower has come; undefined: it has never said. */
export async function readCursor(db: Database, consumer: string): Promise<number | undefined> {
  return (await db.read.sql.select({ seq: cursors.seq }).from(cursors).where(eq(cursors.consumer, consumer)).get())?.seq
}

/** Keeps how far this follower has come. Never backwards: of two that follow under one name the further one counts. */
export async function saveCursor(db: Database, consumer: string, seq: number): Promise<void> {
  const updatedAt = db.clock.now()
  await db.write(({ sql }) =>
    sql
      .insert(cursors)
      .values({ consumer, seq, updatedAt })
      .onConflictDoUpdate({ target: cursors.consumer, set: { seq, updatedAt }, setWhere: lt(cursors.seq, seq) }),
  )
}

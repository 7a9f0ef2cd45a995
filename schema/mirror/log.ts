import { and, asc, desc, eq, gt, lte, sql as raw } from 'drizzle-orm'
import type { WriteConnection } from '../connection.ts'
import type { Database } from '../database.ts'
import { mirrorLog } from '../tables/sites.ts'
import { MIRROR_BATCH_BYTES, MIRROR_BATCH_ROWS, MIRROR_FORGET_ROWS } from './limits.ts'

export interface LogEntry {
  readonly kind: 'put' | 'gone'
  readonly name: string
  readonly row: string
}

/** Whole transactions: what a database has that took these in is what the primary had at a moment. */
export interface LogBatch {
  readonly entries: readonly LogEntry[]
  readonly upto: number
}

/** Marks the end of a transaction, if it has logged anything: gives the number of the mark. For the queue of writes. */
export async function markCommit(connection: WriteConnection, now: number): Promise<number | undefined> {
  const [row] = await connection.sql.all<{ seq: number }>(
    raw`INSERT INTO mirror_log (kind, name, row) SELECT 'commit', '', ${String(now)}
      WHERE (SELECT kind FROM mirror_log WHERE seq = (SELECT max(seq) FROM mirror_log)) IN ('put', 'gone') RETURNING seq`,
  )
  return row?.seq
}

/** The number of the last transaction that was logged. Numbers never go back, also when everything before was forgotten. */
export async function headOfLog(db: Pick<Database, 'read'>): Promise<number> {
  const [row] = await db.read.sql.all<{ seq: number }>(raw`SELECT seq FROM sqlite_sequence WHERE name = 'mirror_log'`)
  return row?.seq ?? 0
}

/** Whether the log still has everything after `after`. */
export async function logReaches(db: Pick<Database, 'read'>, after: number): Promise<boolean> {
  const head = await headOfLog(db)
  if (after >= head) return after === head
  const first = await db.read.sql.select({ seq: mirrorLog.seq }).from(mirrorLog).orderBy(asc(mirrorLog.seq)).limit(1).get()
  return first !== undefined && first.seq <= after + 1
}

/**
 * What was written after `after`: of whole transactions as many as a batch holds, and one at least. Undefined: nothing.
 * What it takes in memory is a batch, or the largest transaction.
 */
export async function readLog(db: Pick<Database, 'read'>, after: number): Promise<LogBatch | undefined> {
  const { sql } = db.read
  let upto: number | undefined
  let bytes = 0
  for (let from = after; ; ) {
    const sizes = await sql
      .select({ seq: mirrorLog.seq, kind: mirrorLog.kind, bytes: raw<number>`length(${mirrorLog.row})` })
      .from(mirrorLog)
      .where(gt(mirrorLog.seq, from))
      .orderBy(asc(mirrorLog.seq))
      .limit(MIRROR_BATCH_ROWS)
    for (const entry of sizes) {
      bytes += entry.bytes
      if (bytes > MIRROR_BATCH_BYTES && upto !== undefined) break
      if (entry.kind === 'commit') upto = entry.seq
    }
    const last = sizes.at(-1)
    if (upto !== undefined || last === undefined || sizes.length < MIRROR_BATCH_ROWS) break
    from = last.seq
  }
  if (upto === undefined) return undefined
  const entries = await sql
    .select({ kind: mirrorLog.kind, name: mirrorLog.name, row: mirrorLog.row })
    .from(mirrorLog)
    .where(and(gt(mirrorLog.seq, after), lte(mirrorLog.seq, upto)))
    .orderBy(asc(mirrorLog.seq))
  return { entries: entries.filter((entry): entry is LogEntry => entry.kind !== 'commit'), upto }
}

/** When the oldest transaction after `after` was committed, in milliseconds since the epoch; undefined: there is none. */
export async function oldestAfter(db: Pick<Database, 'read'>, after: number): Promise<number | undefined> {
  const found = await db.read.sql
    .select({ row: mirrorLog.row })
    .from(mirrorLog)
    .where(and(gt(mirrorLog.seq, after), eq(mirrorLog.kind, 'commit')))
    .orderBy(asc(mirrorLog.seq))
    .limit(1)
    .get()
  return found === undefined ? undefined : Number(found.row)
}

/** Forgets what the standby has, some of it at once. Resolves with how much is left of that. For functions of this room. */
export async function forgetLog(connection: WriteConnection, upto: number): Promise<void> {
  await connection.sql.run(
    raw`DELETE FROM mirror_log WHERE seq IN (SELECT seq FROM mirror_log WHERE seq <= ${upto} ORDER BY seq LIMIT ${MIRROR_FORGET_ROWS})`,
  )
}

/** Forgets all of it. */
export async function clearLog(connection: WriteConnection): Promise<void> {
  await connection.sql.delete(mirrorLog)
}

/** How many entries a standby that has come to `reached` has before it. */
export async function logLength(db: Pick<Database, 'read'>, reached: number): Promise<number> {
  const last = await db.read.sql.select({ seq: mirrorLog.seq }).from(mirrorLog).orderBy(desc(mirrorLog.seq)).limit(1).get()
  return Math.max(0, (last?.seq ?? reached) - reached)
}

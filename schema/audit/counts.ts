import { createHash } from 'node:crypto'
import { and, eq, gt, lte, sql as raw, type SQL } from 'drizzle-orm'
import { LRUCache } from 'lru-cache'
import type { Database } from '../database.ts'
import { COUNT } from '../listing.ts'
import { auditLog } from '../tables/audit.ts'

/** Questions whose counts are remembered, a hundred bytes each. */
const COUNTS_KEPT = 1_000
/** Of more entries than these that came since, an index counts sooner. */
const SINCE_LIMIT = 20_000

/** The log as it was at some moment: all entries from `first` to `id`, for ids have no holes. */
interface Moment {
  /** The last entry then: its hash stands for all before it. */
  readonly id: number
  readonly hash: string
  /** What purges change: the first entry that is left, and how many of the others are empty. */
  readonly first: number
  readonly purged: number
}

interface Counted extends Moment {
  readonly total: number
}

const counts = new WeakMap<Database, LRUCache<string, Counted>>()

/**
 * How many entries a condition leaves. The log only grows, so for a question that was asked before only what came since is counted:
 * whoever turns pages counts once. `question` says what the condition asks, in any form that is the same each time.
 */
export async function countAudit(db: Database, question: unknown, condition: SQL | undefined): Promise<number> {
  const known = counts.get(db) ?? new LRUCache({ max: COUNTS_KEPT })
  counts.set(db, known)
  // Somebody may see thousands of projects.
  const key = createHash('sha256').update(JSON.stringify(question)).digest('base64')
  const now = await momentOf(db)
  if (now === undefined) return 0
  const before = known.get(key)
  const counted = before !== undefined && now.id - before.id <= SINCE_LIMIT && (await stillHolds(db, before, now)) ? before : undefined
  const found = counted === undefined ? await countUpto(db, condition, now.id) : await countBetween(db, condition, counted.id, now.id)
  const total = (counted?.total ?? 0) + found
  known.set(key, { ...now, total })
  return total
}

/** With a plus nothing is looked up by the id: an index that answers for the condition alone is. */
async function countUpto(db: Database, condition: SQL | undefined, last: number): Promise<number> {
  const row = await db.read.sql
    .select({ total: COUNT })
    .from(auditLog)
    .where(and(condition, raw`+${auditLog.id} <= ${last}`))
    .get()
  return row?.total ?? 0
}

/** The other way round: by the id alone, for what came since is little, whatever the condition leaves of the rest. */
async function countBetween(db: Database, condition: SQL | undefined, after: number, last: number): Promise<number> {
  const [row] = await db.read.sql.all<{ total: number }>(
    raw`SELECT count(*) AS total FROM audit_log NOT INDEXED WHERE ${and(gt(auditLog.id, after), lte(auditLog.id, last), condition)}`,
  )
  return row?.total ?? 0
}

/** undefined: there is no entry. */
export async function momentOf(db: Database): Promise<Moment | undefined> {
  const [moment] = await db.read.sql.all<Moment>(raw`SELECT id, hash, (SELECT min(id) FROM audit_log) AS first,
    (SELECT count(*) FROM audit_log WHERE purged = 1) AS purged FROM audit_log WHERE id = (SELECT max(id) FROM audit_log)`)
  return moment
}

async function stillHolds(db: Database, before: Moment, now: Moment): Promise<boolean> {
  if (before.first !== now.first || before.purged !== now.purged) return false
  const row = await db.read.sql.select({ hash: auditLog.hash }).from(auditLog).where(eq(auditLog.id, before.id)).get()
  return row?.hash === before.hash
}

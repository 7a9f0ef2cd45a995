import { and, asc, desc, eq, gt, inArray, lte, sql as raw, type SQL } from 'drizzle-orm'
import type { Database } from '../database.ts'
import { COUNT, contains, type Listed, type Listing, ordering, type Span, window, within } from '../listing.ts'
import { auditLog } from '../tables/audit.ts'

export type AuditRow = typeof auditLog.$inferSelect

/** A text that is equal, or only a part. */
export interface TextFilter {
  readonly exact?: string | undefined
  readonly part?: string | undefined
}

export interface AuditFilter extends Span {
  /** undefined: of the whole system. */
  readonly projectIds?: readonly number[] | undefined
  readonly username?: TextFilter | undefined
  readonly operation?: TextFilter | undefined
  readonly resource?: TextFilter | undefined
  readonly resourceType?: TextFilter | undefined
  readonly succeeded?: boolean | undefined
}

/**
 * The newest first, unless sorted by `id`, `op_time`, `username`, `operation`, `resource` or `resource_type`. What was purged is left out. A part of
 * a text is looked for in every row that the rest of the filter leaves.
 */
export async function listAudit(db: Database, filter: AuditFilter, listing: Listing): Promise<Listed<AuditRow>> {
  const { id, time, username, operation, resource, resourceType } = auditLog
  const sortable = { id, op_time: time, username, operation, resource, resource_type: resourceType }
  const { limit, offset } = window(listing)
  const sorted = (listing.sort ?? []).length > 0
  if (!sorted && Object.values(filter).every((wish) => wish === undefined || isNothing(wish))) return await listAll(db, limit, offset)
  // What happened in some hours is in the order of an index on time; of all rows by id most would be read for nothing.
  const newest = filter.from === undefined && filter.to === undefined ? [desc(id)] : [desc(time), desc(id)]
  const condition = conditionOf(filter)
  // Counted first, by an index: what is not there is then not looked for in every row as well.
  const total = (await db.read.sql.select({ total: COUNT }).from(auditLog).where(condition).get())?.total ?? 0
  if (total <= offset) return { items: [], total }
  const page = db.read.sql
    .select({ id })
    .from(auditLog)
    .where(condition)
    .orderBy(...(sorted ? ordering(listing, sortable, id) : newest))
    .limit(limit)
    .offset(offset)
  const items = await db.read.sql
    .select()
    .from(auditLog)
    .where(inArray(id, page))
    .orderBy(...(sorted ? ordering(listing, sortable, id) : newest))
  return { items, total }
}

const isNothing = (wish: unknown) =>
  typeof wish === 'object' && wish !== null && !Array.isArray(wish) && Object.values(wish).every((each) => each === undefined)

/** Everything, the newest first: ids have no holes, so that nothing needs to be counted or passed over but what was purged behind the beginning. */
async function listAll(db: Database, limit: number, offset: number): Promise<Listed<AuditRow>> {
  const { sql } = db.read
  const [ends, purged] = [
    await sql.get<{ first: number | null; last: number | null }>(
      raw`SELECT (SELECT min(id) FROM audit_log) AS first, (SELECT max(id) FROM audit_log) AS last`,
    ),
    (await sql.select({ total: COUNT }).from(auditLog).where(raw`${auditLog.purged} = 1`).get())?.total ?? 0,
  ]
  if (ends.first === null || ends.last === null) return { items: [], total: 0 }
  const items = await sql
    .select()
    .from(auditLog)
    .where(and(eq(auditLog.purged, false), purged === 0 ? lte(auditLog.id, ends.last - offset) : undefined))
    .orderBy(desc(auditLog.id))
    .limit(limit)
    .offset(purged === 0 ? 0 : offset)
  return { items, total: ends.last - ends.first + 1 - purged }
}

/** Those after `after`, in order, at most `limit`; with what was purged where `purged` says so. */
export function readAudit(db: Database, after: number, limit: number, filter: AuditFilter & { readonly purged?: boolean } = {}): Promise<AuditRow[]> {
  return db.read.sql
    .select()
    .from(auditLog)
    .where(and(gt(auditLog.id, after), filter.purged === true ? undefined : conditionOf(filter)))
    .orderBy(asc(auditLog.id))
    .limit(limit)
}

function conditionOf(filter: AuditFilter): SQL | undefined {
  const { username, operation, resource, resourceType } = filter
  return and(
    eq(auditLog.purged, false),
    filter.projectIds === undefined ? undefined : inArray(auditLog.projectId, [...filter.projectIds]),
    textMatches(auditLog.username, username),
    textMatches(auditLog.operation, operation),
    textMatches(auditLog.resource, resource),
    textMatches(auditLog.resourceType, resourceType),
    // Written out, not as a value: only so does SQLite know that the index of failures holds them all.
    filter.succeeded === undefined ? undefined : raw`${auditLog.succeeded} = ${raw.raw(filter.succeeded ? '1' : '0')}`,
    within(auditLog.time, filter),
  )
}

type TextColumn = typeof auditLog.username | typeof auditLog.operation | typeof auditLog.resource | typeof auditLog.resourceType

function textMatches(column: TextColumn, { exact, part }: TextFilter = {}): SQL | undefined {
  return and(exact === undefined ? undefined : eq(column, exact), contains(column, part))
}

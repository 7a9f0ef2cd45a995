import { and, asc, desc, eq, gt, gte, inArray, lte, type SQL } from 'drizzle-orm'
import type { Database } from '../database.ts'
import { COUNT, contains, type Listed, type Listing, ordering, window } from '../listing.ts'
import { auditLog } from '../tables/audit.ts'

export type AuditRow = typeof auditLog.$inferSelect

/** A text that is equal, or only a part. */
export interface TextFilter {
  readonly exact?: string | undefined
  readonly part?: string | undefined
}

export interface AuditFilter {
  /** undefined: of the whole system. */
  readonly projectIds?: readonly number[] | undefined
  readonly username?: TextFilter | undefined
  readonly operation?: TextFilter | undefined
  readonly resource?: TextFilter | undefined
  readonly resourceType?: TextFilter | undefined
  readonly succeeded?: boolean | undefined
  /** Milliseconds since the epoch, both ends included. */
  readonly from?: number | undefined
  readonly to?: number | undefined
}

/** The newest first, unless sorted by `id`, `op_time`, `username`, `operation`, `resource` or `resource_type`. What was purged is left out. */
export async function listAudit(db: Database, filter: AuditFilter, listing: Listing): Promise<Listed<AuditRow>> {
  const { id, time, username, operation, resource, resourceType } = auditLog
  const sortable = { id, op_time: time, username, operation, resource, resource_type: resourceType }
  const { limit, offset } = window(listing)
  const items = await db.read.sql
    .select()
    .from(auditLog)
    .where(conditionOf(filter))
    .orderBy(...((listing.sort ?? []).length > 0 ? ordering(listing, sortable, id) : [desc(id)]))
    .limit(limit)
    .offset(offset)
  const counted = await db.read.sql.select({ total: COUNT }).from(auditLog).where(conditionOf(filter)).get()
  return { items, total: counted?.total ?? 0 }
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
    filter.succeeded === undefined ? undefined : eq(auditLog.succeeded, filter.succeeded),
    filter.from === undefined ? undefined : gte(auditLog.time, filter.from),
    filter.to === undefined ? undefined : lte(auditLog.time, filter.to),
  )
}

type TextColumn = typeof auditLog.username | typeof auditLog.operation | typeof auditLog.resource | typeof auditLog.resourceType

function textMatches(column: TextColumn, { exact, part }: TextFilter = {}): SQL | undefined {
  return and(exact === undefined ? undefined : eq(column, exact), contains(column, part))
}

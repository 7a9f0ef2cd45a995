import { and, asc, desc, eq, gt, inArray, lte, sql as raw, type SQL } from 'drizzle-orm'
import type { Database } from '../database.ts'
import { type Listed, type Listing, ordering, type Span, window, within } from '../listing.ts'
import { type Match, matches, wished } from '../matching.ts'
import { auditLog } from '../tables/audit.ts'
import { valuesOf } from '../values.ts'
import { countAudit, momentOf } from './counts.ts'
import { NAMED, type Named, namesWith } from './names.ts'

export type AuditRow = typeof auditLog.$inferSelect

export interface AuditFilter extends Span {
  /** undefined: of the whole system. */
  readonly projectIds?: readonly number[] | undefined
  readonly username?: Match | undefined
  readonly operation?: Match | undefined
  readonly resource?: Match | undefined
  readonly resourceType?: Match | undefined
  readonly succeeded?: boolean | undefined
}

/** More entries than these are not found first and then sorted: they are so many that a page of them is soon full. */
const SORTED = 20_000

/** The newest first, unless sorted by `id`, `op_time`, `username`, `operation`, `resource` or `resource_type`. What was purged is left out. */
export async function listAudit(db: Database, filter: AuditFilter, listing: Listing): Promise<Listed<AuditRow>> {
  const { id, time, username, operation, resource, resourceType } = auditLog
  const sortable = { id, op_time: time, username, operation, resource, resource_type: resourceType }
  const { limit, offset } = window(listing)
  const sorted = (listing.sort ?? []).length > 0
  const nothing = (listing.where ?? []).length === 0 && Object.values(filter).every((wish) => wish === undefined)
  if (!sorted && nothing) return await listAll(db, limit, offset)
  // What happened in some hours is in the order of an index on time; of all rows by id most would be read for nothing.
  const timed = filter.from !== undefined || filter.to !== undefined || listing.where?.some(({ field }) => field === 'op_time') === true
  const newest = timed ? [desc(time), desc(id)] : [desc(id)]
  const order = sorted ? ordering(listing, sortable, id) : newest
  const names = await namesOf(db, filter)
  const wishes = wished(listing, sortable)
  const narrow = and(conditionOf(filter, names), wishes)
  // Counted first, by an index: what is not there is then not looked for in every row as well.
  const total = await countAudit(db, [filter, listing.where], narrow)
  if (total <= offset) return { items: [], total }
  const page = db.read.sql
    .select({ id })
    .from(auditLog)
    .where(total > SORTED ? and(conditionOf(filter), wishes) : narrow)
    .orderBy(...order)
    .limit(limit)
    .offset(offset)
  const items = await db.read.sql
    .select()
    .from(auditLog)
    .where(inArray(id, page))
    .orderBy(...order)
  return { items, total }
}

/** By column, the names that have the part which is looked for, where they are few. */
type Names = Readonly<Partial<Record<Named, readonly string[]>>>

async function namesOf(db: Database, { username, operation, resource, resourceType }: AuditFilter): Promise<Names> {
  const wishes = { username, operation, resource, resource_type: resourceType }
  const names: Partial<Record<Named, readonly string[]>> = {}
  for (const kind of NAMED) {
    const wish = wishes[kind]
    const found = wish?.match !== 'part' || wish.text === '' ? undefined : await namesWith(db, kind, wish.text)
    if (found !== undefined) names[kind] = found
  }
  return names
}

/** Everything, the newest first: ids have no holes, so that nothing needs to be counted or passed over but what was purged behind the beginning. */
async function listAll(db: Database, limit: number, offset: number): Promise<Listed<AuditRow>> {
  const moment = await momentOf(db)
  if (moment === undefined) return { items: [], total: 0 }
  const { first, id: last, purged } = moment
  const items = await db.read.sql
    .select()
    .from(auditLog)
    .where(and(eq(auditLog.purged, false), purged === 0 ? lte(auditLog.id, last - offset) : undefined))
    .orderBy(desc(auditLog.id))
    .limit(limit)
    .offset(purged === 0 ? 0 : offset)
  return { items, total: last - first + 1 - purged }
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

function conditionOf(filter: AuditFilter, names: Names = {}): SQL | undefined {
  const { username, operation, resource, resourceType } = filter
  return and(
    eq(auditLog.purged, false),
    filter.projectIds === undefined ? undefined : inProjects(filter.projectIds, names.resource !== undefined),
    textMatches(auditLog.username, username, names.username),
    textMatches(auditLog.operation, operation, names.operation),
    textMatches(auditLog.resource, resource, names.resource),
    textMatches(auditLog.resourceType, resourceType, names.resource_type),
    // Written out, not as a value: only so does SQLite know that the index of failures holds them all.
    filter.succeeded === undefined ? undefined : raw`${auditLog.succeeded} = ${raw.raw(filter.succeeded ? '1' : '0')}`,
    within(auditLog.time, filter),
  )
}

/** `few`: the entries are found by something rarer, and with a plus no index is looked up by this. */
const inProjects = (ids: readonly number[], few: boolean): SQL =>
  few ? inArray(raw`+${auditLog.projectId}`, [...ids]) : inArray(auditLog.projectId, [...ids])

type TextColumn = typeof auditLog.username | typeof auditLog.operation | typeof auditLog.resource | typeof auditLog.resourceType

/** `names`: all that have the part. */
const textMatches = (column: TextColumn, wish: Match | undefined, names: readonly string[] | undefined): SQL | undefined =>
  names === undefined ? matches(column, wish) : raw`${column} IN ${valuesOf(names)}`

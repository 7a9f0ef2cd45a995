import { and, asc, desc, eq, gt, inArray, lt, lte } from 'drizzle-orm'
import { z } from 'zod'
import { tell } from '../changes.ts'
import type { WriteConnection } from '../connection.ts'
import type { Database } from '../database.ts'
import { auditLog } from '../tables/audit.ts'
import { baseOf, lastAuditId, setBase } from './chain.ts'
import { auditEventOf } from './events.ts'
import { forgetAuditNames } from './names.ts'

/** Rows looked at in one transaction. */
const PAGE = 2_000

export interface PurgeWish {
  /** What is older goes; milliseconds since the epoch. */
  readonly before: number
  /** Only these events (`pull_artifact`, …); undefined: all. */
  readonly events?: readonly string[] | undefined
  readonly dryRun: boolean
  /** Who purges. */
  readonly actor: string
}

/**
 * Takes the content of old rows away, and those rows themselves that nothing is left before; what is left can still be verified. Each page says in
 * the log itself what was taken out of it, and how many have been in all: so nobody passes off as purged what he has erased himself.
 * Yields how many went after each page, so that whoever asks may rest. Begun again, it finds done what was done.
 */
export async function* purgeAudit(db: Database, wish: PurgeWish): AsyncGenerator<number> {
  let gone = 0
  // What it tells itself is none of its business.
  const newest = await lastAuditId(db)
  for (let last = 0; ; ) {
    const page = await db.read.sql
      .select({ id: auditLog.id, operation: auditLog.operation, resourceType: auditLog.resourceType, purged: auditLog.purged })
      .from(auditLog)
      .where(and(gt(auditLog.id, last), lte(auditLog.id, newest), lt(auditLog.time, wish.before)))
      .orderBy(asc(auditLog.id))
      .limit(PAGE)
    const ids = page.filter((row) => !row.purged && isWanted(row, wish.events)).map(({ id }) => id)
    if (!wish.dryRun && ids.length > 0) await db.write((connection) => empty(db, connection, ids, wish))
    gone += ids.length
    yield gone
    const end = page.at(-1)
    if (end === undefined || page.length < PAGE) return
    last = end.id
  }
}

/** What an entry says of how many have been purged until then, in all; undefined: it says nothing of that. */
export function purgedUntil({ operation, resourceType, detail }: { operation: string; resourceType: string; detail: string }): number | undefined {
  if (operation !== PURGED.operation || resourceType !== PURGED.resourceType) return undefined
  return told.safeParse(JSON.parse(detail)).data?.total
}

const PURGED = auditEventOf('audit.purged')
const told = z.object({ total: z.int().nonnegative() })

/** What the last purge has told; 0 before the first. */
async function totalSoFar({ sql }: WriteConnection): Promise<number> {
  const last = await sql
    .select()
    .from(auditLog)
    .where(and(eq(auditLog.resourceType, PURGED.resourceType), eq(auditLog.operation, PURGED.operation), eq(auditLog.purged, false)))
    .orderBy(desc(auditLog.id))
    .limit(1)
    .get()
  return (last && purgedUntil(last)) ?? 0
}

function isWanted({ operation, resourceType }: { operation: string; resourceType: string }, events: PurgeWish['events']): boolean {
  return events?.includes(`${operation}_${resourceType}`) ?? true
}

const EMPTY = {
  actor: '',
  username: '',
  operation: '',
  resourceType: '',
  resource: '',
  projectId: null,
  address: '',
  count: 0,
  detail: '',
  purged: true,
} as const

async function empty(db: Database, connection: WriteConnection, ids: readonly number[], { before, actor }: PurgeWish): Promise<void> {
  const { sql } = connection
  // The last one that told may be among them.
  const total = (await totalSoFar(connection)) + ids.length
  const held = await sql
    .select({ username: auditLog.username, resource: auditLog.resource })
    .from(auditLog)
    .where(inArray(auditLog.id, [...ids]))
  await sql
    .update(auditLog)
    .set(EMPTY)
    .where(inArray(auditLog.id, [...ids]))
  // What people do, and to what kind of thing, is no more than words.
  for (const kind of ['username', 'resource'] as const) await forgetAuditNames(connection, kind, new Set(held.map((row) => row[kind])))
  // From the beginning to the first that is left, nothing is needed any more but the last hash.
  const base = await baseOf(connection)
  const first = await sql
    .select({ id: auditLog.id })
    .from(auditLog)
    .where(and(gt(auditLog.id, base.id), eq(auditLog.purged, false)))
    .orderBy(asc(auditLog.id))
    .limit(1)
    .get()
  const last = await sql
    .select({ id: auditLog.id, hash: auditLog.hash })
    .from(auditLog)
    .where(and(gt(auditLog.id, base.id), first === undefined ? undefined : lt(auditLog.id, first.id)))
    .orderBy(desc(auditLog.id))
    .limit(1)
    .get()
  if (last !== undefined) {
    await sql.delete(auditLog).where(lte(auditLog.id, last.id))
    await setBase(connection, last, db.clock.now())
  }
  const detail = { rows: ids.length, before: new Date(before).toISOString(), total }
  await tell(db, connection, { actor, kind: 'audit.purged', subject: 'audit-log', detail })
}

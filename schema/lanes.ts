import { and, eq, gt, inArray } from 'drizzle-orm'
import type { WriteConnection } from './connection.ts'
import type { Database } from './database.ts'
import { PLAN_REPLICATION, REPLICATE } from './replication-jobs.ts'
import { jobs, lanePauses } from './tables/jobs.ts'

/**
 * An endpoint did not answer: for so long nobody begins a job of its lane. What fails during a pause was begun before it: it makes the pause
 * no sign of another failure, but longer if it was told to wait for longer.
 */
export async function pauseLane(
  db: Database,
  { sql }: WriteConnection,
  lane: number,
  { pauseMs, reason }: { readonly pauseMs: (failures: number) => number; readonly reason: string },
): Promise<void> {
  if (lane === 0) return
  const now = db.clock.now()
  const before = await sql.select().from(lanePauses).where(eq(lanePauses.lane, lane)).get()
  const isPaused = before !== undefined && before.until > now
  const failures = (before?.failures ?? 0) + (isPaused ? 0 : 1)
  const until = Math.max(before?.until ?? 0, now + Math.max(0, pauseMs(failures)))
  await sql
    .insert(lanePauses)
    .values({ lane, failures, until, reason })
    .onConflictDoUpdate({ target: lanePauses.lane, set: { failures, until, reason } })
}

/** Until when an endpoint is left alone, and why. */
export interface LanePause {
  /** Milliseconds since the epoch. */
  readonly until: number
  readonly reason: string
}

/** The lanes that are paused now. */
export async function pausedLanes(db: Database): Promise<ReadonlyMap<number, LanePause>> {
  const rows = await db.read.sql.select().from(lanePauses).where(gt(lanePauses.until, db.clock.now()))
  return new Map(rows.map(({ lane, until, reason }) => [lane, { until, reason }]))
}

/** The endpoint is another than it was, or is asked as somebody else: what it failed with before keeps nobody waiting, and no job that was to be tried again. */
export async function beginLaneAnew(db: Database, connection: WriteConnection, lane: number): Promise<void> {
  await resumeLane(connection, lane)
  const now = db.clock.now()
  await connection.sql
    .update(jobs)
    .set({ runAt: now, updatedAt: now })
    .where(and(eq(jobs.state, 'queued'), inArray(jobs.kind, [PLAN_REPLICATION, REPLICATE]), eq(jobs.lane, lane), gt(jobs.runAt, now)))
  connection.hasJobs = true
}

/** The endpoint of this lane answers again, or is gone. */
export async function resumeLane({ sql }: WriteConnection, lane: number): Promise<void> {
  if (lane !== 0) await sql.delete(lanePauses).where(eq(lanePauses.lane, lane))
}

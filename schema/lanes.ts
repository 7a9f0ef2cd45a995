import { eq } from 'drizzle-orm'
import type { WriteConnection } from './connection.ts'
import type { Database } from './database.ts'
import { lanePauses } from './tables/jobs.ts'

/**
 * An endpoint did not answer: for so long nobody begins a job of its lane. What fails during a pause was begun before it: it makes the pause
 * no sign of another failure, but longer if it was told to wait for longer.
 */
export async function pauseLane(db: Database, { sql }: WriteConnection, lane: number, pauseMs: (failures: number) => number): Promise<void> {
  if (lane === 0) return
  const now = db.clock.now()
  const before = await sql.select().from(lanePauses).where(eq(lanePauses.lane, lane)).get()
  const isPaused = before !== undefined && before.until > now
  const failures = (before?.failures ?? 0) + (isPaused ? 0 : 1)
  const until = Math.max(before?.until ?? 0, now + Math.max(0, pauseMs(failures)))
  await sql.insert(lanePauses).values({ lane, failures, until }).onConflictDoUpdate({ target: lanePauses.lane, set: { failures, until } })
}

/** The endpoint of this lane answers again, or is gone. */
export async function resumeLane({ sql }: WriteConnection, lane: number): Promise<void> {
  if (lane !== 0) await sql.delete(lanePauses).where(eq(lanePauses.lane, lane))
}

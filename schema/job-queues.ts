import { and, asc, eq, inArray, min, type SQL } from 'drizzle-orm'
import { z } from 'zod'
import type { Database } from './database.ts'
import { type Job, stopAllIn } from './jobs.ts'
import { COUNT } from './listing.ts'
import { readSetting, writeSetting } from './settings.ts'
import { jobs } from './tables/jobs.ts'

/** Kinds of jobs that nobody takes up, and `schedules` while nothing comes by itself. */
const PAUSED = 'jobs.paused'
export const SCHEDULES = 'schedules'
const pausedShape = z.array(z.string())

export interface JobQueue {
  readonly kind: string
  readonly waiting: number
  /** When the one that waits longest could have run; undefined: none waits. */
  readonly since: number | undefined
}

/** Each kind that has jobs waiting. */
export async function listJobQueues(db: Database): Promise<JobQueue[]> {
  const rows = await db.read.sql
    .select({ kind: jobs.kind, waiting: COUNT, since: min(jobs.runAt) })
    .from(jobs)
    .where(eq(jobs.state, 'queued'))
    .groupBy(jobs.kind)
    .orderBy(asc(jobs.kind))
  return rows.map(({ kind, waiting, since }) => ({ kind, waiting, since: since ?? undefined }))
}

/** Those under way, of one holder or of all. */
export function listRunningJobs(db: Database, owner?: string): Promise<Job[]> {
  return db.read.sql
    .select()
    .from(jobs)
    .where(and(eq(jobs.state, 'running'), owner === undefined ? undefined : eq(jobs.leaseOwner, owner)))
    .orderBy(asc(jobs.id))
}

/** Stops everything of these kinds that waits; resolves with how many. */
export async function stopWaiting(db: Database, kinds: readonly string[]): Promise<number> {
  return await db.write((connection) => stopAllIn(db, connection, and(eq(jobs.state, 'queued'), inArray(jobs.kind, [...kinds])) as SQL))
}

export async function pausedQueues(db: Database): Promise<ReadonlySet<string>> {
  const kept = pausedShape.safeParse(await readSetting(db, PAUSED))
  return new Set(kept.success ? kept.data : [])
}

/** What is under way goes on. */
export async function pauseQueues(db: Database, names: readonly string[], paused: boolean, actor: string): Promise<void> {
  const now = new Set(await pausedQueues(db))
  for (const name of names) {
    if (paused) now.add(name)
    else now.delete(name)
  }
  await writeSetting(db, PAUSED, [...now].sort(), actor)
}

import { and, asc, eq, isNotNull, lte } from 'drizzle-orm'
import type { WriteConnection } from './connection.ts'
import { parseCron } from './cron.ts'
import type { Database } from './database.ts'
import { pausedQueues, SCHEDULES } from './job-queues.ts'
import { enqueueIn, type NewJob } from './jobs.ts'
import { COUNT, type Listed, type Listing, window } from './listing.ts'
import { type SCHEDULE_TYPES, schedules } from './tables/schedules.ts'

export type ScheduleType = (typeof SCHEDULE_TYPES)[number]

/** When a job is done again. Times in milliseconds since the epoch. */
export type Schedule = typeof schedules.$inferSelect

export interface NewSchedule {
  readonly purpose: string
  readonly type: ScheduleType
  readonly cron: string
  readonly job: Pick<NewJob, 'kind' | 'payload'>
}

export function findSchedule(db: Database, purpose: string): Promise<Schedule | undefined> {
  return db.read.sql.select().from(schedules).where(eq(schedules.purpose, purpose)).get()
}

/** Puts it in the place of what was there for the purpose. @throws SyntaxError for a cron expression that cannot be read */
export async function putSchedule(db: Database, schedule: NewSchedule): Promise<void> {
  await db.write((connection) => putScheduleIn(db, connection, schedule))
}

/** As `putSchedule`, in a transaction of this room. */
export async function putScheduleIn(db: Database, { sql }: WriteConnection, { purpose, type, cron, job }: NewSchedule): Promise<void> {
  const now = db.clock.now()
  const set = { type, cron, jobKind: job.kind, payload: job.payload, nextAt: parseCron(cron).next(now) ?? null, updatedAt: now }
  await sql
    .insert(schedules)
    .values({ purpose, ...set, createdAt: now })
    .onConflictDoUpdate({ target: schedules.purpose, set })
}

/** False: there was none. */
export async function deleteSchedule(db: Database, purpose: string): Promise<boolean> {
  return await db.write((connection) => deleteScheduleIn(connection, purpose))
}

/** As `deleteSchedule`, in a transaction of this room. */
export async function deleteScheduleIn({ sql }: WriteConnection, purpose: string): Promise<boolean> {
  return (await sql.delete(schedules).where(eq(schedules.purpose, purpose)).returning({ purpose: schedules.purpose })).length > 0
}

/** By their purpose. */
export async function listSchedules(db: Database, listing: Listing): Promise<Listed<Schedule>> {
  const { limit, offset } = window(listing)
  const items = await db.read.sql.select().from(schedules).orderBy(asc(schedules.purpose)).limit(limit).offset(offset)
  const counted = await db.read.sql.select({ total: COUNT }).from(schedules).get()
  return { items, total: counted?.total ?? 0 }
}

/** Whether nothing comes by itself at present. */
export async function schedulesPaused(db: Database): Promise<boolean> {
  return (await pausedQueues(db)).has(SCHEDULES)
}

/** When the next schedule is due; undefined: none is. */
export async function nextDue(db: Database): Promise<number | undefined> {
  const row = await db.read.sql
    .select({ nextAt: schedules.nextAt })
    .from(schedules)
    .where(isNotNull(schedules.nextAt))
    .orderBy(asc(schedules.nextAt))
    .limit(1)
    .get()
  return row?.nextAt ?? undefined
}

/** Enqueues the jobs that are due, each once whichever process comes first, and what was missed meanwhile not again. Resolves with how many. */
export async function enqueueDue(db: Database): Promise<number> {
  return await db.write(async (connection) => {
    const { sql } = connection
    const now = db.clock.now()
    const due = await sql
      .select()
      .from(schedules)
      .where(and(isNotNull(schedules.nextAt), lte(schedules.nextAt, now)))
    for (const { purpose, cron, jobKind, payload, nextAt } of due) {
      await enqueueIn(db, connection, { kind: jobKind, payload, idempotencyKey: `schedule:${purpose}:${nextAt}` })
      await sql
        .update(schedules)
        .set({ nextAt: parseCron(cron).next(now) ?? null })
        .where(eq(schedules.purpose, purpose))
    }
    return due.length
  })
}

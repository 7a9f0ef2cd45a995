import { sql } from 'drizzle-orm'
import { index, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { time } from './columns.ts'

/** Harbor's names for when something is done again. */
export const SCHEDULE_TYPES = ['Hourly', 'Daily', 'Weekly', 'Custom'] as const

/** Jobs that come again, one schedule for each purpose. */
export const schedules = sqliteTable(
  'schedules',
  {
    /** `gc`, `replication:12`, … */
    purpose: text().primaryKey(),
    type: text({ enum: SCHEDULE_TYPES }).notNull(),
    /** In UTC. */
    cron: text().notNull(),
    jobKind: text('job_kind').notNull(),
    payload: text({ mode: 'json' }).$type<NonNullable<unknown>>().notNull(),
    /** When it is due; null: never again. */
    nextAt: time(),
    createdAt: time().notNull(),
    updatedAt: time().notNull(),
  },
  (t) => [index('schedules_due').on(t.nextAt).where(sql`${t.nextAt} IS NOT NULL`)],
)

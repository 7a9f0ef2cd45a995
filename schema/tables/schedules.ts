import { sql } from 'drizzle-orm'
import { index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import { time } from './columns.ts'

/** Harbor's names for when something is done again. */
export const SCHEDULE_TYPES = ['Hourly', 'Daily', 'Weekly', 'Custom'] as const

/** Jobs that come again, one schedule for each purpose. */
export const schedules = sqliteTable(
  'schedules',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    /** `gc`, `replication:12`, … */
    purpose: text().notNull(),
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
  (t) => [uniqueIndex('schedules_purpose').on(t.purpose), index('schedules_due').on(t.nextAt).where(sql`${t.nextAt} IS NOT NULL`)],
)

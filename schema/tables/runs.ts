import { sql } from 'drizzle-orm'
import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { time } from './columns.ts'

/** Harbor's states of what runs. */
export const RUN_STATUSES = ['Pending', 'Running', 'Success', 'Error', 'Stopped'] as const

/** What was done because of a policy: Harbor calls it an execution. */
export const runs = sqliteTable(
  'runs',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    kind: text({ enum: ['webhook', 'preheat'] }).notNull(),
    policyId: integer('policy_id').notNull(),
    trigger: text({ enum: ['MANUAL', 'SCHEDULED', 'EVENT'] }).notNull(),
    /** What it is about: the type of an event. */
    event: text().notNull(),
    status: text({ enum: RUN_STATUSES }).notNull(),
    statusText: text('status_text').notNull().default(''),
    /** What happened, or what is wanted, as JSON of its kind. */
    detail: text({ mode: 'json' }).$type<Readonly<Record<string, unknown>>>().notNull(),
    startedAt: time().notNull(),
    endedAt: time(),
    /** Beginning again with a key that was ever used begins nothing. */
    key: text(),
  },
  (t) => [
    index('runs_of_policy').on(t.kind, t.policyId, t.id),
    index('runs_by_event').on(t.kind, t.policyId, t.event, t.startedAt),
    index('runs_by_key').on(t.key).where(sql`${t.key} IS NOT NULL`),
    index('runs_ended').on(t.endedAt).where(sql`${t.endedAt} IS NOT NULL`),
  ],
)

/** One thing that a run has to do. */
export const runTasks = sqliteTable(
  'run_tasks',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    runId: integer('run_id')
      .notNull()
      .references(() => runs.id, { onDelete: 'cascade' }),
    kind: text({ enum: ['webhook', 'preheat'] }).notNull(),
    /** What only so many tasks use at once: a receiver, an edge. */
    target: text().notNull(),
    detail: text({ mode: 'json' }).$type<Readonly<Record<string, unknown>>>().notNull(),
    status: text({ enum: RUN_STATUSES }).notNull(),
    statusText: text('status_text').notNull().default(''),
    attempts: integer().notNull().default(0),
    /** Not before. */
    runAt: time().notNull(),
    /** Its last lines; see LOG_LIMIT. */
    log: text().notNull().default(''),
    createdAt: time().notNull(),
    updatedAt: time().notNull(),
    startedAt: time(),
    endedAt: time(),
  },
  (t) => [
    index('run_tasks_of_run').on(t.runId, t.id),
    index('run_tasks_open').on(t.kind, t.target, t.runAt, t.id).where(sql`${t.status} IN ('Pending', 'Running')`),
  ],
)

import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { time } from './columns.ts'

/** Processes that do jobs. */
export const workerPools = sqliteTable(
  'worker_pools',
  {
    /** As it is written on the jobs it holds. */
    id: text().primaryKey(),
    host: text().notNull(),
    pid: integer().notNull(),
    concurrency: integer().notNull(),
    startedAt: time().notNull(),
    /** When it last said that it is there. */
    seenAt: time().notNull(),
  },
  (t) => [index('worker_pools_seen').on(t.seenAt)],
)

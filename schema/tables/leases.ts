import { sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { time } from './columns.ts'

/** Who may do what only one process does at a time. */
export const leases = sqliteTable('leases', {
  name: text().primaryKey(),
  owner: text().notNull(),
  until: time().notNull(),
})

import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import type { SiteId } from '../../registry/versions/version.ts'

/** One row: what this site is called in what it tells others. It belongs to this database, and is never copied to another. */
export const thisSite = sqliteTable('this_site', {
  id: integer().primaryKey(),
  name: text().$type<SiteId>().notNull(),
})

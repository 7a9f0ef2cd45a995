import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import type { SitePair } from '../mirror/pair.ts'
import { time } from './columns.ts'

/** What this site is to the one that it is paired with. One row at most, which no mirror carries: it is what tells the two apart. */
export const sitePair = sqliteTable('site_pair', {
  id: integer().primaryKey(),
  pair: text({ mode: 'json' }).$type<SitePair>().notNull(),
  /** At a standby: what it has of its primary's log of rows. At a primary: what its standby has said that it has of its own. */
  reached: integer().notNull(),
  updatedAt: time().notNull(),
})

/**
 * The rows that were written, in the order of writing, for the peer: triggers put them here in the transaction that writes them, while this
 * site has a standby. Entries go when the standby has them.
 */
export const mirrorLog = sqliteTable('mirror_log', {
  seq: integer().primaryKey({ autoIncrement: true }),
  /** `put`: a row as it was written; `gone`: the key of a row that is no more; `commit`: everything before belongs to transactions that ended. */
  kind: text({ enum: ['put', 'gone', 'commit'] }).notNull(),
  /** The table; empty for a commit. */
  name: text().notNull(),
  /** The columns by name, as JSON; bytes in hexadecimal. Of a commit: when, in milliseconds since the epoch. */
  row: text().notNull(),
})

/**
 * Blobs of a standby whose row and bytes may not go together. With a row: the primary had deleted the bytes already when it came, and nobody may be
 * told that they are here. Without: the row went, and the bytes are to go.
 */
export const mirrorOwed = sqliteTable('mirror_owed', {
  digest: text().primaryKey(),
})

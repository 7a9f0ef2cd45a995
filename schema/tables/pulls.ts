import { index, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import type { Digest } from '../../registry/spec/digests.ts'
import type { RepositoryName, Tag } from '../../registry/spec/names.ts'
import { time } from './columns.ts'

/** Who pulled what, in the order in which this origin heard of it. Names, not rows: what was pulled may be gone. */
export const pulls = sqliteTable(
  'pulls',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    /** The edge that served it; null: this origin did. */
    edge: text(),
    /** `user:3`, `robot:12`, `anonymous`. */
    subject: text().notNull(),
    repository: text().$type<RepositoryName>().notNull(),
    digest: text().$type<Digest>().notNull(),
    tag: text().$type<Tag>(),
    client: text(),
    count: integer().notNull(),
    /** Of the first and of the last of `count` pulls alike. */
    first: time().notNull(),
    last: time().notNull(),
  },
  (t) => [index('pulls_by_time').on(t.last)],
)

/** How far each edge's spool of pulls has been taken. */
export const pullSpools = sqliteTable(
  'pull_spools',
  {
    edge: text().notNull(),
    spool: text().notNull(),
    number: integer().notNull(),
    /** Pulls that the edge had no room to keep. */
    lost: integer().notNull(),
    updatedAt: time().notNull(),
  },
  (t) => [primaryKey({ columns: [t.edge, t.spool] })],
)

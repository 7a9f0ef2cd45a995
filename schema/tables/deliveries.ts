import { index, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { time } from './columns.ts'
import { endpoints } from './endpoints.ts'

/** What another registry got from us: the last delivery of each tag there. */
export const deliveries = sqliteTable(
  'deliveries',
  {
    endpointId: integer('endpoint_id')
      .notNull()
      .references(() => endpoints.id, { onDelete: 'cascade' }),
    /** Its name there. */
    destination: text().notNull(),
    tag: text().notNull(),
    /** Its name here. */
    repository: text().notNull(),
    digest: text().notNull(),
    /** A digest over those of all that refers to it and went there as well. */
    referrers: text().notNull(),
    /** Of an index, the platforms whose parts went there, as the rule names them; empty: all of its parts. */
    parts: text().notNull(),
    /** Moved for this delivery: what was there already did not travel. */
    bytes: integer().notNull(),
    deliveredAt: time('delivered_at').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.endpointId, t.destination, t.tag] }),
    index('deliveries_by_time').on(t.endpointId, t.deliveredAt),
    index('deliveries_by_repository').on(t.endpointId, t.repository, t.destination),
  ],
)

import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { time } from './columns.ts'

/** Wrong secrets of late, for all processes to count together. */
export const guesses = sqliteTable(
  'guesses',
  {
    /** A keyed hash of an address, alone or with an account: what people type in the place of a name may be a password. */
    key: text().primaryKey(),
    failures: integer().notNull(),
    /** When the window began that they are counted in. */
    since: time().notNull(),
  },
  (t) => [index('guesses_by_age').on(t.since)],
)

/** From where accounts were used, by keyed hashes of both: guesses from elsewhere keep nobody out there. */
export const knownAddresses = sqliteTable(
  'known_addresses',
  {
    key: text().primaryKey(),
    /** To the day. */
    usedAt: time('used_at').notNull(),
  },
  (t) => [index('known_addresses_by_age').on(t.usedAt)],
)

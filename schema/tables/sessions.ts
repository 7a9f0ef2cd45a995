import { index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import { time } from './columns.ts'
import { users } from './users.ts'

/** Logins by browser. */
export const sessions = sqliteTable(
  'sessions',
  {
    /** A hash of what the cookie holds, never that itself. */
    hash: text().primaryKey(),
    userId: integer('user_id').notNull(),
    /** The user's when he logged in: a new password ends it. */
    credentialVersion: integer('credential_version').notNull(),
    /** What the OpenID provider needs to end its own session; null: it was not asked. */
    sealedIdToken: text('sealed_id_token'),
    createdAt: time().notNull(),
    expiresAt: time().notNull(),
  },
  (t) => [index('sessions_by_expiry').on(t.expiresAt), index('sessions_of_user').on(t.userId)],
)

/** Who a user is at an OpenID provider. */
export const oidcLinks = sqliteTable(
  'oidc_links',
  {
    userId: integer('user_id')
      .primaryKey()
      .references(() => users.id),
    issuer: text().notNull(),
    subject: text().notNull(),
    /** For `docker login`, where nobody can be sent to the provider. Encrypted by the caller. */
    sealedSecret: text('sealed_secret').notNull(),
    /** With it the provider is asked whether it still knows him; null: it gave none. Encrypted by the caller. */
    sealedRefreshToken: text('sealed_refresh_token'),
    /** When the provider last said that it knows him. */
    checkedAt: time().notNull(),
    /** Until when one process alone may ask it: some providers take a refresh token once. null: nobody asks. */
    askedUntil: time(),
    createdAt: time().notNull(),
    updatedAt: time().notNull(),
  },
  (t) => [uniqueIndex('oidc_links_subject').on(t.issuer, t.subject)],
)

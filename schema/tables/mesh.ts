import { sql } from 'drizzle-orm'
import { index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import type { JWK } from 'jose'
import type { EdgeReport } from '../../mesh/enrolment.ts'
import { time } from './columns.ts'

/** The origin's own keys. The private half is encrypted by the caller. */
export const signingKeys = sqliteTable('signing_keys', {
  kid: text().primaryKey(),
  algorithm: text().notNull(),
  publicJwk: text('public_jwk', { mode: 'json' }).$type<JWK>().notNull(),
  sealedPrivate: text('sealed_private').notNull(),
  createdAt: time().notNull(),
  /** Since when it signs nothing new; what it signed stays good until its row goes. */
  retiredAt: time(),
})

export const edges = sqliteTable(
  'edges',
  {
    id: text().primaryKey(),
    name: text().notNull(),
    region: text().notNull().default(''),
    /** Where clients reach it. */
    url: text().notNull(),
    publicJwk: text('public_jwk', { mode: 'json' }).$type<JWK>().notNull(),
    version: text().notNull().default(''),
    status: text({ enum: ['active', 'revoked'] }).notNull(),
    enrolledAt: time().notNull(),
    revokedAt: time(),
    /** Since when nobody is sent there. */
    drainedAt: time(),
    lastSeenAt: time(),
    /** The last change it has taken in. */
    cursor: integer().notNull().default(0),
    stats: text({ mode: 'json' }).$type<EdgeStats>().notNull(),
  },
  // A revoked edge keeps its row; its name may be given again.
  (t) => [uniqueIndex('edges_name').on(t.name).where(sql`${t.revokedAt} IS NULL`), index('edges_by_name').on(t.name, t.id)],
)

/** What an edge reported last; empty before its first report. */
export type EdgeStats = Partial<Omit<EdgeReport, 'version' | 'cursor' | 'url'>>

export const edgeEnrolmentTokens = sqliteTable(
  'edge_enrolment_tokens',
  {
    /** A hash of the token, never the token. */
    hash: text().primaryKey(),
    name: text().notNull(),
    region: text().notNull().default(''),
    expiresAt: time().notNull(),
    usedAt: time(),
    creator: text().notNull(),
    createdAt: time().notNull(),
  },
  (t) => [index('edge_enrolment_tokens_by_expiry').on(t.expiresAt)],
)

import { sql } from 'drizzle-orm'
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import type { Digest } from '../../registry/spec/digests.ts'
import type { RepositoryName } from '../../registry/spec/names.ts'
import { time } from './columns.ts'

export const JOB_STATES = ['queued', 'running', 'succeeded', 'failed', 'stopped'] as const

/** The durable queue of work. */
export const jobs = sqliteTable(
  'jobs',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    kind: text().notNull(),
    payload: text({ mode: 'json' }).$type<unknown>().notNull(),
    state: text({ enum: JOB_STATES }).notNull(),
    /** Higher goes first. */
    priority: integer().notNull().default(0),
    /** The endpoint that it uses; 0: none. Jobs of one endpoint are a lane, and so are those of one kind that use none. */
    lane: integer().notNull().default(0),
    /** Not before. */
    runAt: time().notNull(),
    attempts: integer().notNull().default(0),
    maxAttempts: integer('max_attempts').notNull(),
    leaseOwner: text('lease_owner'),
    leaseUntil: time(),
    /** Goes up with each lease: who holds an older one may write nothing more. */
    fence: integer().notNull().default(0),
    progress: text({ mode: 'json' }).$type<unknown>(),
    error: text(),
    /** Enqueueing with a key that was ever used gives the job that has it. */
    idempotencyKey: text('idempotency_key'),
    /** Jobs about the same thing, of which a newer one takes the place of an older one that has not begun. */
    mergeKey: text('merge_key'),
    createdAt: time().notNull(),
    updatedAt: time().notNull(),
    finishedAt: time(),
  },
  (t) => [
    uniqueIndex('jobs_idempotency_key').on(t.idempotencyKey).where(sql`${t.idempotencyKey} IS NOT NULL`),
    index('jobs_merged').on(t.mergeKey, t.id).where(sql`${t.mergeKey} IS NOT NULL`),
    index('jobs_to_run').on(t.state, t.kind, t.lane, t.priority, t.runAt, t.id),
    index('jobs_of_kind').on(t.kind, t.id),
    index('jobs_leased').on(t.leaseUntil).where(sql`${t.state} = 'running'`),
    index('jobs_finished').on(t.finishedAt).where(sql`${t.finishedAt} IS NOT NULL`),
  ],
)

/** Lanes whose endpoint did not answer: nobody begins a job of theirs for a while, and then one at a time until one has succeeded. */
export const lanePauses = sqliteTable('lane_pauses', {
  lane: integer().primaryKey(),
  /** In a row. */
  failures: integer().notNull(),
  until: time().notNull(),
  /** What it failed with, for people. */
  reason: text().notNull(),
})

/** Where a partly uploaded blob at a replication's destination can be taken up again. */
export const transfers = sqliteTable(
  'transfers',
  {
    destination: text().notNull(),
    repository: text().$type<RepositoryName>().notNull(),
    digest: text().$type<Digest>().notNull(),
    location: text().notNull(),
    updatedAt: time().notNull(),
  },
  (t) => [primaryKey({ columns: [t.destination, t.repository, t.digest] }), index('transfers_by_age').on(t.updatedAt)],
)

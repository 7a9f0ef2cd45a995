import { and, asc, desc, eq, inArray, lt, sql as raw, type SQL } from 'drizzle-orm'
import { type Claim, nextJobId, nextTime } from './claims.ts'
import type { Connection, WriteConnection } from './connection.ts'
import type { Database } from './database.ts'
import { pauseLane, resumeLane } from './lanes.ts'
import { COUNT, type Listed, type Listing, newestFirst, window } from './listing.ts'
import { wished } from './matching.ts'
import { type JOB_STATES, jobs } from './tables/jobs.ts'

/** A piece of work. `payload` and `progress` are JSON whose shape its kind defines; times in milliseconds since the epoch. */
export type Job = typeof jobs.$inferSelect
export type JobState = (typeof JOB_STATES)[number]

export interface NewJob {
  readonly kind: string
  readonly payload: NonNullable<unknown>
  /** Higher goes first. */
  readonly priority?: number | undefined
  /** The endpoint that it uses; none, when absent. */
  readonly lane?: number | undefined
  /** Not before; now, when absent. */
  readonly runAt?: number | undefined
  readonly maxAttempts?: number | undefined
  /** With a key that was ever used nothing new is made. */
  readonly idempotencyKey?: string | undefined
  /** See `lastOfMergeKey`. */
  readonly mergeKey?: string | undefined
}

/** The right to write about a job. It ends with the lease, or when another one is given. */
export interface Lease {
  readonly id: number
  readonly fence: number
}

const DEFAULT_ATTEMPTS = 5

/** The job, or the one that has its idempotency key. */
export function enqueueJob(db: Database, job: NewJob): Promise<Job> {
  return db.write((connection) => enqueueIn(db, connection, job))
}

/** As `enqueueJob`, in a transaction of this room. */
export async function enqueueIn(db: Database, connection: WriteConnection, job: NewJob): Promise<Job> {
  const { sql } = connection
  const { kind, payload, priority = 0, lane = 0, idempotencyKey = null, mergeKey = null, maxAttempts = DEFAULT_ATTEMPTS } = job
  const held = idempotencyKey === null ? undefined : await sql.select().from(jobs).where(eq(jobs.idempotencyKey, idempotencyKey)).get()
  if (held !== undefined) return held
  connection.hasJobs = true
  const now = db.clock.now()
  return await sql
    .insert(jobs)
    .values({
      kind,
      payload,
      state: 'queued',
      priority,
      lane,
      runAt: job.runAt ?? now,
      maxAttempts,
      idempotencyKey,
      mergeKey,
      createdAt: now,
      updatedAt: now,
    })
    .returning()
    .get()
}

/** The newest job with this key, in whatever state. For a transaction of this room that would rather change a waiting job than add another. */
export function lastOfMergeKey({ sql }: Connection, mergeKey: string): Promise<Job | undefined> {
  return sql.select().from(jobs).where(eq(jobs.mergeKey, mergeKey)).orderBy(desc(jobs.id)).limit(1).get()
}

/** Another payload for a job that has not begun. False: it has. */
export async function replacePayloadIn(db: Database, { sql }: WriteConnection, id: number, payload: NonNullable<unknown>): Promise<boolean> {
  const rows = await sql
    .update(jobs)
    .set({ payload, updatedAt: db.clock.now() })
    .where(and(eq(jobs.id, id), eq(jobs.state, 'queued'), eq(jobs.attempts, 0)))
    .returning({ id: jobs.id })
  return rows.length > 0
}

export function findJob(db: Database, id: number): Promise<Job | undefined> {
  return db.read.sql.select().from(jobs).where(eq(jobs.id, id)).get()
}

/**
 * The next job of these kinds: one whose holder has gone silent, else one of a lane that may begin another, which is neither paused nor as busy as
 * its endpoint allows. The highest priority goes first, then the lane that is least busy, then who waits longest.
 *
 * Its `fence` and `id` are the lease, good until `leaseUntil`. With more `attempts` than `maxAttempts` it was lost too often, and is given
 * out only to be failed. Found and taken by one statement: however many processes ask, no job goes to two, and no lane has more than it may.
 * undefined: nothing to do now.
 */
export async function leaseJob(db: Database, claim: Claim): Promise<Job | undefined> {
  // Asking costs no commit, so that many idle workers cost nothing.
  const ahead = await db.read.sql.get<{ id: number | null }>(raw`SELECT ${nextJobId(claim, db.clock.now())} AS id`)
  if (ahead?.id == null) return undefined
  return await db.write(({ sql }) => {
    const now = db.clock.now()
    return sql
      .update(jobs)
      .set({
        state: 'running',
        attempts: raw`${jobs.attempts} + 1`,
        leaseOwner: claim.owner,
        leaseUntil: now + claim.leaseMs,
        fence: raw`${jobs.fence} + 1`,
        updatedAt: now,
      })
      .where(eq(jobs.id, nextJobId(claim, now)))
      .returning()
      .get()
  })
}

/** When the next job of these kinds may run whose time, or the end of whose lane's pause, has yet to come (milliseconds since the epoch); undefined: none waits for that. */
export async function nextRunAt(db: Database, kinds: readonly string[]): Promise<number | undefined> {
  const row = await db.read.sql.get<{ at: number | null }>(nextTime(kinds, db.clock.now()))
  return row?.at ?? undefined
}

/** Whether this lease still gives the say. For a transaction of this room that writes what its holder found out. */
export async function holdsLease({ sql }: WriteConnection, lease: Lease): Promise<boolean> {
  return (await sql.select({ id: jobs.id }).from(jobs).where(heldBy(lease)).get()) !== undefined
}

/** Keeps the lease, and what there is to say of progress. False: it is lost, or the job was stopped; end the work. */
export async function renewLease(db: Database, lease: Lease, leaseMs: number, progress?: NonNullable<unknown>): Promise<boolean> {
  const now = db.clock.now()
  return await settle(db, lease, { leaseUntil: now + leaseMs, updatedAt: now, ...(progress !== undefined && { progress }) })
}

/** The work is done, and if its lane was paused it need not be any more. False: the lease is lost, and somebody else has the say. */
export async function finishJob(db: Database, lease: Lease, progress?: NonNullable<unknown>): Promise<boolean> {
  return await db.write(async (connection) => {
    const now = db.clock.now()
    const done = { state: 'succeeded', error: null, finishedAt: now, updatedAt: now, ...(progress !== undefined && { progress }) } as const
    const row = await connection.sql
      .update(jobs)
      .set({ ...over, ...done })
      .where(heldBy(lease))
      .returning({ lane: jobs.lane })
      .get()
    if (row !== undefined) await resumeLane(connection, row.lane)
    return row !== undefined
  })
}

export interface Failure {
  readonly error: string
  readonly delayMs: (attempts: number) => number
  /** Not to be tried again. */
  readonly final?: boolean | undefined
  /** It failed because its endpoint does not answer: for so long no job of its lane is begun. */
  readonly pauseMs?: ((failures: number) => number) | undefined
}

/**
 * The work has failed: it is tried again after `delayMs(attempts)`, or has failed for good after `maxAttempts`, or at once with `final`.
 * Resolves with the job's state; undefined: the lease is lost.
 */
export async function failJob(db: Database, lease: Lease, failure: Failure): Promise<JobState | undefined> {
  return await db.write(async (connection) => {
    const { sql } = connection
    const job = await sql.select().from(jobs).where(heldBy(lease)).get()
    if (job === undefined) return undefined
    const now = db.clock.now()
    const again = failure.final !== true && job.attempts < job.maxAttempts
    connection.hasJobs ||= again
    const state = again ? 'queued' : 'failed'
    await sql
      .update(jobs)
      .set({
        ...over,
        state,
        error: failure.error,
        updatedAt: now,
        ...(again ? { runAt: now + Math.max(0, failure.delayMs(job.attempts)) } : { finishedAt: now }),
      })
      .where(eq(jobs.id, job.id))
    if (failure.pauseMs !== undefined) await pauseLane(db, connection, job.lane, { pauseMs: failure.pauseMs, reason: failure.error })
    return state
  })
}

/** Gives a job back unharmed, to be done by somebody else at once: its holder is shutting down. The attempt does not count. */
export async function releaseJob(db: Database, lease: Lease): Promise<boolean> {
  return await db.write(async (connection) => {
    const { sql } = connection
    const job = await sql.select().from(jobs).where(heldBy(lease)).get()
    if (job === undefined) return false
    connection.hasJobs = true
    const now = db.clock.now()
    await sql
      .update(jobs)
      .set({ ...over, state: 'queued', attempts: job.attempts - 1, updatedAt: now })
      .where(eq(jobs.id, job.id))
    return true
  })
}

/** Whoever works on it loses the lease and finds out at the next renewal. False: there is none, or it has ended. */
export async function stopJob(db: Database, id: number): Promise<boolean> {
  return await db.write((connection) => stopIn(db, connection, id))
}

/** As `stopJob`, in a transaction of this room. */
export async function stopIn(db: Database, connection: WriteConnection, id: number): Promise<boolean> {
  return (await stopAllIn(db, connection, eq(jobs.id, id))) > 0
}

/** As `stopJob`, for all that a condition finds, in a transaction of this room. However many there are, none is read. Resolves with how many. */
export async function stopAllIn(db: Database, { sql }: WriteConnection, which: SQL): Promise<number> {
  const now = db.clock.now()
  const { rowsAffected } = await sql
    .update(jobs)
    .set({ ...over, state: 'stopped', fence: raw`${jobs.fence} + 1`, finishedAt: now, updatedAt: now })
    .where(and(which, inArray(jobs.state, ['queued', 'running'])))
  return rowsAffected
}

/** How many there are of each kind in each state. */
export function countJobs(db: Database): Promise<{ readonly kind: string; readonly state: JobState; readonly total: number }[]> {
  return db.read.sql.select({ kind: jobs.kind, state: jobs.state, total: COUNT }).from(jobs).groupBy(jobs.state, jobs.kind)
}

const searched = {
  id: jobs.id,
  creation_time: jobs.createdAt,
  start_time: jobs.createdAt,
  update_time: jobs.updatedAt,
  end_time: jobs.finishedAt,
}

/** Newest first, unless sorted by their fields. */
export async function listJobs(
  db: Database,
  filter: { readonly kind?: string | undefined; readonly state?: JobState | undefined },
  listing: Listing,
): Promise<Listed<Job>> {
  const condition: SQL | undefined = and(
    filter.kind === undefined ? undefined : eq(jobs.kind, filter.kind),
    filter.state === undefined ? undefined : eq(jobs.state, filter.state),
    wished(listing, searched),
  )
  const { limit, offset } = window(listing)
  const items = await db.read.sql
    .select()
    .from(jobs)
    .where(condition)
    .orderBy(...newestFirst(listing, searched, jobs.id))
    .limit(limit)
    .offset(offset)
  const counted = await db.read.sql.select({ total: COUNT }).from(jobs).where(condition).get()
  return { items, total: counted?.total ?? 0 }
}

/** Forgets jobs that ended before `before`, at most `limit`; resolves with how many. */
export async function dropEndedJobs(db: Database, before: number, limit: number): Promise<number> {
  return await db.write(async ({ sql }) => {
    const old = sql.select({ id: jobs.id }).from(jobs).where(lt(jobs.finishedAt, before)).orderBy(asc(jobs.finishedAt)).limit(limit)
    return (await sql.delete(jobs).where(inArray(jobs.id, old)).returning({ id: jobs.id })).length
  })
}

/** Nobody holds it any more. */
const over = { leaseOwner: null, leaseUntil: null } as const

const heldBy = ({ id, fence }: Lease) => and(eq(jobs.id, id), eq(jobs.fence, fence), eq(jobs.state, 'running'))

async function settle(db: Database, lease: Lease, patch: Partial<typeof jobs.$inferInsert>): Promise<boolean> {
  const rows = await db.write(({ sql }) => sql.update(jobs).set(patch).where(heldBy(lease)).returning({ id: jobs.id }))
  return rows.length > 0
}

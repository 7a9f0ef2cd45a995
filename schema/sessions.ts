import { and, eq, gt, inArray, lt } from 'drizzle-orm'
import { appendAudit, appendAuditAll, type NewAuditEntry } from './audit/chain.ts'
import { type AuditEvent, LOGGED_IN, LOGGED_OUT } from './audit/events.ts'
import type { Database } from './database.ts'
import { sessions } from './tables/sessions.ts'

/** A login by browser. Times in milliseconds since the epoch. */
export type Session = typeof sessions.$inferSelect

export async function createSession(db: Database, session: Omit<Session, 'createdAt'>): Promise<void> {
  await db.write(async (connection) => {
    const now = db.clock.now()
    await connection.sql.insert(sessions).values({ ...session, createdAt: now })
    await appendAudit(connection, entryOf(LOGGED_IN, `user:${session.userId}`, now))
  })
}

/** Logins that failed, alike ones together. */
export interface FailedLogins {
  /** Whose secret it was not. */
  readonly actor: string
  readonly address: string
  /** Of the first, in milliseconds since the epoch. */
  readonly time: number
  readonly count: number
}

export async function recordFailedLogins(db: Database, failed: readonly FailedLogins[]): Promise<void> {
  await db.write(async (connection) => {
    const entries = failed.map(({ actor, address, time, count }) => ({ ...entryOf(LOGGED_IN, actor, time), address, count, succeeded: false }))
    await appendAuditAll(connection, entries)
  })
}

function entryOf(event: AuditEvent, actor: string, time: number): NewAuditEntry {
  return { ...event, time, actor, resource: actor, projectId: null, succeeded: true, count: 1, detail: '' }
}

/** undefined: there is none, or it has expired. */
export function findSession(db: Database, hash: string): Promise<Session | undefined> {
  return db.read.sql
    .select()
    .from(sessions)
    .where(and(eq(sessions.hash, hash), gt(sessions.expiresAt, db.clock.now())))
    .get()
}

export async function extendSession(db: Database, hash: string, expiresAt: number): Promise<void> {
  await db.write(({ sql }) => sql.update(sessions).set({ expiresAt }).where(eq(sessions.hash, hash)))
}

export async function deleteSession(db: Database, hash: string): Promise<void> {
  await db.write(async (connection) => {
    const ended = await connection.sql.delete(sessions).where(eq(sessions.hash, hash)).returning({ userId: sessions.userId })
    for (const { userId } of ended) await appendAudit(connection, entryOf(LOGGED_OUT, `user:${userId}`, db.clock.now()))
  })
}

/** Forgets those that expired before `before`, at most `limit`; resolves with how many. */
export async function forgetSessionsBefore(db: Database, before: number, limit: number): Promise<number> {
  return await db.write(async ({ sql }) => {
    const old = sql.select({ hash: sessions.hash }).from(sessions).where(lt(sessions.expiresAt, before)).limit(limit)
    return (await sql.delete(sessions).where(inArray(sessions.hash, old)).returning({ hash: sessions.hash })).length
  })
}

import { and, eq, gt, inArray, lt } from 'drizzle-orm'
import type { Database } from './database.ts'
import { sessions } from './tables/sessions.ts'

/** A login by browser. Times in milliseconds since the epoch. */
export type Session = typeof sessions.$inferSelect

export async function createSession(db: Database, session: Omit<Session, 'createdAt'>): Promise<void> {
  await db.write(({ sql }) => sql.insert(sessions).values({ ...session, createdAt: db.clock.now() }))
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
  await db.write(({ sql }) => sql.delete(sessions).where(eq(sessions.hash, hash)))
}

/** Forgets those that expired before `before`, at most `limit`; resolves with how many. */
export async function forgetSessionsBefore(db: Database, before: number, limit: number): Promise<number> {
  return await db.write(async ({ sql }) => {
    const old = sql.select({ hash: sessions.hash }).from(sessions).where(lt(sessions.expiresAt, before)).limit(limit)
    return (await sql.delete(sessions).where(inArray(sessions.hash, old)).returning({ hash: sessions.hash })).length
  })
}

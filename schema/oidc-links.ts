import { and, eq, isNull, lte, or } from 'drizzle-orm'
import { tell } from './changes.ts'
import type { Database } from './database.ts'
import { oidcLinks } from './tables/sessions.ts'
import { onboardIn } from './users.ts'

/** Who a user is at an OpenID provider. Times in milliseconds since the epoch. */
export type OidcLink = typeof oidcLinks.$inferSelect

export function findOidcLink(db: Database, issuer: string, subject: string): Promise<OidcLink | undefined> {
  return db.read.sql
    .select()
    .from(oidcLinks)
    .where(and(eq(oidcLinks.issuer, issuer), eq(oidcLinks.subject, subject)))
    .get()
}

export function oidcLinkOf(db: Database, userId: number): Promise<OidcLink | undefined> {
  return db.read.sql.select().from(oidcLinks).where(eq(oidcLinks.userId, userId)).get()
}

/**
 * Makes the account of somebody whom a provider knows, once, however many of his logins come at the same time.
 * @throws RegistryError 409 the name is another's
 */
export async function onboardLinked(
  db: Database,
  user: Parameters<typeof onboardIn>[2],
  link: Omit<OidcLink, 'userId' | 'askedUntil' | 'createdAt' | 'updatedAt'>,
): Promise<number | undefined> {
  return await db.write(async (connection) => {
    const { sql } = connection
    const ofPerson = and(eq(oidcLinks.issuer, link.issuer), eq(oidcLinks.subject, link.subject))
    const there = await sql.select({ userId: oidcLinks.userId }).from(oidcLinks).where(ofPerson).get()
    if (there !== undefined) return undefined
    const { id } = await onboardIn(db, connection, user)
    const now = db.clock.now()
    await sql.insert(oidcLinks).values({ ...link, userId: id, createdAt: now, updatedAt: now })
    return id
  })
}

/** Lets one process ask the provider, for at most `ms` milliseconds. False: another one asks, or has asked since the link was read. */
export async function beginOidcCheck(db: Database, { userId, checkedAt }: OidcLink, ms: number): Promise<boolean> {
  const now = db.clock.now()
  const free = and(eq(oidcLinks.userId, userId), eq(oidcLinks.checkedAt, checkedAt), or(isNull(oidcLinks.askedUntil), lte(oidcLinks.askedUntil, now)))
  return await db.write(async ({ sql }) => {
    const taken = await sql
      .update(oidcLinks)
      .set({ askedUntil: now + ms })
      .where(free)
      .returning({ userId: oidcLinks.userId })
    return taken.length > 0
  })
}

/** Whatever came of it. */
export async function endOidcCheck(db: Database, userId: number): Promise<void> {
  await db.write(({ sql }) => sql.update(oidcLinks).set({ askedUntil: null }).where(eq(oidcLinks.userId, userId)))
}

/** What the provider said now. */
export async function renewOidcLink(
  db: Database,
  userId: number,
  { sealedRefreshToken, checkedAt }: Pick<OidcLink, 'sealedRefreshToken' | 'checkedAt'>,
): Promise<void> {
  await db.write(({ sql }) =>
    sql.update(oidcLinks).set({ sealedRefreshToken, checkedAt, updatedAt: db.clock.now() }).where(eq(oidcLinks.userId, userId)),
  )
}

/** A new CLI secret. False: this user is of no OpenID provider. */
export async function setCliSecret(db: Database, userId: number, sealedSecret: string, actor: string): Promise<boolean> {
  return await db.write(async (connection) => {
    const set = { sealedSecret, updatedAt: db.clock.now() }
    const changed = await connection.sql.update(oidcLinks).set(set).where(eq(oidcLinks.userId, userId)).returning({ userId: oidcLinks.userId })
    if (changed.length === 0) return false
    await tell(db, connection, { actor, kind: 'user.updated', subject: `user:${userId}`, detail: { changed: ['cli_secret'] } })
    return true
  })
}

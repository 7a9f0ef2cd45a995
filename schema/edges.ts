import { and, asc, eq, gt, inArray, isNull, lt, ne, sql as raw } from 'drizzle-orm'
import type { LibSQLDatabase } from 'drizzle-orm/libsql'
import type { JWK } from 'jose'
import { tell } from './changes.ts'
import type { Database } from './database.ts'
import { conflict } from './errors.ts'
import { type EdgeStats, edgeEnrolmentTokens, edges } from './tables/mesh.ts'

/** An edge. `status` is `active` or `revoked`; times in milliseconds since the epoch. */
export type Edge = typeof edges.$inferSelect

export interface NewEnrolmentToken {
  /** A hash of the token. */
  readonly hash: string
  readonly name: string
  readonly region: string
  readonly expiresAt: number
  readonly creator: string
}

export interface EdgeApplication {
  readonly tokenHash: string
  readonly id: string
  readonly url: string
  readonly publicJwk: JWK
  readonly version: string
}

const reads = (sql: LibSQLDatabase) => ({
  byId: sql
    .select()
    .from(edges)
    .where(eq(edges.id, raw.placeholder('id')))
    .prepare(),
})

/** @throws RegistryError 409 an edge of this name is active */
export async function createEnrolmentToken(db: Database, token: NewEnrolmentToken): Promise<void> {
  await db.write(async ({ sql }) => {
    if (await sql.select({ id: edges.id }).from(edges).where(active(token.name)).get()) throw conflict(`There is an edge ${token.name} already.`)
    await sql.insert(edgeEnrolmentTokens).values({ ...token, createdAt: db.clock.now() })
  })
}

/** Takes the token, which is good once, and makes the edge. undefined: there is no such token, it is used or expired. @throws RegistryError 409 an edge of this name is active */
export async function enrolEdge(db: Database, application: EdgeApplication): Promise<Edge | undefined> {
  const { tokenHash, id, url, publicJwk, version } = application
  return await db.write(async (connection) => {
    const { sql } = connection
    const now = db.clock.now()
    const token = await sql
      .update(edgeEnrolmentTokens)
      .set({ usedAt: now })
      .where(and(eq(edgeEnrolmentTokens.hash, tokenHash), isNull(edgeEnrolmentTokens.usedAt), gt(edgeEnrolmentTokens.expiresAt, now)))
      .returning()
      .get()
    if (token === undefined) return undefined
    const { name, region, creator } = token
    if (await sql.select({ id: edges.id }).from(edges).where(active(name)).get()) throw conflict(`There is an edge ${name} already.`)
    const edge = await sql
      .insert(edges)
      .values({ id, name, region, url, publicJwk, version, status: 'active', enrolledAt: now, stats: {} })
      .returning()
      .get()
    await tell(db, connection, { actor: creator, kind: 'edge.enrolled', subject: id, detail: { name, region } })
    return edge
  })
}

/** Revoked ones too. */
export function findEdgeById(db: Database, id: string): Promise<Edge | undefined> {
  return db.read.prepared(reads).byId.get({ id })
}

/** The active one of this name. */
export function findEdgeByName(db: Database, name: string): Promise<Edge | undefined> {
  return db.read.sql.select().from(edges).where(active(name)).get()
}

/** In the order of their names and ids, after `last` (an edge of the page before). */
export function listEdges(
  db: Database,
  {
    limit,
    last,
    revoked = false,
  }: { readonly limit: number; readonly last?: Pick<Edge, 'name' | 'id'> | undefined; readonly revoked?: boolean | undefined },
): Promise<Edge[]> {
  return db.read.sql
    .select()
    .from(edges)
    .where(and(revoked ? undefined : isNull(edges.revokedAt), last && raw`(${edges.name}, ${edges.id}) > (${last.name}, ${last.id})`))
    .orderBy(asc(edges.name), asc(edges.id))
    .limit(limit)
}

/** False: there is none, or it is revoked already. */
export async function revokeEdge(db: Database, id: string, actor: string): Promise<boolean> {
  return await db.write(async (connection) => {
    const rows = await connection.sql
      .update(edges)
      .set({ status: 'revoked', revokedAt: db.clock.now() })
      .where(and(eq(edges.id, id), isNull(edges.revokedAt)))
      .returning({ name: edges.name })
    const [edge] = rows
    if (edge === undefined) return false
    await tell(db, connection, { actor, kind: 'edge.revoked', subject: id, detail: { name: edge.name } })
    return true
  })
}

/** Has nobody sent to an edge any more, or again. False: there is no such edge, or it is revoked. */
export async function drainEdge(db: Database, id: string, drained: boolean, actor: string): Promise<boolean> {
  return await db.write(async (connection) => {
    const here = and(eq(edges.id, id), isNull(edges.revokedAt))
    const edge = await connection.sql.select().from(edges).where(here).get()
    if (edge === undefined) return false
    if ((edge.drainedAt !== null) === drained) return true
    await connection.sql
      .update(edges)
      .set({ drainedAt: drained ? db.clock.now() : null })
      .where(here)
    await tell(db, connection, { actor, kind: drained ? 'edge.drained' : 'edge.undrained', subject: id, detail: { name: edge.name } })
    return true
  })
}

export interface EdgeSighting {
  readonly version?: string | undefined
  /** The last change it has taken in. */
  readonly cursor?: number | undefined
  readonly stats?: EdgeStats | undefined
  /** Where it says that clients reach it. */
  readonly url?: string | undefined
}

/** Keeps that an edge was heard of now, and what it said. Not in the feed, where nothing depends on it: only that it has moved. */
export async function noteEdge(db: Database, id: string, { version, cursor, stats, url }: EdgeSighting): Promise<void> {
  const seen = {
    lastSeenAt: db.clock.now(),
    ...(version !== undefined && { version }),
    ...(cursor !== undefined && { cursor }),
    ...(stats && { stats }),
  }
  await db.write(async (connection) => {
    const { sql } = connection
    await sql.update(edges).set(seen).where(eq(edges.id, id))
    if (url === undefined) return
    const moved = await sql
      .update(edges)
      .set({ url })
      .where(and(eq(edges.id, id), ne(edges.url, url)))
      .returning({ name: edges.name })
    for (const { name } of moved) await tell(db, connection, { actor: 'system', kind: 'edge.moved', subject: id, detail: { name, url } })
  })
}

const active = (name: string) => and(eq(edges.name, name), isNull(edges.revokedAt))

/** Forgets tokens that nobody could use since `before`, at most `limit`; resolves with how many. */
export async function forgetEnrolmentTokensBefore(db: Database, before: number, limit: number): Promise<number> {
  return await db.write(async ({ sql }) => {
    const old = sql.select({ hash: edgeEnrolmentTokens.hash }).from(edgeEnrolmentTokens).where(lt(edgeEnrolmentTokens.expiresAt, before)).limit(limit)
    return (await sql.delete(edgeEnrolmentTokens).where(inArray(edgeEnrolmentTokens.hash, old)).returning({ hash: edgeEnrolmentTokens.hash })).length
  })
}

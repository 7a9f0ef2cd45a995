import { and, asc, eq, isNull } from 'drizzle-orm'
import { tell } from './changes.ts'
import type { WriteConnection } from './connection.ts'
import type { Database } from './database.ts'
import { signingKeys } from './tables/mesh.ts'

/** One of the origin's keys. `sealedPrivate` is opaque here; `retiredAt` null: it signs. */
export type SigningKeyRow = typeof signingKeys.$inferSelect

export type NewSigningKey = Pick<SigningKeyRow, 'kid' | 'algorithm' | 'publicJwk' | 'sealedPrivate'>

export async function addSigningKey(db: Database, key: NewSigningKey, actor: string): Promise<void> {
  await db.write((connection) => add(db, connection, key, actor))
}

/**
 * Adds the key if none signs yet that was made after `since` (milliseconds since the epoch), and gives those that sign then: of several
 * processes that want a new one at once, all get the same.
 */
export async function settleSigningKey(db: Database, key: NewSigningKey, since = Number.MIN_SAFE_INTEGER): Promise<SigningKeyRow[]> {
  return await db.write(async (connection) => {
    const { sql } = connection
    const signing = () => sql.select().from(signingKeys).where(isNull(signingKeys.retiredAt)).orderBy(asc(signingKeys.createdAt))
    const held = await signing()
    if (held.some(({ createdAt }) => createdAt > since)) return held
    await add(db, connection, key, 'system')
    return await signing()
  })
}

async function add(db: Database, connection: WriteConnection, key: NewSigningKey, actor: string): Promise<void> {
  await connection.sql.insert(signingKeys).values({ ...key, createdAt: db.clock.now() })
  await tell(db, connection, { actor, kind: 'key.created', subject: key.kid })
}

/** Oldest first, retired ones too: what they signed is good until they are dropped. */
export function listSigningKeys(db: Database): Promise<SigningKeyRow[]> {
  return db.read.sql.select().from(signingKeys).orderBy(asc(signingKeys.createdAt), asc(signingKeys.kid))
}

/** It signs nothing more. False: there is none, or it is retired already. */
export async function retireSigningKey(db: Database, kid: string, actor: string): Promise<boolean> {
  return await db.write(async (connection) => {
    const rows = await connection.sql
      .update(signingKeys)
      .set({ retiredAt: db.clock.now() })
      .where(and(eq(signingKeys.kid, kid), isNull(signingKeys.retiredAt)))
      .returning({ kid: signingKeys.kid })
    if (rows.length > 0) await tell(db, connection, { actor, kind: 'key.retired', subject: kid })
    return rows.length > 0
  })
}

/** What it signed is no longer good. False: there is none. */
export async function dropSigningKey(db: Database, kid: string, actor: string): Promise<boolean> {
  return await db.write(async (connection) => {
    const rows = await connection.sql.delete(signingKeys).where(eq(signingKeys.kid, kid)).returning({ kid: signingKeys.kid })
    if (rows.length > 0) await tell(db, connection, { actor, kind: 'key.deleted', subject: kid })
    return rows.length > 0
  })
}

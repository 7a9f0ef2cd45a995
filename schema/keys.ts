import { and, asc, eq, isNull } from 'drizzle-orm'
import { tell } from './changes.ts'
import type { Database } from './database.ts'
import { signingKeys } from './tables/mesh.ts'

/** One of the origin's keys. `sealedPrivate` is opaque here; `retiredAt` null: it signs. */
export type SigningKeyRow = typeof signingKeys.$inferSelect

export type NewSigningKey = Pick<SigningKeyRow, 'kid' | 'algorithm' | 'publicJwk' | 'sealedPrivate'>

export async function addSigningKey(db: Database, key: NewSigningKey, actor: string): Promise<void> {
  await db.write(async (connection) => {
    await connection.sql.insert(signingKeys).values({ ...key, createdAt: db.clock.now() })
    await tell(db, connection, { actor, kind: 'key.created', subject: key.kid })
  })
}

/** Adds the key if none signs yet, and gives those that sign then: of several processes that start at once, all get the same. */
export async function settleSigningKey(db: Database, key: NewSigningKey): Promise<SigningKeyRow[]> {
  return await db.write(async (connection) => {
    const { sql } = connection
    const signing = () => sql.select().from(signingKeys).where(isNull(signingKeys.retiredAt)).orderBy(asc(signingKeys.createdAt))
    const held = await signing()
    if (held.length > 0) return held
    await sql.insert(signingKeys).values({ ...key, createdAt: db.clock.now() })
    await tell(db, connection, { actor: 'system', kind: 'key.created', subject: key.kid })
    return await signing()
  })
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

/** What it signed is no longer good. */
export async function dropSigningKey(db: Database, kid: string): Promise<void> {
  await db.write(({ sql }) => sql.delete(signingKeys).where(eq(signingKeys.kid, kid)))
}

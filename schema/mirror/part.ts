import { isNull } from 'drizzle-orm'
import { tellAll } from '../changes.ts'
import type { Database } from '../database.ts'
import type { NewSigningKey } from '../keys.ts'
import { edges, signingKeys } from '../tables/mesh.ts'
import { stopCapture } from './capture.ts'
import { clearLog } from './log.ts'
import { putPair, type SitePair } from './pair.ts'
import { checkReferences } from './promote.ts'

/**
 * Ends the pair for this site, in one transaction. `key`: it leaves the tokens and the edges to the other site, and signs with this from here on.
 * @throws RegistryError UNAVAILABLE when what came from the other does not hold together
 */
export async function partPair(
  db: Database,
  pair: SitePair,
  { actor, other, key }: { readonly actor: string; readonly other: string; readonly key: NewSigningKey | undefined },
): Promise<void> {
  await checkReferences(db)
  await db.writeLocal(async (connection) => {
    const now = db.clock.now()
    const { sql } = connection
    await stopCapture(connection)
    await clearLog(connection)
    await putPair(connection, pair, now, 0)
    await tellAll(db, connection, [{ actor, kind: 'site.parted', subject: other }])
    if (key === undefined) return
    const left = await sql.delete(signingKeys).returning({ kid: signingKeys.kid })
    await sql.insert(signingKeys).values({ ...key, createdAt: now })
    const gone = await sql
      .update(edges)
      .set({ status: 'revoked', revokedAt: now })
      .where(isNull(edges.revokedAt))
      .returning({ id: edges.id, name: edges.name })
    await tellAll(db, connection, [
      ...left.map(({ kid }) => ({ actor, kind: 'key.deleted' as const, subject: kid })),
      { actor, kind: 'key.created', subject: key.kid },
      ...gone.map(({ id, name }) => ({ actor, kind: 'edge.revoked' as const, subject: id, detail: { name } })),
    ])
  })
}

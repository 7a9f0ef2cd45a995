import { sql as raw } from 'drizzle-orm'
import { tell } from '../changes.ts'
import type { Database } from '../database.ts'
import { unavailable } from '../errors.ts'
import { putPair, type SitePair } from './pair.ts'

/** Takes over: from here on this database is written. In the feed and in the audit log it is the first thing that this site has to say. */
export async function promotePair(
  db: Database,
  pair: SitePair,
  { actor, detail }: { readonly actor: string; readonly detail: Readonly<Record<string, unknown>> },
): Promise<void> {
  await checkReferences(db)
  await db.writeLocal(async (connection) => {
    await putPair(connection, pair, db.clock.now(), 0)
    await tell(db, connection, { actor, kind: 'site.promoted', subject: pair.self.name, detail })
  })
}

/** What comes from a primary row by row must hold together before it is anybody's own. @throws RegistryError UNAVAILABLE when it does not */
export async function checkReferences(db: Database): Promise<void> {
  const dangling = await db.read.sql.all<{ table: string }>(raw`PRAGMA foreign_key_check`)
  if (dangling.length > 0) {
    throw unavailable(
      `What came from the primary does not hold together (${dangling.length} references, the first in ${dangling[0]?.table}). Have this site rejoin.`,
    )
  }
}

/** From here on this site has another. */
export async function announcePair(db: Database, pair: SitePair): Promise<void> {
  await db.writeLocal(async (connection) => {
    await putPair(connection, pair, db.clock.now())
    await tell(db, connection, { actor: 'system', kind: 'site.paired', subject: pair.peer?.name ?? '', detail: { url: pair.peer?.url } })
  })
}

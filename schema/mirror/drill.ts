import { pathToFileURL } from 'node:url'
import { createClient } from '@libsql/client/sqlite3'
import { sql as raw } from 'drizzle-orm'
import type { Digest } from '../../registry/spec/digests.ts'
import type { RepositoryName, Tag } from '../../registry/spec/names.ts'
import { Connection } from '../connection.ts'
import type { Database } from '../database.ts'
import { sitePair } from '../tables/sites.ts'

/** A copy of the database as it is at this moment, in a file of its own, for a site that stands alone: it talks to nobody. */
export async function copyForDrill(db: Pick<Database, 'read'>, path: string): Promise<void> {
  await db.read.sql.run(raw`VACUUM INTO ${path}`)
  const client = createClient({ url: pathToFileURL(path).href })
  try {
    const { sql } = new Connection(client)
    const row = await sql.select({ pair: sitePair.pair }).from(sitePair).get()
    if (row !== undefined)
      await sql.update(sitePair).set({ pair: { ...row.pair, role: 'primary', peer: undefined, mirroring: false, guarded: false } })
  } finally {
    client.close()
  }
}

/** Some tags, by chance. */
export async function sampleTags(
  db: Pick<Database, 'read'>,
  limit: number,
): Promise<readonly { readonly repository: RepositoryName; readonly tag: Tag; readonly digest: Digest }[]> {
  return await db.read.sql.all(
    raw`SELECT r.name AS repository, t.name AS tag, t.digest FROM tags t JOIN repositories r ON r.id = t.repository_id
      WHERE t.id IN (SELECT id FROM tags ORDER BY random() LIMIT ${limit})`,
  )
}

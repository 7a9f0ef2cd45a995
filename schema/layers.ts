import { and, desc, eq, inArray, ne } from 'drizzle-orm'
import type { LibSQLDatabase } from 'drizzle-orm/libsql'
import type { Digest } from '../registry/spec/digests.ts'
import type { RepositoryName } from '../registry/spec/names.ts'
import type { Database } from './database.ts'
import { manifestReferences, manifests, repositories } from './tables/repositories.ts'

/** How many of a repository's last manifests are looked at: the platforms of a few images. */
const MANIFESTS = 32
/** Layers of one image that differ more in size than so many times have little in common. */
const SIZE_RATIO = 4

/**
 * Blobs of the repository's last manifests that may have most of their bytes in common with this one, at most `limit`: those whose size is
 * nearest, of the same size the latest.
 */
export async function layersLike(
  db: Database,
  name: RepositoryName,
  { digest, size }: { readonly digest: Digest; readonly size: number },
  limit: number,
): Promise<readonly { readonly digest: Digest; readonly size: number }[]> {
  const { sql } = db.read
  const repository = await sql.select({ id: repositories.id }).from(repositories).where(eq(repositories.name, name)).get()
  if (repository === undefined) return []
  // Those that stand by themselves and those that do not, each by their index: together they would all be read and sorted.
  const latest = (await Promise.all([true, false].map((top) => latestOf(sql, repository.id, top)))).flat()
  latest.sort((a, b) => b.pushedAt - a.pushedAt || b.id - a.id)
  const ids = latest.slice(0, MANIFESTS).map(({ id }) => id)
  const layers = await sql
    .select({ manifestId: manifestReferences.manifestId, digest: manifestReferences.digest, size: manifestReferences.size })
    .from(manifestReferences)
    .where(and(inArray(manifestReferences.manifestId, ids), eq(manifestReferences.kind, 'blob'), ne(manifestReferences.digest, digest)))
  const distance = (layer: { readonly size: number }) => Math.abs(Math.log(layer.size / size))
  const near = layers
    .filter((layer) => layer.size > 0 && distance(layer) <= Math.log(SIZE_RATIO))
    .sort((one, other) => distance(one) - distance(other) || ids.indexOf(one.manifestId) - ids.indexOf(other.manifestId))
  const sizes = new Map(near.map((layer) => [layer.digest, layer.size]))
  return [...sizes].slice(0, limit).map(([digest, size]) => ({ digest, size }))
}

function latestOf(sql: LibSQLDatabase, repositoryId: number, top: boolean) {
  return sql
    .select({ id: manifests.id, pushedAt: manifests.pushedAt })
    .from(manifests)
    .where(and(eq(manifests.repositoryId, repositoryId), eq(manifests.top, top)))
    .orderBy(desc(manifests.pushedAt))
    .limit(MANIFESTS)
}

import { sql as raw } from 'drizzle-orm'
import type { Digest } from '../../registry/spec/digests.ts'
import type { Connection, WriteConnection } from '../connection.ts'
import { valuesOf } from '../values.ts'
import type { ManifestRow } from './manifests.ts'
import type { RepositoryRow } from './repositories.ts'
import { digestsBeside } from './standing.ts'

// What is there for another artifact alone, and goes with it.

export interface FoundManifest extends ManifestRow {
  readonly tagged: number
  /** The indexes that name it. */
  readonly parents: readonly Digest[]
}

/**
 * These artifacts, and all that is there for them alone: what is signed or said about them, and of indexes the children that have no tag and that
 * no index names which stays.
 */
export async function withDependents<T extends FoundManifest>(
  connection: WriteConnection,
  repository: RepositoryRow,
  roots: readonly T[],
): Promise<readonly (T | FoundManifest)[]> {
  const going = new Map<Digest, T | FoundManifest>(roots.map((root) => [root.digest, root]))
  // What is there for one that goes may have its own.
  for (let last: readonly FoundManifest[] = roots; last.length > 0; ) {
    const before = going.size
    const about = await findManifests(connection, repository, await digestsAbout(connection, repository, last))
    for (const one of about) if (one.parents.length === 0 && !going.has(one.digest)) going.set(one.digest, one)
    // A child of several that go is looked at with each of them.
    for (const child of await findManifests(connection, repository, await childrenOf(connection, last)))
      if (child.tagged === 0 && !going.has(child.digest) && child.parents.every((parent) => going.has(parent))) going.set(child.digest, child)
    last = [...going.values()].slice(before)
  }
  return [...going.values()]
}

export async function findManifests({ sql }: Connection, { id }: RepositoryRow, digests: readonly Digest[]): Promise<readonly FoundManifest[]> {
  if (digests.length === 0) return []
  const rows = await sql.all<Omit<FoundManifest, 'parents'> & { parents: string }>(
    raw`SELECT m.id, m.digest, m.size, EXISTS (SELECT 1 FROM tags t WHERE t.repository_id = m.repository_id AND t.digest = m.digest) AS tagged,
        (SELECT json_group_array(i.digest) FROM manifest_references p JOIN manifests i ON i.id = p.manifest_id
          WHERE p.repository_id = m.repository_id AND p.digest = m.digest AND p.kind = 'manifest') AS parents
      FROM manifests m WHERE m.repository_id = ${id} AND m.digest IN ${valuesOf(digests)} ORDER BY m.id`,
  )
  return rows.map(({ parents, ...row }) => ({ ...row, parents: JSON.parse(parents) as Digest[] }))
}

/** Signatures, SBOMs and the like: those that name one of these as their subject, and those that a tag sets beside it. */
async function digestsAbout(connection: WriteConnection, { id }: RepositoryRow, list: readonly ManifestRow[]): Promise<readonly Digest[]> {
  const digests = list.map(({ digest }) => digest)
  const referring = await connection.sql.all<{ digest: Digest }>(
    raw`SELECT digest FROM manifests WHERE repository_id = ${id} AND subject IS NOT NULL AND subject IN ${valuesOf(digests)}`,
  )
  return [...new Set([...referring.map((row) => row.digest), ...(await digestsBeside(connection, id, digests))])]
}

async function childrenOf({ sql }: WriteConnection, list: readonly ManifestRow[]): Promise<readonly Digest[]> {
  const rows = await sql.all<{ digest: Digest }>(
    raw`SELECT DISTINCT digest FROM manifest_references
      WHERE manifest_id IN ${valuesOf(list.map(({ id }) => id))} AND kind = 'manifest'`,
  )
  return rows.map((row) => row.digest)
}

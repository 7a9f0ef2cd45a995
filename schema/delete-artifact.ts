import { sql as raw } from 'drizzle-orm'
import type { Actor } from '../registry/metadata-store.ts'
import type { Digest } from '../registry/spec/digests.ts'
import type { RepositoryName } from '../registry/spec/names.ts'
import { tellAll } from './changes.ts'
import type { WriteConnection } from './connection.ts'
import type { Database } from './database.ts'
import { refuseImmutableAbove } from './immutable-rules.ts'
import { type ManifestRow, removeManifests, touch } from './metadata/manifests.ts'
import { findRepository, type RepositoryRow } from './metadata/repositories.ts'
import { digestsBeside } from './metadata/standing.ts'
import { removeTagsOf } from './metadata/tags.ts'

/** `named`: an index that names it, which it would break to delete it. */
export type Deletion = 'deleted' | 'unknown' | { readonly named: Digest }

/**
 * Deletes an artifact with all that is there for it alone: its tags, what is signed or said about it, and of an index the children that have no
 * tag and that no other index names. @throws RegistryError DENIED (412) for a tag that may not go
 */
export function deleteArtifact(db: Database, name: RepositoryName, digest: Digest, actor: Actor): Promise<Deletion> {
  return db.write(async (connection): Promise<Deletion> => {
    const repository = await findRepository(connection, name)
    const root = repository && (await find(connection, repository, [digest]))[0]
    if (repository === undefined || root === undefined) return 'unknown'
    const [named] = root.parents
    if (named !== undefined) return { named }
    await refuseImmutableAbove(connection, repository, digest)
    const going = await withDependents(connection, repository, root)
    const { projectId } = repository
    for (const { digest: gone } of going) {
      const tags = await removeTagsOf(db, connection, repository, gone)
      const deleted = (tag: string) => ({ kind: 'tag.deleted' as const, subject: `${name}:${tag}`, before: gone, audit: 'silent' as const })
      await tellAll(
        db,
        connection,
        tags.map((tag) => ({ ...deleted(tag), actor, projectId })),
      )
    }
    await removeManifests(db, connection, repository, going, actor)
    await touch(db, connection, repository.id)
    return 'deleted'
  })
}

interface Found extends ManifestRow {
  readonly tagged: number
  /** The indexes that name it. */
  readonly parents: readonly Digest[]
}

async function withDependents(connection: WriteConnection, repository: RepositoryRow, root: Found): Promise<readonly ManifestRow[]> {
  const going = new Map<Digest, Found>([[root.digest, root]])
  // Grows while it is walked: what is there for one that goes may have its own.
  for (const { id, digest } of going.values()) {
    const about = await find(connection, repository, [...(await digestsAbout(connection, repository, digest))])
    for (const one of about) if (one.parents.length === 0) going.set(one.digest, one)
    // A child of two that go is looked at with each of them.
    for (const child of await find(connection, repository, await childrenOf(connection, id)))
      if (child.tagged === 0 && child.parents.every((parent) => going.has(parent))) going.set(child.digest, child)
  }
  return [...going.values()]
}

async function find({ sql }: WriteConnection, { id }: RepositoryRow, digests: readonly Digest[]): Promise<readonly Found[]> {
  if (digests.length === 0) return []
  const rows = await sql.all<Omit<Found, 'parents'> & { parents: string }>(
    raw`SELECT m.id, m.digest, m.size, EXISTS (SELECT 1 FROM tags t WHERE t.repository_id = m.repository_id AND t.digest = m.digest) AS tagged,
        (SELECT json_group_array(i.digest) FROM manifest_references p JOIN manifests i ON i.id = p.manifest_id
          WHERE p.repository_id = m.repository_id AND p.digest = m.digest AND p.kind = 'manifest') AS parents
      FROM manifests m WHERE m.repository_id = ${id} AND m.digest IN (SELECT value FROM json_each(${JSON.stringify(digests)})) ORDER BY m.id`,
  )
  return rows.map(({ parents, ...row }) => ({ ...row, parents: JSON.parse(parents) as Digest[] }))
}

/** Signatures, SBOMs and the like: those that name it as their subject, and those that a tag sets beside it. */
async function digestsAbout(connection: WriteConnection, { id }: RepositoryRow, digest: Digest): Promise<ReadonlySet<Digest>> {
  const referring = await connection.sql.all<{ digest: Digest }>(
    raw`SELECT digest FROM manifests WHERE repository_id = ${id} AND subject = ${digest}`,
  )
  return new Set([...referring.map((row) => row.digest), ...(await digestsBeside(connection, id, [digest]))])
}

async function childrenOf({ sql }: WriteConnection, id: number): Promise<readonly Digest[]> {
  const rows = await sql.all<{ digest: Digest }>(raw`SELECT digest FROM manifest_references WHERE manifest_id = ${id} AND kind = 'manifest'`)
  return rows.map((row) => row.digest)
}

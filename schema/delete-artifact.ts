import type { Actor } from '../registry/metadata-store.ts'
import type { Digest } from '../registry/spec/digests.ts'
import type { RepositoryName } from '../registry/spec/names.ts'
import { tellAll } from './changes.ts'
import type { Database } from './database.ts'
import { refuseImmutableAbove } from './immutable-rules.ts'
import { findManifests, withDependents } from './metadata/dependents.ts'
import { type GoingManifest, removeManifests, touch } from './metadata/manifests.ts'
import { findRepository } from './metadata/repositories.ts'
import { removeTagsOf } from './metadata/tags.ts'

/** `named`: an index that names it, which it would break to delete it. */
export type Deletion = 'deleted' | 'unknown' | { readonly named: Digest }

/**
 * Deletes an artifact with all that is there for it alone: its tags, what is signed or said about it, and of an index the children that have no
 * tag and that no other index names. `evenNamed`: also one that an index names, as /v2 has it. @throws RegistryError DENIED (412) for a tag that may not go
 */
export function deleteArtifact(db: Database, name: RepositoryName, digest: Digest, actor: Actor, evenNamed = false): Promise<Deletion> {
  return db.write(async (connection): Promise<Deletion> => {
    const repository = await findRepository(connection, name)
    const root = repository && (await findManifests(connection, repository, [digest]))[0]
    if (repository === undefined || root === undefined) return 'unknown'
    const [named] = root.parents
    if (named !== undefined && !evenNamed) return { named }
    await refuseImmutableAbove(connection, repository, digest)
    const going = await withDependents(connection, repository, [root])
    const { projectId } = repository
    const untagged: GoingManifest[] = []
    for (const one of going) {
      const { digest: gone } = one
      const tags = await removeTagsOf(db, connection, repository, gone)
      untagged.push({ ...one, tags, besides: gone !== digest })
      const deleted = (tag: string) => ({ kind: 'tag.deleted' as const, subject: `${name}:${tag}`, before: gone, audit: 'silent' as const })
      await tellAll(
        db,
        connection,
        tags.map((tag) => ({ ...deleted(tag), actor, projectId })),
      )
    }
    await removeManifests(db, connection, repository, untagged, actor)
    await touch(db, connection, repository.id)
    return 'deleted'
  })
}

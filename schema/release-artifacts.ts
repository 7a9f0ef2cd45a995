import { and, eq, sql as raw } from 'drizzle-orm'
import type { Digest } from '../registry/spec/digests.ts'
import type { RepositoryName, Tag } from '../registry/spec/names.ts'
import { tellAll } from './changes.ts'
import type { Database } from './database.ts'
import { immutability } from './immutable-rules.ts'
import { removeManifest } from './metadata/manifests.ts'
import { findRepository } from './metadata/repositories.ts'
import { standAfterTags, tagAgain } from './metadata/standing.ts'
import { manifests, tags } from './tables/repositories.ts'

/** An artifact as somebody saw it who decided that it may go. */
export interface SeenArtifact {
  readonly digest: Digest
  readonly tags: readonly Tag[]
}

/** What became of it: gone; or only its tags are, since an index needs it; or kept, since its tags are not what they were, or may not go. */
export type Outcome = 'deleted' | 'untagged' | 'changed' | 'immutable'

/** Takes artifacts away that are still as they were seen, in one transaction. Resolves with what became of each. */
export function releaseArtifacts(db: Database, name: RepositoryName, seen: readonly SeenArtifact[], actor: string): Promise<Map<Digest, Outcome>> {
  return db.write(async (connection) => {
    const { sql } = connection
    const outcomes = new Map<Digest, Outcome>()
    const repository = await findRepository(connection, name)
    if (repository === undefined) return outcomes
    const { id: repositoryId, projectId } = repository
    const isImmutable = await immutability(connection, repository)
    for (const { digest, tags: before } of seen) {
      const manifest = await sql
        .select({ id: manifests.id, size: manifests.size })
        .from(manifests)
        .where(and(eq(manifests.repositoryId, repositoryId), eq(manifests.digest, digest)))
        .get()
      if (manifest === undefined) continue
      const ofDigest = and(eq(tags.repositoryId, repositoryId), eq(tags.digest, digest))
      const now = (await sql.select({ name: tags.name }).from(tags).where(ofDigest)).map((tag) => tag.name)
      if (now.length !== before.length || now.some((tag) => !before.includes(tag))) {
        outcomes.set(digest, 'changed')
        continue
      }
      if (isImmutable !== undefined && now.some(isImmutable)) {
        outcomes.set(digest, 'immutable')
        continue
      }
      await sql.delete(tags).where(ofDigest)
      await tagAgain(connection, repositoryId, [digest])
      await standAfterTags(connection, repositoryId, now, [digest])
      await tellAll(
        db,
        connection,
        now.map((tag) => ({ actor, kind: 'tag.deleted' as const, subject: `${name}:${tag}`, projectId, before: digest, audit: 'silent' as const })),
      )
      const [part] = await sql.all(
        raw`SELECT 1 FROM manifest_references p WHERE p.repository_id = ${repositoryId} AND p.digest = ${digest} AND p.kind = 'manifest' LIMIT 1`,
      )
      if (part === undefined) await removeManifest(db, connection, repository, { ...manifest, digest }, actor)
      outcomes.set(digest, part === undefined ? 'deleted' : 'untagged')
    }
    return outcomes
  })
}

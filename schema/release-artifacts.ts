import { sql as raw } from 'drizzle-orm'
import type { Digest } from '../registry/spec/digests.ts'
import type { RepositoryName, Tag } from '../registry/spec/names.ts'
import { tellAll } from './changes.ts'
import type { Connection, WriteConnection } from './connection.ts'
import type { Database } from './database.ts'
import { immutability } from './immutable-rules.ts'
import { type FoundManifest, findManifests, withDependents } from './metadata/dependents.ts'
import { removeManifests } from './metadata/manifests.ts'
import { findRepository, type RepositoryRow } from './metadata/repositories.ts'
import { standAfterTags, tagAgain } from './metadata/standing.ts'
import { buryTags } from './metadata/tombstones.ts'
import { valuesOf } from './values.ts'

/** An artifact as somebody saw it who decided that it may go. */
export interface SeenArtifact {
  readonly digest: Digest
  readonly tags: readonly Tag[]
}

/** What became of it: gone; or only its tags are, since an index needs it; or kept, since its tags are not what they were, or may not go. */
export type Outcome = 'deleted' | 'untagged' | 'changed' | 'immutable'

/**
 * Takes artifacts away that are still as they were seen, with all that is there for them alone, in one transaction, by sets: everybody else's writes
 * wait meanwhile. Resolves with what became of each.
 */
export function releaseArtifacts(db: Database, name: RepositoryName, seen: readonly SeenArtifact[], actor: string): Promise<Map<Digest, Outcome>> {
  return db.write(async (connection) => {
    const repository = await findRepository(connection, name)
    if (repository === undefined) return new Map<Digest, Outcome>()
    const { id: repositoryId } = repository
    const { going, deleted, outcomes } = await judge(connection, repository, seen)
    await removeTags(db, connection, repository, going, actor)
    const untagged = going.filter((row) => !deleted.has(row))
    await tagAgain(
      connection,
      repositoryId,
      untagged.map(({ digest }) => digest),
    )
    await standAfterTags(
      connection,
      repositoryId,
      untagged.flatMap(({ tags }) => tags),
      untagged.map(({ digest }) => digest),
    )
    const all = await withDependents(connection, repository, [...deleted])
    const beside = await tagsOf(connection, repositoryId, all.slice(deleted.size))
    await removeTags(db, connection, repository, beside, actor)
    const tagsBefore = new Map([...going, ...beside].map(({ digest, tags }) => [digest, tags]))
    const gone = all.map((one, at) => ({ ...one, tags: tagsBefore.get(one.digest) ?? [], besides: at >= deleted.size }))
    await removeManifests(db, connection, repository, gone, actor)
    return outcomes
  })
}

/** What `releaseArtifacts` would do, and does not. */
export async function foreseeRelease(db: Database, name: RepositoryName, seen: readonly SeenArtifact[]): Promise<ReadonlyMap<Digest, Outcome>> {
  const repository = await findRepository(db.read, name)
  return repository === undefined ? new Map() : (await judge(db.read, repository, seen)).outcomes
}

/** Which of them may go, of those which go altogether, and what becomes of each. */
async function judge(connection: Connection, repository: RepositoryRow, seen: readonly SeenArtifact[]) {
  const outcomes = new Map<Digest, Outcome>()
  const isImmutable = await immutability(connection, repository)
  const rows = await findManifests(
    connection,
    repository,
    seen.map(({ digest }) => digest),
  )
  const there = new Map((await tagsOf(connection, repository.id, rows)).map(({ digest, tags }) => [digest, tags]))
  const before = new Map(seen.map((each) => [each.digest, each.tags]))
  const going = rows.flatMap((row) => {
    const now = there.get(row.digest) ?? []
    const known = before.get(row.digest) ?? []
    const changed = now.length !== known.length || now.some((tag) => !known.includes(tag))
    const outcome = changed ? 'changed' : isImmutable !== undefined && now.some(isImmutable) ? 'immutable' : undefined
    if (outcome === undefined) return [{ ...row, tags: now }]
    outcomes.set(row.digest, outcome)
    return []
  })
  const deleted = withoutParts(going)
  for (const row of going) outcomes.set(row.digest, deleted.has(row) ? 'deleted' : 'untagged')
  return { going, deleted, outcomes }
}

/** Those of them that no index names that stays. */
function withoutParts<T extends FoundManifest>(going: readonly T[]): ReadonlySet<T> {
  const deleted = new Map(going.map((row) => [row.digest, row]))
  for (let before = -1; before !== deleted.size; ) {
    before = deleted.size
    for (const { digest, parents } of deleted.values()) if (parents.some((parent) => !deleted.has(parent))) deleted.delete(digest)
  }
  return new Set(deleted.values())
}

async function tagsOf(
  { sql }: Connection,
  repositoryId: number,
  list: readonly FoundManifest[],
): Promise<readonly { readonly digest: Digest; readonly tags: readonly Tag[] }[]> {
  const digests = list.filter(({ tagged }) => tagged > 0).map(({ digest }) => digest)
  if (digests.length === 0) return []
  const rows = await sql.all<{ digest: Digest; tags: string }>(
    raw`SELECT digest, json_group_array(name) AS tags FROM tags WHERE repository_id = ${repositoryId} AND digest IN ${valuesOf(digests)} GROUP BY digest`,
  )
  return rows.map(({ digest, tags }) => ({ digest, tags: JSON.parse(tags) as Tag[] }))
}

async function removeTags(
  db: Database,
  connection: WriteConnection,
  repository: RepositoryRow,
  list: readonly { readonly digest: Digest; readonly tags: readonly Tag[] }[],
  actor: string,
): Promise<void> {
  const { id: repositoryId, projectId, name } = repository
  await buryTags(
    db,
    connection,
    repository,
    list.map(({ digest }) => digest),
  )
  await connection.sql.run(raw`DELETE FROM tags WHERE repository_id = ${repositoryId} AND digest IN ${valuesOf(list.map(({ digest }) => digest))}`)
  await tellAll(
    db,
    connection,
    list.flatMap(({ digest, tags }) =>
      tags.map((tag) => ({ actor, kind: 'tag.deleted' as const, subject: `${name}:${tag}`, projectId, before: digest, audit: 'silent' as const })),
    ),
  )
}

import { and, asc, eq, gt, sql as raw } from 'drizzle-orm'
import type { LibSQLDatabase } from 'drizzle-orm/libsql'
import type { Actor } from '../../registry/metadata-store.ts'
import type { Digest } from '../../registry/spec/digests.ts'
import type { RepositoryName, Tag } from '../../registry/spec/names.ts'
import type { Page, Slice } from '../../registry/spec/pages.ts'
import type { AuditEvent } from '../audit/events.ts'
import { tell } from '../changes.ts'
import type { WriteConnection } from '../connection.ts'
import type { Database } from '../database.ts'
import { refuseImmutable } from '../immutable-rules.ts'
import { manifests, repositories, tags } from '../tables/repositories.ts'
import { keyset, sliceOf } from './paging.ts'
import { findRepository, type RepositoryRow } from './repositories.ts'
import { standAfterTags, tagAgain } from './standing.ts'

const reads = (sql: LibSQLDatabase) => ({
  list: sql
    .select({ name: tags.name })
    .from(tags)
    .where(
      and(
        eq(
          tags.repositoryId,
          sql
            .select({ id: repositories.id })
            .from(repositories)
            .where(eq(repositories.name, raw.placeholder('name'))),
        ),
        gt(tags.name, raw.placeholder('last')),
      ),
    )
    .orderBy(asc(tags.name))
    .limit(raw.placeholder('limit'))
    .prepare(),
})

const writes = (sql: LibSQLDatabase) => ({
  aim: sql
    .select({ tagged: manifests.tagged, tag: { id: tags.id, digest: tags.digest } })
    .from(manifests)
    .leftJoin(tags, and(eq(tags.repositoryId, manifests.repositoryId), eq(tags.name, raw.placeholder('name'))))
    .where(and(eq(manifests.repositoryId, raw.placeholder('repositoryId')), eq(manifests.digest, raw.placeholder('digest'))))
    .prepare(),
  find: sql
    .select({ id: tags.id, digest: tags.digest })
    .from(tags)
    .where(and(eq(tags.repositoryId, raw.placeholder('repositoryId')), eq(tags.name, raw.placeholder('name'))))
    .prepare(),
  add: sql
    .insert(tags)
    .values({
      repositoryId: raw.placeholder('repositoryId'),
      name: raw.placeholder('name'),
      digest: raw.placeholder('digest'),
      pushedAt: raw.placeholder('pushedAt'),
    })
    .prepare(),
  move: sql
    .update(tags)
    .set({ digest: raw`${raw.placeholder('digest')}`, pushedAt: raw`${raw.placeholder('pushedAt')}`, pulledAt: null })
    .where(eq(tags.id, raw.placeholder('id')))
    .prepare(),
})

/** In the order of their bytes. */
export async function listTags(db: Database, name: RepositoryName, page: Page): Promise<Slice<Tag>> {
  const rows = await db.read.prepared(reads).list.all({ name, ...keyset(page) })
  return sliceOf(
    rows.map((row) => row.name),
    page,
  )
}

/** Points a tag at a manifest of the repository; false: it already did. @throws RegistryError DENIED (412) for one that may not move */
export async function setTag(
  db: Database,
  connection: WriteConnection,
  repository: RepositoryRow,
  name: Tag,
  digest: Digest,
  actor: Actor,
  audit?: AuditEvent,
): Promise<boolean> {
  const { aim, add, move } = connection.prepared(writes)
  const target = await aim.get({ repositoryId: repository.id, name, digest })
  const found = target?.tag ?? undefined
  if (found?.digest === digest) return false
  if (found !== undefined) await refuseImmutable(connection, repository, [name])
  const pushedAt = db.clock.now()
  if (found === undefined) await add.run({ repositoryId: repository.id, name, digest, pushedAt })
  else await move.run({ id: found.id, digest, pushedAt })
  const before = found === undefined ? [] : [found.digest]
  await tagAgain(connection, repository.id, target?.tagged === true ? before : [digest, ...before])
  await standAfterTags(connection, repository.id, [name], [digest, ...before])
  await tell(db, connection, {
    actor,
    kind: 'tag.set',
    subject: `${repository.name}:${name}`,
    projectId: repository.projectId,
    before: found?.digest,
    after: digest,
    audit,
  })
  return true
}

/** Removes every tag that points at a manifest and gives their names; the caller tells of it. @throws RegistryError DENIED (412) for one that may not go */
export async function removeTagsOf(connection: WriteConnection, repository: RepositoryRow, digest: Digest): Promise<Tag[]> {
  const rows = await connection.sql
    .delete(tags)
    .where(and(eq(tags.repositoryId, repository.id), eq(tags.digest, digest)))
    .returning({ name: tags.name })
  const names = rows.map((row) => row.name)
  if (names.length > 0) await refuseImmutable(connection, repository, names)
  return names
}

export function deleteTag(db: Database, name: RepositoryName, tag: Tag, actor: Actor): Promise<boolean> {
  return db.write(async (connection) => {
    const repository = await findRepository(connection, name)
    if (repository === undefined) return false
    const found = await connection.prepared(writes).find.get({ repositoryId: repository.id, name: tag })
    if (found === undefined) return false
    await refuseImmutable(connection, repository, [tag])
    await connection.sql.delete(tags).where(eq(tags.id, found.id))
    await tagAgain(connection, repository.id, [found.digest])
    await standAfterTags(connection, repository.id, [tag], [found.digest])
    await tell(db, connection, {
      actor,
      kind: 'tag.deleted',
      subject: `${name}:${tag}`,
      projectId: repository.projectId,
      before: found.digest,
    })
    return true
  })
}

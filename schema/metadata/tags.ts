import { and, asc, eq, gt, sql as raw } from 'drizzle-orm'
import type { LibSQLDatabase } from 'drizzle-orm/libsql'
import type { Actor } from '../../registry/metadata-store.ts'
import type { Digest } from '../../registry/spec/digests.ts'
import type { RepositoryName, Tag } from '../../registry/spec/names.ts'
import type { Page, Slice } from '../../registry/spec/pages.ts'
import { type HeldTag, nextVersion, viaText } from '../../registry/versions/version.ts'
import type { AuditEvent } from '../audit/events.ts'
import { tell } from '../changes.ts'
import type { Connection, WriteConnection } from '../connection.ts'
import type { Database } from '../database.ts'
import { refuseImmutable } from '../immutable-rules.ts'
import { manifests, repositories, tags } from '../tables/repositories.ts'
import { keyset, sliceOf } from './paging.ts'
import { findRepository, type RepositoryRow } from './repositories.ts'
import { standAfterTags, tagAgain } from './standing.ts'
import { columnsOf, dropTombstone, findTombstone, heldOf, putTombstone } from './tombstones.ts'

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
    .select({ tagged: manifests.tagged })
    .from(manifests)
    .where(and(eq(manifests.repositoryId, raw.placeholder('repositoryId')), eq(manifests.digest, raw.placeholder('digest'))))
    .prepare(),
  find: sql
    .select({ id: tags.id, digest: tags.digest, version: tags.version, context: tags.context, seen: tags.seen, via: tags.via })
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
      version: raw.placeholder('version'),
      context: raw.placeholder('context'),
      seen: raw.placeholder('seen'),
      via: raw.placeholder('via'),
    })
    .prepare(),
  move: sql
    .update(tags)
    .set({
      digest: raw`${raw.placeholder('digest')}`,
      pushedAt: raw`${raw.placeholder('pushedAt')}`,
      pulledAt: null,
      version: raw`${raw.placeholder('version')}`,
      context: raw`${raw.placeholder('context')}`,
      seen: raw`${raw.placeholder('seen')}`,
      via: raw`${raw.placeholder('via')}`,
    })
    .where(eq(tags.id, raw.placeholder('id')))
    .prepare(),
  /** The same artifact by another version, or with more that has been seen. */
  mark: sql
    .update(tags)
    .set({
      version: raw`${raw.placeholder('version')}`,
      context: raw`${raw.placeholder('context')}`,
      seen: raw`${raw.placeholder('seen')}`,
      via: raw`${raw.placeholder('via')}`,
    })
    .where(eq(tags.id, raw.placeholder('id')))
    .prepare(),
  remove: sql
    .delete(tags)
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

/** A tag as it is here: its row, or the tombstone that it left. */
export interface StandingTag extends HeldTag {
  /** Of the row of a tag that is there. */
  readonly id: number | undefined
}

/** undefined: nothing is known of it. `repository` undefined: it is not there, or not any more. */
export async function findStanding(
  connection: Connection,
  repository: RepositoryRow | undefined,
  name: RepositoryName,
  tag: Tag,
): Promise<StandingTag | undefined> {
  const row = repository && (await connection.prepared(writes).find.get({ repositoryId: repository.id, name: tag }))
  if (row !== undefined) return { ...heldOf(row), id: row.id, digest: row.digest }
  const tombstone = await findTombstone(connection, name, tag)
  return tombstone && { ...tombstone, id: undefined, digest: undefined }
}

/** Points a tag at a manifest of the repository, now; false: it already did. @throws RegistryError DENIED (412) for one that may not move */
export async function setTag(
  db: Database,
  connection: WriteConnection,
  repository: RepositoryRow,
  name: Tag,
  digest: Digest,
  actor: Actor,
  audit?: AuditEvent,
): Promise<boolean> {
  const standing = await findStanding(connection, repository, repository.name, name)
  if (standing?.digest === digest) return false
  const held = { version: nextVersion(standing, db.clock.now(), db.site), seen: [], digest }
  await placeTag(db, connection, repository, name, standing, held, actor, audit)
  return true
}

/** Makes a tag what another site says, or we: `held` has a digest. @throws RegistryError DENIED (412) for one that may not move */
export async function placeTag(
  db: Database,
  connection: WriteConnection,
  repository: RepositoryRow,
  name: Tag,
  standing: StandingTag | undefined,
  held: HeldTag & { readonly digest: Digest },
  actor: Actor,
  audit?: AuditEvent,
): Promise<void> {
  const { digest } = held
  const { aim, add, move } = connection.prepared(writes)
  const target = await aim.get({ repositoryId: repository.id, digest })
  const columns = { digest, pushedAt: db.clock.now(), ...columnsOf(held), via: viaText(held.version.via) }
  if (standing?.id === undefined) {
    await add.run({ repositoryId: repository.id, name, ...columns })
    if (standing !== undefined) await dropTombstone(connection, repository.name, name)
  } else {
    await refuseImmutable(connection, repository, [name])
    await move.run({ id: standing.id, ...columns })
  }
  const before = standing?.digest === undefined ? [] : [standing.digest]
  await tagAgain(connection, repository.id, target?.tagged === true ? before : [digest, ...before])
  await standAfterTags(connection, repository.id, [name], [digest, ...before])
  const subject = `${repository.name}:${name}`
  await tell(db, connection, { actor, kind: 'tag.set', subject, projectId: repository.projectId, before: standing?.digest, after: digest, audit })
}

/** Keeps what is known of a tag that stays as it is. */
export async function markTag(db: Database, connection: WriteConnection, name: RepositoryName, tag: Tag, held: StandingTag): Promise<void> {
  if (held.id === undefined) await putTombstone(db, connection, name, tag, held)
  else await connection.prepared(writes).mark.run({ id: held.id, ...columnsOf(held), via: viaText(held.version.via) })
}

/** Removes every tag that points at a manifest, now, and gives their names; the caller tells of it. @throws RegistryError DENIED (412) for one that may not go */
export async function removeTagsOf(db: Database, connection: WriteConnection, repository: RepositoryRow, digest: Digest): Promise<Tag[]> {
  const rows = await connection.sql
    .delete(tags)
    .where(and(eq(tags.repositoryId, repository.id), eq(tags.digest, digest)))
    .returning()
  const names = rows.map((row) => row.name)
  if (names.length > 0) await refuseImmutable(connection, repository, names)
  for (const row of rows) {
    const version = nextVersion({ ...heldOf(row), digest }, db.clock.now(), db.site)
    await putTombstone(db, connection, repository.name, row.name, { version, seen: [] })
  }
  return names
}

/** Now, here. */
export function deleteTag(db: Database, name: RepositoryName, tag: Tag, actor: Actor): Promise<boolean> {
  return db.write(async (connection) => {
    const repository = await findRepository(connection, name)
    const standing = repository && (await findStanding(connection, repository, name, tag))
    if (repository === undefined || standing?.id === undefined) return false
    await takeTag(db, connection, repository, tag, standing, { version: nextVersion(standing, db.clock.now(), db.site), seen: [] }, actor)
    return true
  })
}

/** Takes away a tag that is there and leaves its tombstone. @throws RegistryError DENIED (412) for one that may not go */
export async function takeTag(
  db: Database,
  connection: WriteConnection,
  repository: RepositoryRow,
  tag: Tag,
  standing: StandingTag,
  tombstone: Pick<HeldTag, 'version' | 'seen'>,
  actor: Actor,
): Promise<void> {
  await refuseImmutable(connection, repository, [tag])
  await connection.prepared(writes).remove.run({ id: standing.id })
  const gone = standing.digest === undefined ? [] : [standing.digest]
  await tagAgain(connection, repository.id, gone)
  await standAfterTags(connection, repository.id, [tag], gone)
  await putTombstone(db, connection, repository.name, tag, tombstone)
  const subject = `${repository.name}:${tag}`
  await tell(db, connection, { actor, kind: 'tag.deleted', subject, projectId: repository.projectId, before: standing.digest })
}

import { and, asc, eq, lt, sql as raw } from 'drizzle-orm'
import type { LibSQLDatabase } from 'drizzle-orm/libsql'
import type { Digest } from '../../registry/spec/digests.ts'
import type { RepositoryName, Tag } from '../../registry/spec/names.ts'
import { dotsText, type HeldTag, isDot, nextVersion, parseDots, parseVia } from '../../registry/versions/version.ts'
import type { Connection, WriteConnection } from '../connection.ts'
import type { Database } from '../database.ts'
import { deletedTags, tags } from '../tables/repositories.ts'
import { valuesOf } from '../values.ts'

interface VersionColumns {
  readonly version: string
  readonly context: string
  readonly seen: string
  /** Of tags that are there. */
  readonly via?: string
}

const statements = (sql: LibSQLDatabase) => ({
  find: sql
    .select()
    .from(deletedTags)
    .where(and(eq(deletedTags.repository, raw.placeholder('repository')), eq(deletedTags.name, raw.placeholder('name'))))
    .prepare(),
  put: sql
    .insert(deletedTags)
    .values({
      repository: raw.placeholder('repository'),
      name: raw.placeholder('name'),
      version: raw.placeholder('version'),
      context: raw.placeholder('context'),
      seen: raw.placeholder('seen'),
      deletedAt: raw.placeholder('deletedAt'),
    })
    .onConflictDoUpdate({
      target: [deletedTags.repository, deletedTags.name],
      set: { version: raw`excluded.version`, context: raw`excluded.context`, seen: raw`excluded.seen`, deletedAt: raw`excluded.deleted_at` },
    })
    .prepare(),
  drop: sql
    .delete(deletedTags)
    .where(and(eq(deletedTags.repository, raw.placeholder('repository')), eq(deletedTags.name, raw.placeholder('name'))))
    .prepare(),
})

export const columnsOf = ({ version, seen }: Pick<HeldTag, 'version' | 'seen'>) => ({
  version: version.dot,
  context: dotsText(version.context),
  seen: dotsText(seen),
})

/** @throws TypeError when they were not written by us */
export function heldOf({ version, context, seen, via: came = '' }: VersionColumns): Pick<HeldTag, 'version' | 'seen'> {
  const [before, besides, via] = [parseDots(context), parseDots(seen), parseVia(came)]
  if (!isDot(version) || before === undefined || besides === undefined || via === undefined)
    throw new TypeError(`The database holds ${version} as a tag's version.`)
  return { version: { dot: version, context: before, ...via }, seen: besides }
}

/** What a tag left that was deleted; undefined: it is there, or nothing is known of it any more. */
export async function findTombstone(
  connection: Connection,
  repository: RepositoryName,
  name: Tag,
): Promise<Pick<HeldTag, 'version' | 'seen'> | undefined> {
  const row = await connection.prepared(statements).find.get({ repository, name })
  return row && heldOf(row)
}

export async function putTombstone(
  db: Database,
  connection: WriteConnection,
  repository: RepositoryName,
  name: Tag,
  tombstone: Pick<HeldTag, 'version' | 'seen'>,
): Promise<void> {
  await connection.prepared(statements).put.run({ repository, name, ...columnsOf(tombstone), deletedAt: db.clock.now() })
}

export async function dropTombstone(connection: WriteConnection, repository: RepositoryName, name: Tag): Promise<void> {
  await connection.prepared(statements).drop.run({ repository, name })
}

/** Leaves the tombstones of all tags of a repository that go now, or of those that point at these manifests. */
export async function buryTags(
  db: Database,
  { sql }: WriteConnection,
  repository: { readonly id: number; readonly name: RepositoryName },
  digests?: readonly Digest[],
): Promise<void> {
  const going =
    digests === undefined ? raw`repository_id = ${repository.id}` : raw`repository_id = ${repository.id} AND digest IN ${valuesOf(digests)}`
  const newest = await sql
    .select({ version: tags.version, context: tags.context, seen: tags.seen })
    .from(tags)
    .where(going)
    .orderBy(raw`${tags.version} DESC`)
    .limit(1)
    .get()
  if (newest === undefined) return
  // One version after all of theirs, for all: by a set, since there may be a hundred thousand. Each had seen what its tag had seen.
  const now = db.clock.now()
  const { dot } = nextVersion({ ...heldOf(newest), digest: undefined }, now, db.site)
  await sql.run(raw`INSERT INTO deleted_tags (repository, name, version, context, seen, deleted_at)
    SELECT ${repository.name}, name, ${dot}, version || iif(context = '', '', ',' || context) || iif(seen = '', '', ',' || seen), '', ${now}
    FROM tags WHERE ${going}
    ON CONFLICT (repository, name) DO UPDATE SET version = excluded.version, context = excluded.context, seen = excluded.seen, deleted_at = excluded.deleted_at`)
}

export interface DeletedTag {
  readonly repository: RepositoryName
  readonly name: Tag
}

/** What was deleted, of one repository or of all, by repository and name, after the one given. */
export function listDeletedTags(
  db: Database,
  { after, only }: { readonly after: DeletedTag | undefined; readonly only?: RepositoryName | undefined },
  limit: number,
): Promise<DeletedTag[]> {
  const { repository, name } = deletedTags
  return db.read.sql
    .select({ repository, name })
    .from(deletedTags)
    .where(
      and(
        only === undefined ? undefined : eq(repository, only),
        after === undefined ? undefined : raw`(${repository}, ${name}) > (${after.repository}, ${after.name})`,
      ),
    )
    .orderBy(asc(repository), asc(name))
    .limit(limit)
}

/** Forgets the tombstones of tags deleted before `before`, at most `limit`; resolves with how many. */
export async function forgetDeletedTagsBefore(db: Database, before: number, limit: number): Promise<number> {
  return await db.write(async ({ sql }) => {
    const old = await sql
      .select({ repository: deletedTags.repository, name: deletedTags.name })
      .from(deletedTags)
      .where(lt(deletedTags.deletedAt, before))
      .orderBy(asc(deletedTags.deletedAt))
      .limit(limit)
    for (const { repository, name } of old)
      await sql.delete(deletedTags).where(and(eq(deletedTags.repository, repository), eq(deletedTags.name, name)))
    return old.length
  })
}

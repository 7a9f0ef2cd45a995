import { sql as raw } from 'drizzle-orm'
import type { LibSQLDatabase } from 'drizzle-orm/libsql'
import { type Digest, parseDigest } from '../../registry/spec/digests.ts'
import type { WriteConnection } from '../connection.ts'
import { manifests } from '../tables/repositories.ts'

// Lists of artifacts show those that stand by themselves (`manifests.top`), and those with a tag or without (`manifests.tagged`). Asked of each row
// when a list is read, that is half a second for a repository of a hundred thousand; so it is written down, and looked at again with every write
// that may change it.

/** Cosign before OCI 1.1 names no subject: it sets the tag sha256-<hex>.sig beside it. */
export const SUFFIXES = ['.sig', '.att', '.sbom'] as const

const BESIDE = /^sha256-[0-9a-f]{64}\.(sig|att|sbom)$/

/** The tags that set an artifact beside this one. */
export const tagsBeside = (digest: Digest): string[] => SUFFIXES.map((suffix) => `${digest.replace(':', '-')}${suffix}`)

/** What a tag sets an artifact beside; undefined: nothing. */
export function digestBeside(tag: string): Digest | undefined {
  return BESIDE.test(tag) ? parseDigest(tag.slice(0, tag.indexOf('.')).replace('-', ':')) : undefined
}

/** Whether an index `p` of the repository names it. */
const NAMED = raw`EXISTS (SELECT 1 FROM manifest_references p
  WHERE p.repository_id = manifests.repository_id AND p.digest = manifests.digest AND p.kind = 'manifest')`

/** Whether a tag sets it beside another that is there. */
const SET_BESIDE = raw`EXISTS (SELECT 1 FROM tags t JOIN manifests s ON s.repository_id = t.repository_id AND s.digest = 'sha256:' || substr(t.name, 8, 64)
  WHERE t.repository_id = manifests.repository_id AND t.digest = manifests.digest AND t.name GLOB 'sha256-*' AND substr(t.name, 72) IN ${[...SUFFIXES]})`

/** For a condition on `manifests`: a tag points at it. */
export const TAGGED = raw`EXISTS (SELECT 1 FROM tags t WHERE t.repository_id = manifests.repository_id AND t.digest = manifests.digest)`

/** For a condition on `manifests`: it has a tag or no index of the repository names it, it refers to nothing, and it is set beside nothing. */
export const STANDS = raw`(manifests.subject IS NULL AND (${TAGGED} OR NOT ${NAMED}) AND NOT ${SET_BESIDE})`

const statements = (sql: LibSQLDatabase) => ({
  tagged: sql
    .update(manifests)
    .set({ tagged: TAGGED, top: STANDS })
    .where(
      raw`repository_id = ${raw.placeholder('repositoryId')} AND digest IN (SELECT value FROM json_each(${raw.placeholder('digests')}))
        AND tagged IS NOT ${TAGGED}`,
    )
    .prepare(),
  again: sql
    .update(manifests)
    .set({ top: STANDS })
    .where(
      raw`repository_id = ${raw.placeholder('repositoryId')} AND digest IN (SELECT value FROM json_each(${raw.placeholder('digests')}))
        AND top IS NOT ${STANDS}`,
    )
    .prepare(),
  // By the names: left alone, SQLite reads all tags of the repository by an index that has their digests.
  beside: sql
    .select({ digest: raw<Digest>`digest` })
    .from(
      raw`(SELECT digest FROM tags INDEXED BY tags_name WHERE repository_id = ${raw.placeholder('repositoryId')} AND name IN (SELECT value FROM json_each(${raw.placeholder('names')})))`,
    )
    .prepare(),
})

/** Looks again at these of one repository. */
export async function standAgain(connection: WriteConnection, repositoryId: number, digests: readonly Digest[]): Promise<void> {
  if (digests.length > 0) await connection.prepared(statements).again.run({ repositoryId, digests: JSON.stringify(digests) })
}

/** The artifacts that are set beside these, whether they are there or not. */
export async function digestsBeside(connection: WriteConnection, repositoryId: number, digests: readonly Digest[]): Promise<Digest[]> {
  const rows = await connection.prepared(statements).beside.all({ repositoryId, names: JSON.stringify(digests.flatMap(tagsBeside)) })
  return rows.map((row) => row.digest)
}

/** Looks again whether tags point at these, and so whether they stand by themselves. */
export async function tagAgain(connection: WriteConnection, repositoryId: number, digests: readonly Digest[]): Promise<void> {
  if (digests.length > 0) await connection.prepared(statements).tagged.run({ repositoryId, digests: JSON.stringify(digests) })
}

/** After tags of these names came or went, at these manifests: some tags set what they point at beside another. */
export async function standAfterTags(
  connection: WriteConnection,
  repositoryId: number,
  names: readonly string[],
  digests: readonly Digest[],
): Promise<void> {
  if (names.some((name) => BESIDE.test(name))) await standAgain(connection, repositoryId, digests)
}

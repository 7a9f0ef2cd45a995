import { eq, sql as raw, type SQL } from 'drizzle-orm'
import type { LibSQLDatabase } from 'drizzle-orm/libsql'
import type { Digest } from '../registry/spec/digests.ts'
import type { RepositoryName, Tag } from '../registry/spec/names.ts'
import { appendAuditAll } from './audit/chain.ts'
import { auditEventOf } from './audit/events.ts'
import { tell } from './changes.ts'
import type { WriteConnection } from './connection.ts'
import type { Database } from './database.ts'
import { refuseImmutable } from './immutable-rules.ts'
import { CHANGE_ROWS } from './limits.ts'
import { refund, settleCharge } from './metadata/quota.ts'
import { findRepository, type RepositoryRow } from './metadata/repositories.ts'
import { buryTags } from './metadata/tombstones.ts'
import { blobs, repositoryBlobs } from './tables/blobs.ts'
import { manifestContents, manifests, repositories, tags } from './tables/repositories.ts'
import { valuesOf } from './values.ts'

/**
 * With everything in it. The feed has one entry for all of it, `repository.deleted`; the audit log has one for each artifact besides. False: there is none.
 * @throws RegistryError DENIED (412) where a tag may not go
 */
export async function deleteRepository(db: Database, name: RepositoryName, actor: string): Promise<boolean> {
  return await db.write(async (connection) => {
    const { sql } = connection
    const repository = await findRepository(connection, name)
    if (repository === undefined) return false
    const { id, projectId } = repository
    await refuseImmutable(connection, repository, async () =>
      (await sql.select({ name: tags.name }).from(tags).where(eq(tags.repositoryId, id))).map((tag) => tag.name),
    )
    const artifacts = await artifactsOf(sql, id)
    // By sets, not one by one: a repository may hold a hundred thousand manifests, and everybody else's writes wait meanwhile.
    await refund(connection, projectId, (await ownBytes(sql, manifests, repository)) + (await ownBytes(sql, COUNTED, repository)))
    await settleCharge(connection, projectId, await pendingBytes(sql, id))
    await buryTags(db, connection, repository)
    await sql.delete(tags).where(eq(tags.repositoryId, id))
    const gone = await sql.delete(manifests).where(eq(manifests.repositoryId, id)).returning({ digest: manifests.digest })
    await sql
      .delete(manifestContents)
      .where(
        raw`${manifestContents.digest} IN ${digestsOf(gone)} AND NOT EXISTS (SELECT 1 FROM manifests m WHERE m.digest = manifest_contents.digest)`,
      )
    await unlinkAll(db, sql, eq(repositoryBlobs.repositoryId, id))
    await sql.delete(repositories).where(eq(repositories.id, id))
    await tell(db, connection, { actor, kind: 'repository.deleted', subject: name, projectId })
    await auditArtifacts(db, connection, repository, artifacts, actor)
    return true
  })
}

/** What pushes sent ahead to a project that no manifest followed, where it has nothing else: nobody was told of it. */
export async function removeUnlistedRepositories(db: Database, { sql }: WriteConnection, projectId: number): Promise<void> {
  await unlinkAll(db, sql, eq(repositoryBlobs.projectId, projectId))
  await sql.delete(repositories).where(eq(repositories.projectId, projectId))
}

async function unlinkAll(db: Database, sql: LibSQLDatabase, links: SQL): Promise<void> {
  const gone = await sql.delete(repositoryBlobs).where(links).returning({ digest: repositoryBlobs.digest })
  await sql
    .update(blobs)
    .set({ condemnedAt: db.clock.now() })
    .where(raw`${blobs.digest} IN ${digestsOf(gone)} AND NOT EXISTS (SELECT 1 FROM repository_blobs r WHERE r.digest = blobs.digest)`)
}

interface DeletedArtifact {
  readonly digest: Digest
  readonly tags: readonly Tag[]
}

/** Those that a list of the repository shows. */
async function artifactsOf(sql: LibSQLDatabase, repositoryId: number): Promise<readonly DeletedArtifact[]> {
  const rows = await sql.all<{ digest: Digest; tags: string }>(raw`SELECT m.digest,
      (SELECT json_group_array(t.name) FROM tags t WHERE t.repository_id = m.repository_id AND t.digest = m.digest) AS tags
    FROM manifests m WHERE m.repository_id = ${repositoryId} AND +m.top = 1 ORDER BY m.digest`)
  return rows.map(({ digest, tags }) => ({ digest, tags: JSON.parse(tags) as Tag[] }))
}

/** As if each had been deleted by itself. */
async function auditArtifacts(
  db: Database,
  connection: WriteConnection,
  { name, projectId }: RepositoryRow,
  artifacts: readonly DeletedArtifact[],
  actor: string,
): Promise<void> {
  const alike = { ...auditEventOf('manifest.deleted'), time: db.clock.now(), actor, projectId, succeeded: true, count: 1 }
  for (let from = 0; from < artifacts.length; from += CHANGE_ROWS) {
    const some = artifacts.slice(from, from + CHANGE_ROWS)
    await appendAuditAll(
      connection,
      some.map(({ digest, tags }) => ({
        ...{ ...alike, resource: `${name}@${digest}` },
        detail: JSON.stringify({ ...(tags.length > 0 && { tags }), before: digest }),
      })),
    )
  }
}

/** The bytes that a project has because of this repository only. */
async function ownBytes(sql: LibSQLDatabase, table: typeof manifests | SQL, repository: RepositoryRow): Promise<number> {
  const row = await sql.get<{ bytes: number }>(raw`SELECT coalesce(sum(mine.size), 0) AS bytes FROM ${table} mine
    WHERE mine.repository_id = ${repository.id} AND NOT EXISTS (SELECT 1 FROM ${table} other
      WHERE other.project_id = ${repository.projectId} AND other.digest = mine.digest AND other.repository_id <> ${repository.id})`)
  return row.bytes
}

const COUNTED = raw`(SELECT * FROM repository_blobs WHERE counted = 1)`

/** The bytes of blobs that no manifest here has named yet. */
async function pendingBytes(sql: LibSQLDatabase, repositoryId: number): Promise<number> {
  const row = await sql.get<{ bytes: number }>(
    raw`SELECT coalesce(sum(size), 0) AS bytes FROM repository_blobs WHERE repository_id = ${repositoryId} AND counted = 0`,
  )
  return row.bytes
}

const digestsOf = (rows: readonly { readonly digest: Digest }[]) => valuesOf(rows.map(({ digest }) => digest))

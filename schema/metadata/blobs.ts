import { and, eq, sql as raw } from 'drizzle-orm'
import type { LibSQLDatabase } from 'drizzle-orm/libsql'
import type { Actor } from '../../registry/metadata-store.ts'
import type { Digest } from '../../registry/spec/digests.ts'
import type { RepositoryName } from '../../registry/spec/names.ts'
import { tell } from '../changes.ts'
import type { WriteConnection } from '../connection.ts'
import type { Database } from '../database.ts'
import { blobs, repositoryBlobs } from '../tables/blobs.ts'
import { repositories } from '../tables/repositories.ts'
import { charge, refund } from './quota.ts'
import { ensureRepository, findRepository } from './repositories.ts'

const reads = (sql: LibSQLDatabase) => ({
  stat: sql
    .select({ size: repositoryBlobs.size })
    .from(repositories)
    .innerJoin(repositoryBlobs, and(eq(repositoryBlobs.repositoryId, repositories.id), eq(repositoryBlobs.digest, raw.placeholder('digest'))))
    .where(eq(repositories.name, raw.placeholder('name')))
    .prepare(),
  holders: sql
    .select({ name: repositories.name })
    .from(repositoryBlobs)
    .innerJoin(repositories, eq(repositories.id, repositoryBlobs.repositoryId))
    .where(eq(repositoryBlobs.digest, raw.placeholder('digest')))
    .limit(raw.placeholder('limit'))
    .prepare(),
})

const writes = (sql: LibSQLDatabase) => ({
  find: sql
    .select({ size: repositoryBlobs.size })
    .from(repositoryBlobs)
    .where(and(eq(repositoryBlobs.repositoryId, raw.placeholder('repositoryId')), eq(repositoryBlobs.digest, raw.placeholder('digest'))))
    .prepare(),
  inProject: sql
    .select({ size: repositoryBlobs.size })
    .from(repositoryBlobs)
    .where(and(eq(repositoryBlobs.projectId, raw.placeholder('projectId')), eq(repositoryBlobs.digest, raw.placeholder('digest'))))
    .limit(1)
    .prepare(),
  anywhere: sql
    .select({ size: repositoryBlobs.size })
    .from(repositoryBlobs)
    .where(eq(repositoryBlobs.digest, raw.placeholder('digest')))
    .limit(1)
    .prepare(),
  revive: sql
    .insert(blobs)
    .values({ digest: raw.placeholder('digest'), size: raw.placeholder('size'), createdAt: raw.placeholder('now') })
    .onConflictDoUpdate({ target: blobs.digest, set: { condemnedAt: null } })
    .prepare(),
  link: sql
    .insert(repositoryBlobs)
    .values({
      repositoryId: raw.placeholder('repositoryId'),
      digest: raw.placeholder('digest'),
      projectId: raw.placeholder('projectId'),
      size: raw.placeholder('size'),
      linkedAt: raw.placeholder('now'),
    })
    .prepare(),
})

/** Whether the blob belongs to this repository. */
export async function statBlob(db: Database, name: RepositoryName, digest: Digest): Promise<{ readonly size: number } | undefined> {
  return await db.read.prepared(reads).stat.get({ name, digest })
}

/** Some repositories that have the blob, at most `limit`. */
export async function repositoriesWithBlob(db: Database, digest: Digest, limit: number): Promise<readonly RepositoryName[]> {
  return (await db.read.prepared(reads).holders.all({ digest, limit })).map((row) => row.name)
}

/** Makes a blob one of this repository's. One that was condemned lives again. @throws RegistryError NAME_UNKNOWN, DENIED (quota) */
export function linkBlob(db: Database, name: RepositoryName, blob: { readonly digest: Digest; readonly size: number }): Promise<void> {
  return db.write(async (connection) => {
    const { digest, size } = blob
    const { id: repositoryId, projectId } = await ensureRepository(db, connection, name)
    const { find, inProject, revive, link } = connection.prepared(writes)
    if ((await find.get({ repositoryId, digest })) !== undefined) return
    if ((await inProject.get({ projectId, digest })) === undefined) await charge(connection, projectId, size)
    const now = db.clock.now()
    await revive.run({ digest, size, now })
    await link.run({ repositoryId, digest, projectId, size, now })
  })
}

export function unlinkBlob(db: Database, name: RepositoryName, digest: Digest, actor: Actor): Promise<boolean> {
  return db.write(async (connection) => {
    const repository = await findRepository(connection, name)
    if (repository === undefined) return false
    const { id: repositoryId, projectId } = repository
    const found = await connection.prepared(writes).find.get({ repositoryId, digest })
    if (found === undefined) return false
    await connection.sql.delete(repositoryBlobs).where(and(eq(repositoryBlobs.repositoryId, repositoryId), eq(repositoryBlobs.digest, digest)))
    await releaseBlob(db, connection, projectId, digest, found.size)
    await tell(db, connection, { actor, kind: 'blob.unlinked', subject: `${name}@${digest}`, projectId, before: digest })
    return true
  })
}

/** After a link has gone: gives back what its project no longer holds, and condemns a blob that nobody holds. */
async function releaseBlob(db: Database, connection: WriteConnection, projectId: number, digest: Digest, size: number): Promise<void> {
  const { inProject, anywhere } = connection.prepared(writes)
  if ((await inProject.get({ projectId, digest })) !== undefined) return
  await refund(connection, projectId, size)
  if ((await anywhere.get({ digest })) !== undefined) return
  await connection.sql.update(blobs).set({ condemnedAt: db.clock.now() }).where(eq(blobs.digest, digest))
}

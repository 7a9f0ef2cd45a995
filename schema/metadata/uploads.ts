import { and, asc, eq, lt } from 'drizzle-orm'
import type { Actor, UploadRecord } from '../../registry/metadata-store.ts'
import type { RepositoryName } from '../../registry/spec/names.ts'
import type { Database } from '../database.ts'
import { uploads } from '../tables/blobs.ts'
import { projectOf } from './repositories.ts'

const one = (name: RepositoryName, id: string) => and(eq(uploads.id, id), eq(uploads.repository, name))

/** @throws RegistryError NAME_UNKNOWN */
export async function createUpload(db: Database, name: RepositoryName, upload: UploadRecord, actor: Actor): Promise<void> {
  await db.write(async (connection) => {
    const projectId = await projectOf(connection, name)
    const now = db.clock.now()
    await connection.sql
      .insert(uploads)
      .values({ id: upload.id, algorithm: upload.algorithm, projectId, repository: name, actor, createdAt: now, updatedAt: now })
  })
}

export function findUpload(db: Database, name: RepositoryName, id: string): Promise<UploadRecord | undefined> {
  return db.read.sql.select({ id: uploads.id, algorithm: uploads.algorithm }).from(uploads).where(one(name, id)).get()
}

export async function deleteUpload(db: Database, name: RepositoryName, id: string): Promise<boolean> {
  const gone = await db.write(({ sql }) => sql.delete(uploads).where(one(name, id)).returning({ id: uploads.id }))
  return gone.length > 0
}

/** Sessions begun before `before` (milliseconds since the epoch), oldest first, for whoever sweeps away abandoned ones. */
export function listUploadsBefore(db: Database, before: number, limit: number): Promise<{ id: string; repository: RepositoryName }[]> {
  return db.read.sql
    .select({ id: uploads.id, repository: uploads.repository })
    .from(uploads)
    .where(lt(uploads.updatedAt, before))
    .orderBy(asc(uploads.updatedAt), asc(uploads.id))
    .limit(limit)
}

import { and, asc, eq, lt, sql as raw } from 'drizzle-orm'
import type { Actor, UploadRecord } from '../../registry/metadata-store.ts'
import type { RepositoryName } from '../../registry/spec/names.ts'
import type { Database } from '../database.ts'
import { UPLOAD_NOTE_MS } from '../limits.ts'
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

/** Who asks goes on with it: that is written down, but not at each chunk. */
export async function findUpload(db: Database, name: RepositoryName, id: string): Promise<UploadRecord | undefined> {
  const row = await db.read.sql
    .select({ id: uploads.id, algorithm: uploads.algorithm, updatedAt: uploads.updatedAt })
    .from(uploads)
    .where(one(name, id))
    .get()
  if (row === undefined) return undefined
  const now = db.clock.now()
  if (now - row.updatedAt >= UPLOAD_NOTE_MS) await db.write(({ sql }) => sql.update(uploads).set({ updatedAt: now }).where(one(name, id)))
  return { id: row.id, algorithm: row.algorithm }
}

export async function deleteUpload(db: Database, name: RepositoryName, id: string): Promise<boolean> {
  const gone = await db.write(({ sql }) => sql.delete(uploads).where(one(name, id)).returning({ id: uploads.id }))
  return gone.length > 0
}

/** Sessions that nobody has gone on with since `before` (milliseconds since the epoch), those that wait longest first. */
export function listUploadsBefore(db: Database, before: number, limit: number): Promise<{ id: string; repository: RepositoryName }[]> {
  return db.read.sql
    .select({ id: uploads.id, repository: uploads.repository })
    .from(uploads)
    .where(lt(uploads.updatedAt, before))
    .orderBy(asc(uploads.updatedAt), asc(uploads.id))
    .limit(limit)
}

/** Which of these are no session's. */
export async function withoutUpload(db: Database, ids: readonly string[]): Promise<readonly string[]> {
  const rows = await db.read.sql.all<{ id: string }>(
    raw`SELECT value AS id FROM json_each(${JSON.stringify(ids)}) WHERE NOT EXISTS (SELECT 1 FROM uploads u WHERE u.id = value)`,
  )
  return rows.map(({ id }) => id)
}

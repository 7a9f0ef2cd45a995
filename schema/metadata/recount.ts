import { eq, sql as raw } from 'drizzle-orm'
import { tell } from '../changes.ts'
import type { Database } from '../database.ts'
import { projects } from '../tables/projects.ts'

export interface Recounted {
  readonly before: number
  /** Bytes: what `storage_used` is now. */
  readonly used: number
}

/**
 * Counts anew what a project holds, while everybody goes on: pushes wait for as long as the counting takes. Every write keeps the count by itself;
 * this is for a database that something else has written to. undefined: there is no such project.
 */
export function recountProject(db: Database, projectId: number, actor: string): Promise<Recounted | undefined> {
  return db.write(async (connection) => {
    const { sql } = connection
    const project = await sql.select().from(projects).where(eq(projects.id, projectId)).get()
    if (project === undefined) return undefined
    const sums = await sql.get<{ manifests: number; blobs: number; pending: number }>(raw`SELECT
      (SELECT coalesce(sum(size), 0) FROM (SELECT size FROM manifests WHERE project_id = ${projectId} GROUP BY digest)) AS manifests,
      (SELECT coalesce(sum(size), 0) FROM (SELECT size FROM repository_blobs WHERE project_id = ${projectId} AND counted = 1 GROUP BY digest)) AS blobs,
      (SELECT coalesce(sum(size), 0) FROM repository_blobs WHERE project_id = ${projectId} AND counted = 0) AS pending`)
    const used = sums.manifests + sums.blobs
    if (used !== project.storageUsed || sums.pending !== project.storagePending) {
      await sql.update(projects).set({ storageUsed: used, storagePending: sums.pending }).where(eq(projects.id, projectId))
      await tell(db, connection, { actor, kind: 'project.updated', subject: project.name, projectId, detail: { storage_used: used } })
    }
    return { before: project.storageUsed, used }
  })
}

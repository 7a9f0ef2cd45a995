import { and, eq } from 'drizzle-orm'
import type { Digest } from '../registry/spec/digests.ts'
import type { RepositoryName } from '../registry/spec/names.ts'
import type { Database } from './database.ts'
import { repositoryBlobs } from './tables/blobs.ts'
import { deliveries } from './tables/deliveries.ts'
import { projects } from './tables/projects.ts'
import { repositories } from './tables/repositories.ts'

/** Repositories of another registry that have a blob from us: those to which we delivered what is in a repository here that has it. */
export async function deliveredWithBlob(db: Database, endpointId: number, digest: Digest, limit: number): Promise<readonly string[]> {
  const rows = await db.read.sql
    .selectDistinct({ name: deliveries.destination })
    .from(repositoryBlobs)
    .innerJoin(repositories, eq(repositories.id, repositoryBlobs.repositoryId))
    .innerJoin(deliveries, and(eq(deliveries.endpointId, endpointId), eq(deliveries.repository, repositories.name)))
    .where(eq(repositoryBlobs.digest, digest))
    .limit(limit)
  return rows.map(({ name }) => name)
}

/** Repositories of a project here that have a blob. */
export async function repositoriesOfProjectWithBlob(
  db: Database,
  project: string,
  digest: Digest,
  limit: number,
): Promise<readonly RepositoryName[]> {
  const rows = await db.read.sql
    .select({ name: repositories.name })
    .from(repositoryBlobs)
    .innerJoin(repositories, eq(repositories.id, repositoryBlobs.repositoryId))
    .innerJoin(projects, eq(projects.id, repositories.projectId))
    .where(and(eq(repositoryBlobs.digest, digest), eq(projects.name, project)))
    .limit(limit)
  return rows.map(({ name }) => name)
}

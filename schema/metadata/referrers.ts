import { and, asc, eq, gt, sql as raw } from 'drizzle-orm'
import type { LibSQLDatabase } from 'drizzle-orm/libsql'
import type { ReferrersQuery } from '../../registry/registry.ts'
import type { Descriptor } from '../../registry/spec/descriptors.ts'
import type { Digest } from '../../registry/spec/digests.ts'
import type { RepositoryName } from '../../registry/spec/names.ts'
import type { Slice } from '../../registry/spec/pages.ts'
import type { Database } from '../database.ts'
import { manifests, repositories } from '../tables/repositories.ts'
import { keyset, sliceOf } from './paging.ts'

const reads = (sql: LibSQLDatabase) => {
  const statement = (ofType: boolean) =>
    sql
      .select({
        mediaType: manifests.mediaType,
        digest: manifests.digest,
        size: manifests.size,
        artifactType: manifests.artifactType,
        annotations: manifests.annotations,
      })
      .from(manifests)
      .where(
        and(
          eq(
            manifests.repositoryId,
            sql
              .select({ id: repositories.id })
              .from(repositories)
              .where(eq(repositories.name, raw.placeholder('name'))),
          ),
          eq(manifests.subject, raw.placeholder('subject')),
          gt(manifests.digest, raw.placeholder('last')),
          ofType ? eq(manifests.artifactType, raw.placeholder('artifactType')) : undefined,
        ),
      )
      .orderBy(asc(manifests.digest))
      .limit(raw.placeholder('limit'))
      .prepare()
  return { all: statement(false), ofType: statement(true) }
}

/** In the order of their digests. */
export async function listReferrers(db: Database, name: RepositoryName, subject: Digest, query: ReferrersQuery): Promise<Slice<Descriptor>> {
  const { all, ofType } = db.read.prepared(reads)
  const { artifactType, page } = query
  const asked = { name, subject, ...keyset(page) }
  const rows = artifactType === undefined ? await all.all(asked) : await ofType.all({ ...asked, artifactType })
  return sliceOf(
    rows.map(({ artifactType, annotations, ...identity }) => ({
      ...identity,
      ...(artifactType !== null && { artifactType }),
      ...(annotations !== null && { annotations }),
    })),
    page,
  )
}

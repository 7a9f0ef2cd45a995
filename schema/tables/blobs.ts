import { sql } from 'drizzle-orm'
import { index, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import type { Digest, DigestAlgorithm } from '../../registry/spec/digests.ts'
import type { RepositoryName } from '../../registry/spec/names.ts'
import { time } from './columns.ts'
import { projects } from './projects.ts'
import { repositories } from './repositories.ts'

/** The blobs that a store holds because of this database. */
export const blobs = sqliteTable(
  'blobs',
  {
    digest: text().$type<Digest>().primaryKey(),
    size: integer().notNull(),
    createdAt: time().notNull(),
    /** Since when no repository has it; whoever collects garbage waits a grace from here. */
    condemnedAt: time(),
    /** When a collector took it to delete its bytes: from then on nobody can have it, until the row is gone. */
    claimedAt: time(),
  },
  (t) => [index('blobs_condemned').on(t.condemnedAt, t.digest).where(sql`${t.condemnedAt} IS NOT NULL`)],
)

/** Which repositories have which blobs. A digest alone gives nobody a right to bytes. */
export const repositoryBlobs = sqliteTable(
  'repository_blobs',
  {
    repositoryId: integer('repository_id')
      .notNull()
      .references(() => repositories.id),
    digest: text()
      .$type<Digest>()
      .notNull()
      .references(() => blobs.digest),
    /** The repository's, here again for what counts by project. */
    projectId: integer('project_id').notNull(),
    size: integer().notNull(),
    /** 1: its project's quota has it, since a manifest here named it or because the project had it already. 0: no manifest has yet. */
    counted: integer().notNull().default(1),
    /** When a push last counted on it, or the last manifest that named it here went; whoever collects garbage waits a grace from here. */
    neededAt: time().notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.repositoryId, t.digest] }),
    index('repository_blobs_by_digest').on(t.digest, t.repositoryId),
    index('repository_blobs_of_project').on(t.projectId, t.digest),
  ],
)

/** Upload sessions. Their bytes are drafts of the same id in the blob store. A session alone makes no repository. */
export const uploads = sqliteTable(
  'uploads',
  {
    id: text().primaryKey(),
    projectId: integer('project_id')
      .notNull()
      .references(() => projects.id),
    repository: text().$type<RepositoryName>().notNull(),
    algorithm: text().$type<DigestAlgorithm>().notNull(),
    actor: text().notNull(),
    createdAt: time().notNull(),
    updatedAt: time().notNull(),
  },
  (t) => [index('uploads_by_age').on(t.updatedAt, t.id), index('uploads_of_project').on(t.projectId)],
)

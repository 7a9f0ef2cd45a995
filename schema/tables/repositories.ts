import { sql } from 'drizzle-orm'
import { foreignKey, index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import type { Digest } from '../../registry/spec/digests.ts'
import type { RepositoryName, Tag } from '../../registry/spec/names.ts'
import type { Dot } from '../../registry/versions/version.ts'
import { ARTIFACT_KINDS } from '../artifact-kind.ts'
import { bytes, flag, time } from './columns.ts'
import { projects } from './projects.ts'

export const repositories = sqliteTable(
  'repositories',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    projectId: integer('project_id')
      .notNull()
      .references(() => projects.id),
    /** With its project: `team/app`. */
    name: text().$type<RepositoryName>().notNull(),
    /** An artifact has been in it. Before, it holds blobs that a push has sent ahead, and nobody is told of it. */
    listed: flag().notNull().default(false),
    description: text().notNull().default(''),
    pullCount: integer('pull_count').notNull().default(0),
    createdAt: time().notNull(),
    updatedAt: time().notNull(),
  },
  (t) => [
    uniqueIndex('repositories_name').on(t.name),
    index('repositories_of_project').on(t.projectId, t.listed, t.name),
    index('repositories_listed').on(t.name).where(sql`${t.listed} = 1`),
  ],
)

/** Everybody is told of it. Written out, as what is bound lets no index be used that has such rows only. */
export const isListed = sql`${repositories.listed} = 1`

/** The very bytes of manifests, once however many repositories hold them. */
export const manifestContents = sqliteTable('manifest_contents', {
  digest: text().$type<Digest>().primaryKey(),
  bytes: bytes().notNull(),
})

export const manifests = sqliteTable(
  'manifests',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    repositoryId: integer('repository_id')
      .notNull()
      .references(() => repositories.id),
    /** The repository's, here again for what counts by project. */
    projectId: integer('project_id').notNull(),
    digest: text()
      .$type<Digest>()
      .notNull()
      .references(() => manifestContents.digest),
    mediaType: text('media_type').notNull(),
    artifactType: text('artifact_type'),
    configMediaType: text('config_media_type'),
    /** What Harbor calls its kind (`artifactKind`). */
    kind: text({ enum: ARTIFACT_KINDS }).notNull(),
    /** Of the manifest itself, in bytes. */
    size: integer().notNull(),
    /** Of the manifest and everything it names, in bytes. */
    totalSize: integer('total_size').notNull(),
    subject: text().$type<Digest>(),
    /** It stands by itself in lists: it has a tag or no index of the repository names it, it refers to nothing, and no tag sets it beside another. */
    top: flag().notNull(),
    /** A tag points at it. */
    tagged: flag().notNull(),
    annotations: text({ mode: 'json' }).$type<Readonly<Record<string, string>>>(),
    /** `user:3`, `robot:12`, `system`. */
    pusher: text().notNull(),
    pushedAt: time().notNull(),
    pulledAt: time(),
  },
  (t) => [
    uniqueIndex('manifests_digest').on(t.repositoryId, t.digest),
    index('manifests_by_digest').on(t.digest, t.projectId),
    index('manifests_by_push').on(t.repositoryId, t.top, t.pushedAt, t.tagged, t.kind),
    // By the media type that is shown: what the newest of a type in each repository is found by.
    index('manifests_by_type').on(
      t.repositoryId,
      sql`CASE WHEN config_media_type IS NULL THEN media_type ELSE config_media_type END`,
      t.top,
      t.pushedAt,
    ),
    index('manifests_by_pull').on(t.repositoryId, t.top, t.pulledAt),
    index('manifests_by_size').on(t.repositoryId, t.top, t.totalSize),
    index('manifests_of_project_by_push').on(t.projectId, t.top, t.pushedAt, t.tagged, t.kind),
    index('manifests_by_subject').on(t.repositoryId, t.subject, t.digest).where(sql`${t.subject} IS NOT NULL`),
    index('manifests_by_subject_type').on(t.repositoryId, t.subject, t.artifactType, t.digest).where(sql`${t.subject} IS NOT NULL`),
  ],
)

/** What a manifest names: config and layers (`blob`), children of an index (`manifest`). */
export const manifestReferences = sqliteTable(
  'manifest_references',
  {
    manifestId: integer('manifest_id')
      .notNull()
      .references(() => manifests.id, { onDelete: 'cascade' }),
    /** The manifest's, here again for whoever asks what a repository still needs. */
    repositoryId: integer('repository_id').notNull(),
    position: integer().notNull(),
    kind: text({ enum: ['blob', 'manifest'] }).notNull(),
    digest: text().$type<Digest>().notNull(),
    size: integer().notNull(),
  },
  (t) => [primaryKey({ columns: [t.manifestId, t.position] }), index('manifest_references_of_repository').on(t.repositoryId, t.digest, t.manifestId)],
)

/** When and where a tag was set, what was known there, and what has been seen here besides (lists of dots). */
const version = {
  version: text().$type<Dot>().notNull(),
  context: text().notNull(),
  seen: text().notNull(),
}

export const tags = sqliteTable(
  'tags',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    repositoryId: integer('repository_id')
      .notNull()
      .references(() => repositories.id),
    name: text().$type<Tag>().notNull(),
    digest: text().$type<Digest>().notNull(),
    pushedAt: time().notNull(),
    pulledAt: time(),
    ...version,
    /** The replication rules that have brought it here under another name than they found it by. */
    via: text().notNull().default(''),
  },
  (t) => [
    uniqueIndex('tags_name').on(t.repositoryId, t.name),
    index('tags_by_digest').on(t.repositoryId, t.digest, t.name),
    foreignKey({ columns: [t.repositoryId, t.digest], foreignColumns: [manifests.repositoryId, manifests.digest] }),
  ],
)

/** Tombstones: when and where tags were deleted. By name, since their repository may have gone with them. */
export const deletedTags = sqliteTable(
  'deleted_tags',
  {
    repository: text().$type<RepositoryName>().notNull(),
    name: text().$type<Tag>().notNull(),
    ...version,
    /** When it was taken away here. */
    deletedAt: time().notNull(),
  },
  (t) => [primaryKey({ columns: [t.repository, t.name] }), index('deleted_tags_by_age').on(t.deletedAt)],
)

import { sql } from 'drizzle-orm'
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import type { RoleId } from '../../policy/facts.ts'
import { flag, time } from './columns.ts'
import { endpoints } from './endpoints.ts'
import { users } from './users.ts'

/** An id is never given again; a deleted project keeps its row, under another name. */
export const projects = sqliteTable(
  'projects',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    name: text().notNull(),
    ownerId: integer('owner_id')
      .notNull()
      .references(() => users.id),
    public: flag().notNull(),
    /** Bytes; -1: as many as there is room for. */
    storageLimit: integer('storage_limit').notNull().default(-1),
    /** Bytes: each distinct manifest of the project, and each distinct blob that one of them has named, once. */
    storageUsed: integer('storage_used').notNull().default(0),
    /** Bytes of blobs that no manifest has named yet: pushes in progress, and what became of those that failed. */
    storagePending: integer('storage_pending').notNull().default(0),
    /** Where a proxy cache gets its images from; null: it is none. */
    endpointId: integer('endpoint_id').references(() => endpoints.id),
    /** Harbor's project metadata by Harbor's names and with its string values, except `public`. */
    metadata: text({ mode: 'json' }).$type<Readonly<Record<string, string>>>().notNull(),
    createdAt: time().notNull(),
    updatedAt: time().notNull(),
    deletedAt: time(),
  },
  (t) => [
    uniqueIndex('projects_name').on(t.name),
    index('projects_by_owner').on(t.ownerId),
    index('projects_by_visibility').on(t.public, t.name),
    index('projects_by_endpoint').on(t.endpointId).where(sql`${t.endpointId} IS NOT NULL`),
  ],
)

/** Who has which role in a project. */
export const members = sqliteTable(
  'members',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    projectId: integer('project_id')
      .notNull()
      .references(() => projects.id),
    kind: text({ enum: ['user', 'group'] }).notNull(),
    /** The id of the user or group. */
    subjectId: integer('subject_id').notNull(),
    role: integer().$type<RoleId>().notNull(),
    createdAt: time().notNull(),
    updatedAt: time().notNull(),
  },
  (t) => [uniqueIndex('members_subject').on(t.projectId, t.kind, t.subjectId), index('members_by_subject').on(t.kind, t.subjectId, t.projectId)],
)

/** The groups that a user was in when he last logged in. */
export const groupUsers = sqliteTable(
  'group_users',
  {
    groupId: integer('group_id').notNull(),
    userId: integer('user_id').notNull(),
  },
  (t) => [primaryKey({ columns: [t.userId, t.groupId] }), index('group_users_by_group').on(t.groupId)],
)

import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import type { ChangeKind } from '../change-kinds.ts'
import { time } from './columns.ts'

/** The feed: a row for each thing that happened, in the order of commits. */
export const changes = sqliteTable(
  'changes',
  {
    seq: integer().primaryKey({ autoIncrement: true }),
    site: text().notNull(),
    time: time().notNull(),
    actor: text().notNull(),
    kind: text().$type<ChangeKind>().notNull(),
    /** What it happened to: `team/app:latest`, `team/app@sha256:…`, `user:3`, a project's name. */
    subject: text().notNull(),
    projectId: integer('project_id'),
    before: text(),
    after: text(),
    detail: text({ mode: 'json' }).$type<Readonly<Record<string, unknown>>>(),
  },
  (t) => [index('changes_of_project').on(t.projectId, t.seq)],
)

/** How far each follower of the feed has come. */
export const cursors = sqliteTable('cursors', {
  consumer: text().primaryKey(),
  seq: integer().notNull(),
  updatedAt: time().notNull(),
})

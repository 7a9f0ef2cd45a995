import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import type { Selector } from '../../policy/tag-rules.ts'
import { flag, time } from './columns.ts'
import { projects } from './projects.ts'

/** Tags of a project that may neither move nor go. */
export const immutableRules = sqliteTable(
  'immutable_rules',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    projectId: integer('project_id')
      .notNull()
      .references(() => projects.id),
    disabled: flag().notNull(),
    /** Harbor's; nothing here depends on it. */
    priority: integer().notNull(),
    repositories: text({ mode: 'json' }).$type<readonly Selector[]>().notNull(),
    tags: text({ mode: 'json' }).$type<readonly Selector[]>().notNull(),
    createdAt: time().notNull(),
    updatedAt: time().notNull(),
  },
  (t) => [index('immutable_rules_of_project').on(t.projectId, t.id)],
)

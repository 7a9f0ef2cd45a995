import { sql } from 'drizzle-orm'
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import { time } from './columns.ts'
import { projects } from './projects.ts'
import { manifests } from './repositories.ts'

/** What artifacts can be marked with. */
export const labels = sqliteTable(
  'labels',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    name: text().notNull(),
    description: text().notNull().default(''),
    /** As CSS writes it: `#00ab9a`. */
    color: text().notNull().default(''),
    /** null: for artifacts of every project. */
    projectId: integer('project_id').references(() => projects.id),
    createdAt: time().notNull(),
    updatedAt: time().notNull(),
  },
  (t) => [
    // Those of the system are found by it as well, though nulls are never the same to it.
    uniqueIndex('labels_by_name').on(t.projectId, t.name),
    uniqueIndex('labels_of_system').on(t.name).where(sql`${t.projectId} IS NULL`),
  ],
)

/** Which artifacts are marked with which labels. */
export const artifactLabels = sqliteTable(
  'artifact_labels',
  {
    manifestId: integer('manifest_id')
      .notNull()
      .references(() => manifests.id, { onDelete: 'cascade' }),
    labelId: integer('label_id')
      .notNull()
      .references(() => labels.id, { onDelete: 'cascade' }),
  },
  (t) => [primaryKey({ columns: [t.manifestId, t.labelId] }), index('artifact_labels_by_label').on(t.labelId)],
)

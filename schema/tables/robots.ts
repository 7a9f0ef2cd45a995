import { sql } from 'drizzle-orm'
import { integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import type { RobotPermission } from '../../policy/facts.ts'
import { flag, time } from './columns.ts'
import { projects } from './projects.ts'

/** Robot accounts. `name` is without the prefix `robot$` and the project. */
export const robots = sqliteTable(
  'robots',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    name: text().notNull(),
    description: text().notNull().default(''),
    level: text({ enum: ['system', 'project'] }).notNull(),
    projectId: integer('project_id').references(() => projects.id),
    /** With its salt and parameters, in the form the hashing room writes. */
    secretHash: text('secret_hash').notNull(),
    /** Days as they were asked for; -1: for ever. */
    duration: integer().notNull(),
    /** null: never. */
    expiresAt: time(),
    disabled: flag().notNull().default(false),
    permissions: text({ mode: 'json' }).$type<readonly RobotPermission[]>().notNull(),
    /** Who made it: `user:3`, `robot:4`. */
    creator: text().notNull(),
    credentialVersion: integer('credential_version').notNull().default(1),
    createdAt: time().notNull(),
    updatedAt: time().notNull(),
  },
  (t) => [
    uniqueIndex('robots_of_project').on(t.projectId, t.name).where(sql`${t.projectId} IS NOT NULL`),
    uniqueIndex('robots_of_system').on(t.name).where(sql`${t.projectId} IS NULL`),
  ],
)

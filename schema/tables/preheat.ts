import { sql } from 'drizzle-orm'
import { index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import { flag, time } from './columns.ts'
import { projects } from './projects.ts'

/** Edges that projects may warm: Harbor calls them preheat instances. */
export const preheatInstances = sqliteTable(
  'preheat_instances',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    name: text().notNull(),
    description: text().notNull(),
    /** The URL of an edge. */
    endpoint: text().notNull(),
    enabled: flag().notNull(),
    /** The one that is offered first. */
    standard: flag().notNull(),
    insecure: flag().notNull(),
    createdAt: time().notNull(),
  },
  (t) => [uniqueIndex('preheat_instances_name').on(t.name), uniqueIndex('preheat_instances_endpoint').on(t.endpoint)],
)

/** What is fetched to which edge before anybody pulls it. */
export const preheatPolicies = sqliteTable(
  'preheat_policies',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    projectId: integer('project_id')
      .notNull()
      .references(() => projects.id),
    instanceId: integer('instance_id')
      .notNull()
      .references(() => preheatInstances.id),
    name: text().notNull(),
    description: text().notNull(),
    filters: text({ mode: 'json' }).$type<PreheatFilters>().notNull(),
    trigger: text({ enum: ['manual', 'scheduled', 'event_based'] }).notNull(),
    cron: text(),
    enabled: flag().notNull(),
    /** Harbor's; nothing here depends on it. */
    extraAttributes: text('extra_attributes').notNull(),
    createdAt: time().notNull(),
    updatedAt: time().notNull(),
  },
  (t) => [
    uniqueIndex('preheat_policies_name').on(t.projectId, t.name),
    index('preheat_policies_of_instance').on(t.instanceId),
    index('preheat_policies_on_push').on(t.id).where(sql`${t.enabled} = 1 AND ${t.trigger} = 'event_based'`),
  ],
)

/** Patterns; an artifact is meant that each of them matches. */
export interface PreheatFilters {
  readonly repository: string
  readonly tag: string
  /** Names of labels, of which it carries each; none: whatever it carries. */
  readonly labels: readonly string[]
}

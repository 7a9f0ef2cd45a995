import { sql } from 'drizzle-orm'
import { index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import { flag, time } from './columns.ts'

/** Who did what, in order. Each row's hash covers the row and the hash before it; ids have no holes. */
export const auditLog = sqliteTable(
  'audit_log',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    /** Of the first, where `count` is more than one. */
    time: time().notNull(),
    /** `user:3`, `robot:12`, `anonymous`, `system`. */
    actor: text().notNull(),
    /** What that one was called then. */
    username: text().notNull(),
    operation: text().notNull(),
    resourceType: text('resource_type').notNull(),
    resource: text().notNull(),
    projectId: integer('project_id'),
    /** The network address that it came from; empty: this system itself, or not known. */
    address: text().notNull(),
    succeeded: flag().notNull(),
    /** How often it happened alike, one after the other. */
    count: integer().notNull(),
    /** What else is known, as JSON; empty: nothing. */
    detail: text().notNull(),
    /** In base64url. */
    hash: text().notNull(),
    /** Its content was purged; its hash still holds the chain together. */
    purged: flag().notNull().default(false),
  },
  (t) => [
    // Within each, rows are in the order of their ids; with `purged`, rows are counted without being read.
    index('audit_log_of_project').on(t.projectId, t.purged),
    index('audit_log_of_user').on(t.username, t.purged),
    index('audit_log_of_operation').on(t.operation, t.purged),
    index('audit_log_of_type').on(t.resourceType, t.purged),
    index('audit_log_of_resource').on(t.resource, t.purged),
    // What was refused or went wrong: few, and what is looked for.
    index('audit_log_failed').on(t.purged).where(sql`${t.succeeded} = 0`),
    index('audit_log_by_time').on(t.time, t.purged),
    index('audit_log_purged').on(t.purged).where(sql`${t.purged} = 1`),
  ],
)

/** What stands in columns of the log, each name once, for whoever looks for a part of one. It follows the log by seconds. */
export const auditNames = sqliteTable(
  'audit_names',
  {
    id: integer().primaryKey(),
    /** The column. */
    kind: text({ enum: ['username', 'operation', 'resource_type', 'resource'] }).notNull(),
    name: text().notNull(),
  },
  (t) => [uniqueIndex('audit_names_name').on(t.kind, t.name)],
)

/** Up to which entry that is so; one row. */
export const auditNamed = sqliteTable('audit_named', { id: integer().primaryKey(), upto: integer().notNull() })

import { index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import { flag, time } from './columns.ts'
import { endpoints } from './endpoints.ts'

/** Harbor's ReplicationFilter. */
export interface ReplicationFilter {
  readonly type: string
  readonly value: unknown
  readonly decoration?: string
}

/** Harbor's states of an execution. */
export const EXECUTION_STATUSES = ['InProgress', 'Succeed', 'Failed', 'Stopped'] as const
/** Harbor's states of a task. */
export const TASK_STATUSES = ['Pending', 'InProgress', 'Succeed', 'Failed', 'Stopped'] as const

/** Rules. A null endpoint is this registry itself. */
export const replicationPolicies = sqliteTable(
  'replication_policies',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    name: text().notNull(),
    description: text().notNull().default(''),
    sourceEndpointId: integer('src_endpoint_id').references(() => endpoints.id),
    destinationEndpointId: integer('dest_endpoint_id').references(() => endpoints.id),
    destinationNamespace: text('dest_namespace').notNull().default(''),
    /** How many leading components `destinationNamespace` replaces; -1: all but the last. */
    destinationReplaceCount: integer('dest_replace_count').notNull().default(-1),
    trigger: text({ enum: ['manual', 'scheduled', 'event_based'] }).notNull(),
    cron: text(),
    filters: text({ mode: 'json' }).$type<readonly ReplicationFilter[]>().notNull(),
    replicateDeletion: flag().notNull().default(false),
    override: flag().notNull().default(true),
    enabled: flag().notNull().default(true),
    /** KiB a second; 0 or less: as fast as it goes. */
    speed: integer().notNull().default(0),
    copyByChunk: flag().notNull().default(false),
    singleActive: flag().notNull().default(false),
    creator: text().notNull(),
    createdAt: time().notNull(),
    updatedAt: time().notNull(),
  },
  (t) => [
    uniqueIndex('replication_policies_name').on(t.name),
    index('replication_policies_by_trigger').on(t.trigger, t.enabled),
    // Whoever deletes an endpoint asks by these, and so does the database itself.
    index('replication_policies_from').on(t.sourceEndpointId),
    index('replication_policies_to').on(t.destinationEndpointId),
  ],
)

export const replicationExecutions = sqliteTable(
  'replication_executions',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    policyId: integer('policy_id')
      .notNull()
      .references(() => replicationPolicies.id, { onDelete: 'cascade' }),
    trigger: text({ enum: ['manual', 'scheduled', 'event_based'] }).notNull(),
    status: text({ enum: EXECUTION_STATUSES }).notNull(),
    statusText: text('status_text').notNull().default(''),
    /** What its planning failed with, and when it is tried again. */
    note: text().notNull().default(''),
    operator: text().notNull(),
    startedAt: time().notNull(),
    endedAt: time(),
  },
  (t) => [
    index('replication_executions_of_policy').on(t.policyId, t.id),
    index('replication_executions_by_status').on(t.status, t.id),
    index('replication_executions_ended').on(t.endedAt),
  ],
)

export const replicationTasks = sqliteTable(
  'replication_tasks',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    executionId: integer('execution_id')
      .notNull()
      .references(() => replicationExecutions.id, { onDelete: 'cascade' }),
    resourceType: text('resource_type').notNull(),
    source: text().notNull(),
    destination: text().notNull(),
    operation: text({ enum: ['copy', 'deletion'] }).notNull(),
    status: text({ enum: TASK_STATUSES }).notNull(),
    jobId: integer('job_id'),
    bytesTotal: integer('bytes_total').notNull().default(0),
    bytesDone: integer('bytes_done').notNull().default(0),
    /** Its last lines; see LOG_LIMIT. */
    log: text().notNull().default(''),
    startedAt: time(),
    endedAt: time(),
  },
  (t) => [
    index('replication_tasks_of_execution').on(t.executionId, t.id),
    index('replication_tasks_by_status').on(t.executionId, t.status, t.id),
    index('replication_tasks_into').on(t.executionId, t.destination),
  ],
)

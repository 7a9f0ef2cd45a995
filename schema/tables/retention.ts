import { index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import type { RetentionRule } from '../../policy/retention.ts'
import type { RepositoryName } from '../../registry/spec/names.ts'
import { flag, time } from './columns.ts'
import { projects } from './projects.ts'

export const RETENTION_STATUSES = ['InProgress', 'Succeed', 'Failed', 'Stopped'] as const

/** What a project keeps; a project has one at most. */
export const retentionPolicies = sqliteTable(
  'retention_policies',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    projectId: integer('project_id')
      .notNull()
      .references(() => projects.id),
    /** In the order of their ids, which clients number from 1. */
    rules: text({ mode: 'json' }).$type<readonly (RetentionRule & { readonly id: number })[]>().notNull(),
    /** null: only by hand. */
    cron: text(),
    createdAt: time().notNull(),
    updatedAt: time().notNull(),
  },
  (t) => [uniqueIndex('retention_policies_project').on(t.projectId)],
)

export const retentionExecutions = sqliteTable(
  'retention_executions',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    policyId: integer('policy_id')
      .notNull()
      .references(() => retentionPolicies.id, { onDelete: 'cascade' }),
    trigger: text({ enum: ['Manual', 'Schedule'] }).notNull(),
    dryRun: flag().notNull(),
    status: text({ enum: RETENTION_STATUSES }).notNull(),
    jobId: integer('job_id'),
    startedAt: time().notNull(),
    endedAt: time(),
  },
  (t) => [
    index('retention_executions_of_policy').on(t.policyId, t.id),
    index('retention_executions_of_job').on(t.jobId),
    index('retention_executions_ended').on(t.endedAt),
  ],
)

/** One repository of an execution. */
export const retentionTasks = sqliteTable(
  'retention_tasks',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    executionId: integer('execution_id')
      .notNull()
      .references(() => retentionExecutions.id, { onDelete: 'cascade' }),
    repository: text().$type<RepositoryName>().notNull(),
    status: text({ enum: RETENTION_STATUSES }).notNull(),
    /** Artifacts looked at, and those that stay. */
    total: integer().notNull().default(0),
    retained: integer().notNull().default(0),
    /** A line for each tag. */
    log: text().notNull().default(''),
    startedAt: time().notNull(),
    endedAt: time(),
  },
  (t) => [uniqueIndex('retention_tasks_repository').on(t.executionId, t.repository)],
)

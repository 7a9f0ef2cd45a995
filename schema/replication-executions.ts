import { and, eq, inArray, lt, sql as raw } from 'drizzle-orm'
import type { LibSQLDatabase } from 'drizzle-orm/libsql'
import { appendAudit } from './audit/chain.ts'
import { REPLICATED } from './audit/events.ts'
import type { WriteConnection } from './connection.ts'
import type { Database } from './database.ts'
import { enqueueIn, lastOfMergeKey, type NewJob, replacePayloadIn, stopAllIn } from './jobs.ts'
import { COUNT, type Listed, type Listing, newestFirst, window } from './listing.ts'
import type { ReplicationTrigger } from './replication.ts'
import { eventKey, type OneTag, type PlanPayload, planEvent } from './replication-jobs.ts'
import type { TaskStatus } from './replication-tasks.ts'
import { jobs } from './tables/jobs.ts'
import { replicationExecutions, replicationTasks } from './tables/replication.ts'

/** One run of a rule, with how its tasks stand. */
export type ReplicationExecution = typeof replicationExecutions.$inferSelect & {
  readonly total: number
  readonly pending: number
  readonly inProgress: number
  readonly succeeded: number
  readonly failed: number
  readonly stopped: number
  /** Bytes of blobs, over all tasks. */
  readonly bytesTotal: number
  readonly bytesDone: number
}
export type ExecutionStatus = ReplicationExecution['status']

const tally = (status: TaskStatus) =>
  raw<number>`(SELECT count(*) FROM replication_tasks t WHERE t.execution_id = replication_executions.id AND t.status = ${status})`.mapWith(Number)

const sum = (column: 'bytes_total' | 'bytes_done') =>
  raw<number>`(SELECT coalesce(sum(t.${raw.identifier(column)}), 0) FROM replication_tasks t WHERE t.execution_id = replication_executions.id)`.mapWith(
    Number,
  )

const select = (sql: LibSQLDatabase) =>
  sql
    .select({
      id: replicationExecutions.id,
      policyId: replicationExecutions.policyId,
      trigger: replicationExecutions.trigger,
      status: replicationExecutions.status,
      statusText: replicationExecutions.statusText,
      note: replicationExecutions.note,
      operator: replicationExecutions.operator,
      startedAt: replicationExecutions.startedAt,
      endedAt: replicationExecutions.endedAt,
      total: raw<number>`(SELECT count(*) FROM replication_tasks t WHERE t.execution_id = replication_executions.id)`.mapWith(Number),
      pending: tally('Pending'),
      inProgress: tally('InProgress'),
      succeeded: tally('Succeed'),
      failed: tally('Failed'),
      stopped: tally('Stopped'),
      bytesTotal: sum('bytes_total'),
      bytesDone: sum('bytes_done'),
    })
    .from(replicationExecutions)

/** The status text of an execution whose job still adds tasks. */
const PLANNING = 'planning'

/** Begins a run; with `job`, the job that does it is enqueued in the same transaction, its payload made from the execution's id. */
export async function startExecution(
  db: Database,
  execution: { readonly policyId: number; readonly trigger: ReplicationTrigger; readonly operator: string },
  job?: (executionId: number) => NewJob,
): Promise<number> {
  return await db.write(async (connection) => {
    const { id } = await connection.sql
      .insert(replicationExecutions)
      .values({ ...execution, status: 'InProgress', statusText: job === undefined ? '' : PLANNING, startedAt: db.clock.now() })
      .returning({ id: replicationExecutions.id })
      .get()
    if (job !== undefined) await enqueueIn(db, connection, job(id))
    return id
  })
}

/**
 * As `startExecution`, once for the key of its job, however often it is asked for. undefined: that key was used before.
 */
export async function startExecutionOnce(
  db: Database,
  execution: { readonly policyId: number; readonly trigger: ReplicationTrigger; readonly operator: string },
  idempotencyKey: string,
  job: (executionId: number) => NewJob,
): Promise<number | undefined> {
  return await db.write(async (connection) => {
    const { sql } = connection
    if (await sql.select({ id: jobs.id }).from(jobs).where(eq(jobs.idempotencyKey, idempotencyKey)).get()) return undefined
    const { id } = await sql
      .insert(replicationExecutions)
      .values({ ...execution, status: 'InProgress', statusText: PLANNING, startedAt: db.clock.now() })
      .returning({ id: replicationExecutions.id })
      .get()
    await enqueueIn(db, connection, { ...job(id), idempotencyKey })
    return id
  })
}

/**
 * An event at a tag that a rule follows: begins a run for it at `runAt`, unless one that has not begun waits for the same tag; then that one
 * does what the newer event asks for. An event that was told before, or before a newer one of the same tag, does nothing.
 * Resolves with the run it made.
 */
export async function startExecutionForEvent(
  db: Database,
  execution: { readonly policyId: number; readonly operator: string },
  only: OneTag,
  runAt: number,
): Promise<number | undefined> {
  const { policyId } = execution
  return await db.write(async (connection) => {
    const last = await lastOfMergeKey(connection, eventKey(policyId, only))
    if (last !== undefined) {
      const payload = last.payload as PlanPayload
      if (payload.only !== undefined && payload.only.seq >= only.seq) return undefined
      if (await replacePayloadIn(db, connection, last.id, { ...payload, only } satisfies PlanPayload)) return undefined
    }
    const { id } = await connection.sql
      .insert(replicationExecutions)
      .values({ ...execution, trigger: 'event_based', status: 'InProgress', statusText: PLANNING, startedAt: db.clock.now() })
      .returning({ id: replicationExecutions.id })
      .get()
    await enqueueIn(db, connection, planEvent(id, policyId, only, runAt))
    return id
  })
}

export function findExecution(db: Database, id: number): Promise<ReplicationExecution | undefined> {
  return select(db.read.sql).where(eq(replicationExecutions.id, id)).get()
}

/** Whether it still runs, without counting its tasks. */
export async function isInProgress(db: Database, id: number): Promise<boolean> {
  const row = await db.read.sql
    .select({ status: replicationExecutions.status })
    .from(replicationExecutions)
    .where(eq(replicationExecutions.id, id))
    .get()
  return row?.status === 'InProgress'
}

/** Whether an execution of the rule that began before this one still runs. */
export async function isAnotherInProgress(db: Database, { id, policyId }: Pick<ReplicationExecution, 'id' | 'policyId'>): Promise<boolean> {
  const row = await db.read.sql
    .select({ id: replicationExecutions.id })
    .from(replicationExecutions)
    .where(and(eq(replicationExecutions.policyId, policyId), eq(replicationExecutions.status, 'InProgress'), lt(replicationExecutions.id, id)))
    .limit(1)
    .get()
  return row !== undefined
}

const sortable = {
  id: replicationExecutions.id,
  status: replicationExecutions.status,
  trigger: replicationExecutions.trigger,
  start_time: replicationExecutions.startedAt,
  end_time: replicationExecutions.endedAt,
  creation_time: replicationExecutions.startedAt,
  update_time: raw`coalesce(${replicationExecutions.endedAt}, ${replicationExecutions.startedAt})`,
}

/** Newest first, unless sorted by its fields. */
export async function listExecutions(
  db: Database,
  filter: {
    readonly policyId?: number | undefined
    readonly status?: ExecutionStatus | undefined
    readonly trigger?: ReplicationTrigger | undefined
  },
  listing: Listing,
): Promise<Listed<ReplicationExecution>> {
  const condition = and(
    filter.policyId === undefined ? undefined : eq(replicationExecutions.policyId, filter.policyId),
    filter.status === undefined ? undefined : eq(replicationExecutions.status, filter.status),
    filter.trigger === undefined ? undefined : eq(replicationExecutions.trigger, filter.trigger),
  )
  const { limit, offset } = window(listing)
  const order = newestFirst(listing, sortable, replicationExecutions.id)
  // First which rows they are: how the tasks of each stand would be counted for every row that is sorted.
  const page = db.read.sql
    .select({ id: replicationExecutions.id })
    .from(replicationExecutions)
    .where(condition)
    .orderBy(...order)
    .limit(limit)
    .offset(offset)
  const items = await select(db.read.sql)
    .where(inArray(replicationExecutions.id, page))
    .orderBy(...order)
  const counted = await db.read.sql.select({ total: COUNT }).from(replicationExecutions).where(condition).get()
  return { items, total: counted?.total ?? 0 }
}

/** Ends an execution whose planning failed. One that has ended stays as it ended. */
export async function failExecution(db: Database, id: number, statusText: string): Promise<void> {
  await db.write((connection) => end(db, connection, id, 'Failed', statusText))
}

/** What keeps an execution from being planned, for people. */
export async function noteExecution(db: Database, id: number, note: string): Promise<void> {
  await db.write(({ sql }) =>
    sql
      .update(replicationExecutions)
      .set({ note })
      .where(and(eq(replicationExecutions.id, id), eq(replicationExecutions.status, 'InProgress'))),
  )
}

/** Ends an execution that need not run. One that has ended stays as it ended. */
export async function skipExecution(db: Database, id: number, statusText: string): Promise<void> {
  await db.write((connection) => end(db, connection, id, 'Stopped', statusText))
}

/** All tasks of an execution have been added: it ends when they have. Resolves with its status. */
export async function executionPlanned(db: Database, id: number): Promise<ExecutionStatus | undefined> {
  await db.write(({ sql }) =>
    sql
      .update(replicationExecutions)
      .set({ statusText: '', note: '' })
      .where(and(eq(replicationExecutions.id, id), eq(replicationExecutions.statusText, PLANNING))),
  )
  return await settleExecution(db, id)
}

/** Ends an execution all of whose tasks have ended: Failed if one has failed, else Stopped if one was stopped, else Succeed. Resolves with its status. */
export async function settleExecution(db: Database, id: number): Promise<ExecutionStatus | undefined> {
  return await db.write(async (connection) => {
    // Each task asks this at its end: only the last one may be worth counting all of them.
    const found = await connection.sql
      .select({ status: replicationExecutions.status, statusText: replicationExecutions.statusText })
      .from(replicationExecutions)
      .where(eq(replicationExecutions.id, id))
      .get()
    if (found?.status !== 'InProgress') return found?.status
    if (found.statusText === PLANNING || (await hasUnfinished(connection, id))) return 'InProgress'
    const execution = await select(connection.sql).where(eq(replicationExecutions.id, id)).get()
    if (execution === undefined) return undefined
    const status = execution.failed > 0 ? 'Failed' : execution.stopped > 0 ? 'Stopped' : 'Succeed'
    await end(db, connection, id, status, execution.failed > 0 ? `${execution.failed} of ${execution.total} tasks failed` : '')
    await audit(db, connection, execution, status)
    return status
  })
}

async function hasUnfinished({ sql }: WriteConnection, executionId: number): Promise<boolean> {
  for (const status of ['Pending', 'InProgress'] as const) {
    const one = await sql
      .select({ id: replicationTasks.id })
      .from(replicationTasks)
      .where(and(eq(replicationTasks.executionId, executionId), eq(replicationTasks.status, status)))
      .limit(1)
      .get()
    if (one !== undefined) return true
  }
  return false
}

/** Tells each project of this registry that it was about. */
async function audit(db: Database, connection: WriteConnection, execution: ReplicationExecution, status: ExecutionStatus): Promise<void> {
  const here = await connection.sql.all<{ id: number; name: string; rule: string }>(raw`
    SELECT DISTINCT p.id, p.name, r.name AS rule FROM replication_tasks t
      JOIN replication_policies r ON r.id = ${execution.policyId}
      JOIN projects p ON p.deleted_at IS NULL
        AND p.name = substr(CASE WHEN r.src_endpoint_id IS NULL THEN t.source ELSE t.destination END, 1,
          instr(CASE WHEN r.src_endpoint_id IS NULL THEN t.source ELSE t.destination END, '/') - 1)
      WHERE t.execution_id = ${execution.id}`)
  for (const { id: projectId, name, rule } of here) {
    const { id, succeeded, failed, stopped } = execution
    const detail = JSON.stringify({ project: name, rule, execution: id, status, succeeded, failed, stopped })
    const entry = { ...REPLICATED, time: db.clock.now(), actor: execution.operator, resource: rule, projectId, count: 1, detail }
    await appendAudit(connection, { ...entry, succeeded: status === 'Succeed' })
  }
}

/** Stops an execution, its unfinished tasks and their jobs. False: there is none, or it has ended. */
export async function stopExecution(db: Database, id: number): Promise<boolean> {
  return await db.write(async (connection) => {
    const { sql } = connection
    if (!(await end(db, connection, id, 'Stopped', ''))) return false
    const unfinished = and(eq(replicationTasks.executionId, id), inArray(replicationTasks.status, ['Pending', 'InProgress']))
    // By sets: there may be a hundred thousand of them.
    const theirs = sql.select({ jobId: replicationTasks.jobId }).from(replicationTasks).where(unfinished)
    await stopAllIn(db, connection, inArray(jobs.id, theirs))
    await sql.update(replicationTasks).set({ status: 'Stopped', endedAt: db.clock.now() }).where(unfinished)
    return true
  })
}

/** Forgets runs that ended before `before`, with their tasks, at most `limit`; resolves with how many. */
export async function forgetExecutionsBefore(db: Database, before: number, limit: number): Promise<number> {
  return await db.write(async ({ sql }) => {
    const old = sql.select({ id: replicationExecutions.id }).from(replicationExecutions).where(lt(replicationExecutions.endedAt, before)).limit(limit)
    return (await sql.delete(replicationExecutions).where(inArray(replicationExecutions.id, old)).returning({ id: replicationExecutions.id })).length
  })
}

async function end(db: Database, { sql }: WriteConnection, id: number, status: ExecutionStatus, statusText: string): Promise<boolean> {
  const rows = await sql
    .update(replicationExecutions)
    .set({ status, statusText, endedAt: db.clock.now() })
    .where(and(eq(replicationExecutions.id, id), eq(replicationExecutions.status, 'InProgress')))
    .returning({ id: replicationExecutions.id })
  return rows.length > 0
}

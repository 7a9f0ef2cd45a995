import { and, asc, desc, eq, gt, gte, lt, sql as raw } from 'drizzle-orm'
import type { WriteConnection } from './connection.ts'
import type { Database } from './database.ts'
import { enqueueIn, holdsLease, type Lease, type NewJob } from './jobs.ts'
import { LOG_LIMIT } from './limits.ts'
import { COUNT, type Listed, type Listing, ordering, window } from './listing.ts'
import { replicationExecutions, replicationTasks } from './tables/replication.ts'

/** What one execution does with one resource. */
export type ReplicationTask = Omit<typeof replicationTasks.$inferSelect, 'log'>
export type TaskStatus = ReplicationTask['status']

export interface NewReplicationTask {
  readonly resourceType: string
  readonly source: string
  readonly destination: string
  readonly operation: 'copy' | 'deletion'
}

export interface ReplicationTaskPatch {
  readonly status?: TaskStatus | undefined
  readonly bytesTotal?: number | undefined
  readonly bytesDone?: number | undefined
}

const task = {
  id: replicationTasks.id,
  executionId: replicationTasks.executionId,
  resourceType: replicationTasks.resourceType,
  source: replicationTasks.source,
  destination: replicationTasks.destination,
  operation: replicationTasks.operation,
  status: replicationTasks.status,
  jobId: replicationTasks.jobId,
  bytesTotal: replicationTasks.bytesTotal,
  bytesDone: replicationTasks.bytesDone,
  startedAt: replicationTasks.startedAt,
  endedAt: replicationTasks.endedAt,
}

const ENDED: readonly TaskStatus[] = ['Succeed', 'Failed', 'Stopped']

/** A task to be, and the job that does it, made from the task's id. */
export interface PlannedTask {
  readonly task: NewReplicationTask
  readonly job?: (taskId: number) => NewJob
}

/** Adds tasks, pending, with the jobs that do them, all in one transaction. undefined: the execution has ended, and gets no more of them. */
export async function addTasks(db: Database, executionId: number, planned: readonly PlannedTask[]): Promise<readonly number[] | undefined> {
  return await db.write(async (connection) => {
    const { sql } = connection
    const execution = await sql
      .select({ status: replicationExecutions.status })
      .from(replicationExecutions)
      .where(eq(replicationExecutions.id, executionId))
      .get()
    if (execution?.status !== 'InProgress') return undefined
    const ids: number[] = []
    for (const { task, job } of planned) {
      const { id } = await sql
        .insert(replicationTasks)
        .values({ ...task, executionId, status: 'Pending' })
        .returning({ id: replicationTasks.id })
        .get()
      ids.push(id)
      if (job === undefined) continue
      const { id: jobId } = await enqueueIn(db, connection, job(id))
      await sql.update(replicationTasks).set({ jobId }).where(eq(replicationTasks.id, id))
    }
    return ids
  })
}

/**
 * Progress or end of a task. An ended one stays as it ended; one that has succeeded has nothing left to move, whoever moved it. Start and end times come from the clock.
 * With a lease: false and nothing written once it is lost, for then somebody else has the say.
 */
export async function updateTask(db: Database, id: number, patch: ReplicationTaskPatch, lease?: Lease): Promise<boolean> {
  return await db.write(async (connection) => {
    const { sql } = connection
    if (!(await mayWrite(connection, lease))) return false
    const before = await sql
      .select({ status: replicationTasks.status, startedAt: replicationTasks.startedAt })
      .from(replicationTasks)
      .where(eq(replicationTasks.id, id))
      .get()
    if (before === undefined || ENDED.includes(before.status)) return false
    const now = db.clock.now()
    const { status, bytesTotal, bytesDone } = patch
    await sql
      .update(replicationTasks)
      .set({
        ...(status !== undefined && { status, endedAt: ENDED.includes(status) ? now : null }),
        ...(status !== undefined && status !== 'Pending' && before.startedAt === null && { startedAt: now }),
        ...(bytesTotal !== undefined && { bytesTotal }),
        ...(bytesDone !== undefined && { bytesDone }),
        ...(status === 'Succeed' && { bytesTotal: bytesDone ?? replicationTasks.bytesDone }),
      })
      .where(eq(replicationTasks.id, id))
    return true
  })
}

/** Adds to a task's log, whose oldest text goes when it grows beyond LOG_LIMIT characters. With a lease: false and nothing written once it is lost. */
export async function appendTaskLog(db: Database, id: number, text: string, lease?: Lease): Promise<boolean> {
  return await db.write(async (connection) => {
    if (!(await mayWrite(connection, lease))) return false
    await connection.sql
      .update(replicationTasks)
      .set({ log: raw`substr(${replicationTasks.log} || ${text.slice(-LOG_LIMIT)}, ${-LOG_LIMIT})` })
      .where(eq(replicationTasks.id, id))
    return true
  })
}

async function mayWrite(connection: WriteConnection, lease: Lease | undefined): Promise<boolean> {
  return lease === undefined || (await holdsLease(connection, lease))
}

export async function readTaskLog(db: Database, id: number): Promise<string | undefined> {
  return (await db.read.sql.select({ log: replicationTasks.log }).from(replicationTasks).where(eq(replicationTasks.id, id)).get())?.log
}

export function findTask(db: Database, id: number): Promise<ReplicationTask | undefined> {
  return db.read.sql.select(task).from(replicationTasks).where(eq(replicationTasks.id, id)).get()
}

/** The one that was added last: a plan that was broken off goes on behind it. */
export function lastTask(db: Database, executionId: number): Promise<ReplicationTask | undefined> {
  return db.read.sql
    .select(task)
    .from(replicationTasks)
    .where(eq(replicationTasks.executionId, executionId))
    .orderBy(desc(replicationTasks.id))
    .limit(1)
    .get()
}

/** Those that failed, behind the one with the id `after`, in the order of their ids. */
export function failedTasks(db: Database, executionId: number, after: number, limit: number): Promise<ReplicationTask[]> {
  return db.read.sql
    .select(task)
    .from(replicationTasks)
    .where(and(eq(replicationTasks.executionId, executionId), eq(replicationTasks.status, 'Failed'), gt(replicationTasks.id, after)))
    .orderBy(asc(replicationTasks.id))
    .limit(limit)
}

/** The tasks of an execution that copy into a repository of the destination, behind the one with the id `after`, in the order of their ids. */
export function copiesInto(db: Database, executionId: number, repository: string, after: number, limit: number): Promise<ReplicationTask[]> {
  const { destination, operation, id } = replicationTasks
  return db.read.sql
    .select(task)
    .from(replicationTasks)
    .where(
      and(
        eq(replicationTasks.executionId, executionId),
        // `team/app:[v1,v2]`: all texts with the beginning `team/app:[`.
        gte(destination, `${repository}:[`),
        lt(destination, `${repository}:\\`),
        eq(operation, 'copy'),
        gt(id, after),
      ),
    )
    .orderBy(asc(id))
    .limit(limit)
}

/** The first tasks of an execution whose source, or destination, is in a project, in the order of their ids. */
export function tasksOfProject(
  db: Database,
  executionId: number,
  side: 'source' | 'destination',
  project: string,
  limit: number,
): Promise<ReplicationTask[]> {
  const column = replicationTasks[side]
  return (
    db.read.sql
      .select(task)
      .from(replicationTasks)
      // `0` comes behind `/`: all texts with this beginning.
      .where(and(eq(replicationTasks.executionId, executionId), gte(column, `${project}/`), lt(column, `${project}0`)))
      .orderBy(asc(replicationTasks.id))
      .limit(limit)
  )
}

const sortable = {
  id: replicationTasks.id,
  status: replicationTasks.status,
  resource_type: replicationTasks.resourceType,
  start_time: replicationTasks.startedAt,
  end_time: replicationTasks.endedAt,
  creation_time: replicationTasks.id,
  update_time: raw`coalesce(${replicationTasks.endedAt}, ${replicationTasks.startedAt})`,
}

/** In the order of their ids, unless sorted by their fields. */
export async function listTasks(
  db: Database,
  executionId: number,
  filter: { readonly status?: TaskStatus | undefined; readonly resourceType?: string | undefined },
  listing: Listing,
): Promise<Listed<ReplicationTask>> {
  const condition = and(
    eq(replicationTasks.executionId, executionId),
    filter.status === undefined ? undefined : eq(replicationTasks.status, filter.status),
    filter.resourceType === undefined ? undefined : eq(replicationTasks.resourceType, filter.resourceType),
  )
  const { limit, offset } = window(listing)
  const items = await db.read.sql
    .select(task)
    .from(replicationTasks)
    .where(condition)
    .orderBy(...ordering(listing, sortable, replicationTasks.id))
    .limit(limit)
    .offset(offset)
  const counted = await db.read.sql.select({ total: COUNT }).from(replicationTasks).where(condition).get()
  return { items, total: counted?.total ?? 0 }
}

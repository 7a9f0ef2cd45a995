import { and, asc, desc, eq, inArray, lt, sql as raw } from 'drizzle-orm'
import type { RetentionCandidate, RetentionRule } from '../policy/retention.ts'
import type { Digest } from '../registry/spec/digests.ts'
import type { RepositoryName, Tag } from '../registry/spec/names.ts'
import { appendAudit } from './audit/chain.ts'
import { RETAINED } from './audit/events.ts'
import { tell } from './changes.ts'
import type { WriteConnection } from './connection.ts'
import type { Database } from './database.ts'
import { enqueueIn, stopIn } from './jobs.ts'
import { COUNT, type Listed, type Listing, window } from './listing.ts'
import { RETAIN, type RetainPayload } from './retention-jobs.ts'
import { deleteScheduleIn, putScheduleIn } from './schedules.ts'
import { projects } from './tables/projects.ts'
import { retentionExecutions, retentionPolicies, retentionTasks } from './tables/retention.ts'

export type RetentionPolicy = typeof retentionPolicies.$inferSelect
export type NumberedRule = RetentionRule & { readonly id: number }
export type RetentionExecution = typeof retentionExecutions.$inferSelect
export type RetentionTask = Omit<typeof retentionTasks.$inferSelect, 'log'>
export type RetentionTrigger = RetentionExecution['trigger']
export type RetentionStatus = RetentionExecution['status']

export interface NewRetentionPolicy {
  readonly projectId: number
  readonly rules: readonly NumberedRule[]
  readonly cron: string | null
}

/** What retention looks at. */
export interface Candidate extends RetentionCandidate {
  readonly digest: Digest
  readonly tags: readonly Tag[]
}

const purposeOf = (id: number) => `retention:${id}`

/** undefined: the project has one already. @throws SyntaxError for a cron expression that cannot be read */
export async function createRetentionPolicy(db: Database, policy: NewRetentionPolicy, actor: string): Promise<number | undefined> {
  return await db.write(async (connection) => {
    const { projectId } = policy
    const taken = await connection.sql
      .select({ id: retentionPolicies.id })
      .from(retentionPolicies)
      .where(eq(retentionPolicies.projectId, projectId))
      .get()
    if (taken !== undefined) return undefined
    const now = db.clock.now()
    const row = await connection.sql
      .insert(retentionPolicies)
      .values({ ...policy, createdAt: now, updatedAt: now })
      .returning()
      .get()
    await keepSchedule(db, connection, row)
    await noteInProject(connection, projectId, row.id)
    await tell(db, connection, { actor, kind: 'retention.created', subject: purposeOf(row.id), projectId })
    return row.id
  })
}

export function findRetentionPolicy(db: Database, id: number): Promise<RetentionPolicy | undefined> {
  return db.read.sql.select().from(retentionPolicies).where(eq(retentionPolicies.id, id)).get()
}

/** False: there is none. @throws SyntaxError for a cron expression that cannot be read */
export async function updateRetentionPolicy(
  db: Database,
  id: number,
  { rules, cron }: Pick<NewRetentionPolicy, 'rules' | 'cron'>,
  actor: string,
): Promise<boolean> {
  return await db.write(async (connection) => {
    const row = await connection.sql
      .update(retentionPolicies)
      .set({ rules, cron, updatedAt: db.clock.now() })
      .where(eq(retentionPolicies.id, id))
      .returning()
      .get()
    if (row === undefined) return false
    await keepSchedule(db, connection, row)
    await tell(db, connection, { actor, kind: 'retention.updated', subject: purposeOf(id), projectId: row.projectId })
    return true
  })
}

/** With the record of its executions; those that run are stopped. False: there is none. */
export async function deleteRetentionPolicy(db: Database, id: number, actor: string): Promise<boolean> {
  return await db.write((connection) => deleteRetentionPolicyIn(db, connection, id, actor))
}

/** Those of a project that goes, in its transaction. */
export async function deleteRetentionOfProject(db: Database, connection: WriteConnection, projectId: number, actor: string): Promise<void> {
  const policies = await connection.sql.select({ id: retentionPolicies.id }).from(retentionPolicies).where(eq(retentionPolicies.projectId, projectId))
  for (const { id } of policies) await deleteRetentionPolicyIn(db, connection, id, actor)
}

async function deleteRetentionPolicyIn(db: Database, connection: WriteConnection, id: number, actor: string): Promise<boolean> {
  const { sql } = connection
  const running = await sql
    .select()
    .from(retentionExecutions)
    .where(and(eq(retentionExecutions.policyId, id), eq(retentionExecutions.status, 'InProgress')))
  for (const { jobId } of running) if (jobId !== null) await stopIn(db, connection, jobId)
  await deleteScheduleIn(connection, purposeOf(id))
  const row = await sql.delete(retentionPolicies).where(eq(retentionPolicies.id, id)).returning({ projectId: retentionPolicies.projectId }).get()
  if (row === undefined) return false
  await noteInProject(connection, row.projectId, undefined)
  await tell(db, connection, { actor, kind: 'retention.deleted', subject: purposeOf(id), projectId: row.projectId })
  return true
}

/** Harbor's clients look for the policy in the project's metadata. */
async function noteInProject({ sql }: WriteConnection, projectId: number, policy: number | undefined): Promise<void> {
  await sql.run(
    policy === undefined
      ? raw`UPDATE projects SET metadata = json_remove(metadata, '$.retention_id') WHERE id = ${projectId}`
      : raw`UPDATE projects SET metadata = json_set(metadata, '$.retention_id', ${String(policy)}) WHERE id = ${projectId}`,
  )
}

async function keepSchedule(db: Database, connection: WriteConnection, { id, cron }: RetentionPolicy): Promise<void> {
  if (cron === null) {
    await deleteScheduleIn(connection, purposeOf(id))
    return
  }
  const payload: RetainPayload = { policyId: id }
  await putScheduleIn(db, connection, { purpose: purposeOf(id), type: 'Custom', cron, job: { kind: RETAIN, payload } })
}

/** Begins a run by hand, with the job that does it. */
export async function startRetention(db: Database, policyId: number, dryRun: boolean): Promise<number> {
  return await db.write(async (connection) => {
    const execution = await insertExecution(db, connection, { policyId, dryRun, trigger: 'Manual' })
    const payload: RetainPayload = { policyId, executionId: execution }
    const job = await enqueueIn(db, connection, { kind: RETAIN, payload })
    await connection.sql.update(retentionExecutions).set({ jobId: job.id }).where(eq(retentionExecutions.id, execution))
    return execution
  })
}

/** The execution of a job that a schedule enqueued: made with the first attempt. undefined: its policy is gone. */
export async function executionOfJob(db: Database, policyId: number, jobId: number): Promise<number | undefined> {
  return await db.write(async (connection) => {
    const { sql } = connection
    const there = await sql.select({ id: retentionExecutions.id }).from(retentionExecutions).where(eq(retentionExecutions.jobId, jobId)).get()
    if (there !== undefined) return there.id
    if ((await sql.select({ id: retentionPolicies.id }).from(retentionPolicies).where(eq(retentionPolicies.id, policyId)).get()) === undefined) return
    return await insertExecution(db, connection, { policyId, dryRun: false, trigger: 'Schedule', jobId })
  })
}

async function insertExecution(
  db: Database,
  { sql }: WriteConnection,
  execution: { readonly policyId: number; readonly dryRun: boolean; readonly trigger: RetentionTrigger; readonly jobId?: number },
): Promise<number> {
  const row = await sql
    .insert(retentionExecutions)
    .values({ ...execution, status: 'InProgress', startedAt: db.clock.now() })
    .returning({ id: retentionExecutions.id })
    .get()
  return row.id
}

export function findRetentionExecution(db: Database, id: number): Promise<RetentionExecution | undefined> {
  return db.read.sql.select().from(retentionExecutions).where(eq(retentionExecutions.id, id)).get()
}

/** Newest first. */
export async function listRetentionExecutions(db: Database, policyId: number, listing: Listing): Promise<Listed<RetentionExecution>> {
  const condition = eq(retentionExecutions.policyId, policyId)
  const { limit, offset } = window(listing)
  const items = await db.read.sql
    .select()
    .from(retentionExecutions)
    .where(condition)
    .orderBy(desc(retentionExecutions.id))
    .limit(limit)
    .offset(offset)
  const counted = await db.read.sql.select({ total: COUNT }).from(retentionExecutions).where(condition).get()
  return { items, total: counted?.total ?? 0 }
}

/** One that has ended stays as it ended. */
export async function endRetention(db: Database, id: number, status: Exclude<RetentionStatus, 'InProgress'>): Promise<void> {
  await db.write((connection) => endIn(db, connection, id, status))
}

/** Stops a run and its job; what is deleted stays deleted. False: it has ended. */
export async function stopRetention(db: Database, id: number): Promise<boolean> {
  return await db.write(async (connection) => {
    const row = await endIn(db, connection, id, 'Stopped')
    if (row?.jobId != null) await stopIn(db, connection, row.jobId)
    return row !== undefined
  })
}

async function endIn(db: Database, connection: WriteConnection, id: number, status: RetentionStatus): Promise<{ jobId: number | null } | undefined> {
  const { sql } = connection
  const endedAt = db.clock.now()
  const row = await sql
    .update(retentionExecutions)
    .set({ status, endedAt })
    .where(and(eq(retentionExecutions.id, id), eq(retentionExecutions.status, 'InProgress')))
    .returning({ jobId: retentionExecutions.jobId, policyId: retentionExecutions.policyId, dryRun: retentionExecutions.dryRun })
    .get()
  if (row === undefined) return undefined
  await sql
    .update(retentionTasks)
    .set({ status, endedAt })
    .where(and(eq(retentionTasks.executionId, id), eq(retentionTasks.status, 'InProgress')))
  const project = await sql
    .select({ id: projects.id, name: projects.name })
    .from(retentionPolicies)
    .innerJoin(projects, eq(projects.id, retentionPolicies.projectId))
    .where(eq(retentionPolicies.id, row.policyId))
    .get()
  if (project !== undefined) {
    const detail = JSON.stringify({ execution: id, status, dryRun: row.dryRun })
    const entry = { ...RETAINED, time: endedAt, actor: 'system', resource: project.name, projectId: project.id, count: 1, detail }
    await appendAudit(connection, { ...entry, succeeded: status === 'Succeed' })
  }
  return row
}

/** The task of a repository: made when it is begun. undefined: it was done by an earlier attempt. */
export async function beginRetentionTask(db: Database, executionId: number, repository: RepositoryName): Promise<number | undefined> {
  return await db.write(async ({ sql }) => {
    const now = db.clock.now()
    const row = await sql
      .insert(retentionTasks)
      .values({ executionId, repository, status: 'InProgress', startedAt: now })
      .onConflictDoUpdate({
        target: [retentionTasks.executionId, retentionTasks.repository],
        set: { startedAt: now },
        setWhere: eq(retentionTasks.status, 'InProgress'),
      })
      .returning({ id: retentionTasks.id })
      .get()
    return row?.id
  })
}

export async function finishRetentionTask(
  db: Database,
  id: number,
  result: { readonly total: number; readonly retained: number; readonly log: string },
): Promise<void> {
  await db.write(({ sql }) =>
    sql
      .update(retentionTasks)
      .set({ ...result, status: 'Succeed', endedAt: db.clock.now() })
      .where(eq(retentionTasks.id, id)),
  )
}

const task = {
  id: retentionTasks.id,
  executionId: retentionTasks.executionId,
  repository: retentionTasks.repository,
  status: retentionTasks.status,
  total: retentionTasks.total,
  retained: retentionTasks.retained,
  startedAt: retentionTasks.startedAt,
  endedAt: retentionTasks.endedAt,
}

export async function listRetentionTasks(db: Database, executionId: number, listing: Listing): Promise<Listed<RetentionTask>> {
  const condition = eq(retentionTasks.executionId, executionId)
  const { limit, offset } = window(listing)
  const items = await db.read.sql.select(task).from(retentionTasks).where(condition).orderBy(asc(retentionTasks.id)).limit(limit).offset(offset)
  const counted = await db.read.sql.select({ total: COUNT }).from(retentionTasks).where(condition).get()
  return { items, total: counted?.total ?? 0 }
}

/** Artifacts that an execution has looked at, and those that stayed. */
export async function retentionTotals(db: Database, executionId: number): Promise<{ readonly total: number; readonly retained: number }> {
  return await db.read.sql.get<{ total: number; retained: number }>(
    raw`SELECT coalesce(sum(total), 0) AS total, coalesce(sum(retained), 0) AS retained FROM retention_tasks WHERE execution_id = ${executionId}`,
  )
}

/** undefined: this execution has no such task. */
export async function retentionTaskLog(db: Database, executionId: number, id: number): Promise<string | undefined> {
  const condition = and(eq(retentionTasks.id, id), eq(retentionTasks.executionId, executionId))
  return (await db.read.sql.select({ log: retentionTasks.log }).from(retentionTasks).where(condition).get())?.log
}

/** Repositories of a project after `last`, in the order of their names' bytes. */
export async function repositoriesAfter(
  db: Database,
  projectId: number,
  last: string,
  limit: number,
): Promise<{ id: number; name: RepositoryName }[]> {
  return await db.read.sql.all<{ id: number; name: RepositoryName }>(
    raw`SELECT id, name FROM repositories WHERE project_id = ${projectId} AND listed = 1 AND name > ${last} ORDER BY name LIMIT ${limit}`,
  )
}

/** Artifacts of a repository that stand by themselves, by their digests, after `after` (empty: from the first), with their tags. */
export async function retentionCandidates(
  db: Database,
  repositoryId: number,
  after: string,
  limit: number,
): Promise<{ readonly items: readonly Candidate[]; readonly next: string | undefined }> {
  const rows = await db.read.sql.all<Omit<Candidate, 'tags'> & { tags: string }>(
    raw`SELECT m.digest, m.pushed_at AS pushedAt, m.pulled_at AS pulledAt,
        (SELECT json_group_array(t.name) FROM tags t WHERE t.repository_id = m.repository_id AND t.digest = m.digest) AS tags
      FROM manifests m WHERE m.repository_id = ${repositoryId} AND m.digest > ${after} AND +m.top = 1 ORDER BY m.digest LIMIT ${limit}`,
  )
  const items = rows.map(({ tags, ...row }) => ({ ...row, tags: JSON.parse(tags) as Tag[] }))
  return { items, next: rows.length < limit ? undefined : rows.at(-1)?.digest }
}

/** Forgets runs that ended before `before`, at most `limit`; resolves with how many. */
export async function forgetRetentionsBefore(db: Database, before: number, limit: number): Promise<number> {
  return await db.write(async ({ sql }) => {
    const old = sql.select({ id: retentionExecutions.id }).from(retentionExecutions).where(lt(retentionExecutions.endedAt, before)).limit(limit)
    return (await sql.delete(retentionExecutions).where(inArray(retentionExecutions.id, old)).returning({ id: retentionExecutions.id })).length
  })
}

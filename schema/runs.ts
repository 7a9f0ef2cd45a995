import { and, asc, eq, inArray, lt, lte, max, notInArray, sql as raw } from 'drizzle-orm'
import type { LibSQLDatabase } from 'drizzle-orm/libsql'
import type { WriteConnection } from './connection.ts'
import type { Database } from './database.ts'
import { LOG_LIMIT } from './limits.ts'
import { COUNT, type Listed, type Listing, newestFirst, ordering, window } from './listing.ts'
import { wished } from './matching.ts'
import { type RUN_STATUSES, runs, runTasks } from './tables/runs.ts'

export type RunStatus = (typeof RUN_STATUSES)[number]
export type RunKind = (typeof runs.$inferSelect)['kind']

/** What was done because of a policy, with how its tasks stand. Times in milliseconds since the epoch. */
export type Run = typeof runs.$inferSelect & { readonly counts: Readonly<Record<RunStatus, number>> }
export type RunTask = Omit<typeof runTasks.$inferSelect, 'log'>

export interface NewRun {
  readonly kind: RunKind
  readonly policyId: number
  readonly trigger: (typeof runs.$inferSelect)['trigger']
  readonly event: string
  readonly detail: Readonly<Record<string, unknown>>
  readonly tasks: readonly { readonly target: string; readonly detail: Readonly<Record<string, unknown>> }[]
  /** With a key that was ever used nothing new begins. */
  readonly key?: string
}

/** Written out, not as values: only so does SQLite know that the index of open tasks holds them all. */
const isOpen = raw`${runTasks.status} IN ('Pending', 'Running')`

const { log: _, ...shownOfTask } = columnsOf(runTasks)

/** Resolves with its id; undefined: the key was used. Without a task it has ended well already. */
export async function startRun(db: Database, run: NewRun): Promise<number | undefined> {
  const { tasks, key = null, ...rest } = run
  return await db.write(async ({ sql }) => {
    if (key !== null && (await sql.select({ id: runs.id }).from(runs).where(eq(runs.key, key)).get()) !== undefined) return undefined
    const now = db.clock.now()
    const done = tasks.length === 0
    const { id } = await sql
      .insert(runs)
      .values({ ...rest, key, status: done ? 'Success' : 'Running', startedAt: now, endedAt: done ? now : null })
      .returning({ id: runs.id })
      .get()
    for (const { target, detail } of tasks) {
      await sql.insert(runTasks).values({ runId: id, kind: run.kind, target, detail, status: 'Pending', runAt: now, createdAt: now, updatedAt: now })
    }
    return id
  })
}

export function findRun(db: Database, kind: RunKind, policyId: number, id: number): Promise<Run | undefined> {
  return select(db.read.sql)
    .where(and(eq(runs.kind, kind), eq(runs.policyId, policyId), eq(runs.id, id)))
    .get()
    .then((row) => row && withCounts(row))
}

/** undefined: there is no such run. */
export async function policyOfRun(db: Database, id: number): Promise<number | undefined> {
  return (await db.read.sql.select({ policyId: runs.policyId }).from(runs).where(eq(runs.id, id)).get())?.policyId
}

const searched = {
  id: runs.id,
  trigger: runs.trigger,
  event_type: runs.event,
  start_time: runs.startedAt,
  end_time: runs.endedAt,
  creation_time: runs.startedAt,
  update_time: raw`coalesce(${runs.endedAt}, ${runs.startedAt})`,
}

const searchedOfTask = {
  id: runTasks.id,
  run_count: runTasks.attempts,
  creation_time: runTasks.createdAt,
  update_time: runTasks.updatedAt,
  start_time: runTasks.startedAt,
  end_time: runTasks.endedAt,
}

/** Newest first, unless sorted by their fields. */
export async function listRuns(
  db: Database,
  filter: { readonly kind: RunKind; readonly policyId: number; readonly status?: readonly RunStatus[] | undefined },
  listing: Listing,
): Promise<Listed<Run>> {
  const condition = and(
    eq(runs.kind, filter.kind),
    eq(runs.policyId, filter.policyId),
    filter.status === undefined ? undefined : inArray(runs.status, [...filter.status]),
    wished(listing, searched),
  )
  const { limit, offset } = window(listing)
  const order = newestFirst(listing, searched, runs.id)
  // First which rows they are: how the tasks of each stand would be counted for every row that is sorted.
  const page = db.read.sql
    .select({ id: runs.id })
    .from(runs)
    .where(condition)
    .orderBy(...order)
    .limit(limit)
    .offset(offset)
  const items = await select(db.read.sql)
    .where(inArray(runs.id, page))
    .orderBy(...order)
  const counted = await db.read.sql.select({ total: COUNT }).from(runs).where(condition).get()
  return { items: items.map(withCounts), total: counted?.total ?? 0 }
}

/** In the order of their ids, unless sorted by their fields. */
export async function listRunTasks(
  db: Database,
  runId: number,
  { status }: { readonly status?: readonly RunStatus[] | undefined },
  listing: Listing,
): Promise<Listed<RunTask>> {
  const condition = and(eq(runTasks.runId, runId), status && inArray(runTasks.status, [...status]), wished(listing, searchedOfTask))
  const { limit, offset } = window(listing)
  const items = await db.read.sql
    .select(shownOfTask)
    .from(runTasks)
    .where(condition)
    .orderBy(...ordering(listing, searchedOfTask, runTasks.id))
    .limit(limit)
    .offset(offset)
  const counted = await db.read.sql.select({ total: COUNT }).from(runTasks).where(condition).get()
  return { items, total: counted?.total ?? 0 }
}

/** undefined: the run has no such task. */
export async function readRunLog(db: Database, runId: number, taskId: number): Promise<string | undefined> {
  const condition = and(eq(runTasks.runId, runId), eq(runTasks.id, taskId))
  return (await db.read.sql.select({ log: runTasks.log }).from(runTasks).where(condition).get())?.log
}

/** When each kind of event last began a run of a policy. */
export async function lastRuns(db: Database, kind: RunKind, policyId: number): Promise<ReadonlyMap<string, number>> {
  const rows = await db.read.sql
    .select({ event: runs.event, at: max(runs.startedAt) })
    .from(runs)
    .where(and(eq(runs.kind, kind), eq(runs.policyId, policyId)))
    .groupBy(runs.event)
  return new Map(rows.flatMap(({ event, at }) => (at === null ? [] : [[event, at]])))
}

/** Takes the oldest task that is due of each target that is not busy; at most `limit`. For one process at a time. */
export async function takeTasks(db: Database, kind: RunKind, busy: readonly string[], limit: number): Promise<RunTask[]> {
  const now = db.clock.now()
  const open = and(eq(runTasks.kind, kind), isOpen)
  // Asking costs no commit.
  const due = await db.read.sql
    .select({ id: raw<number>`min(${runTasks.id})`.mapWith(Number) })
    .from(runTasks)
    .where(and(open, lte(runTasks.runAt, now), busy.length === 0 ? undefined : notInArray(runTasks.target, [...busy])))
    .groupBy(runTasks.target)
    .limit(limit)
  if (due.length === 0) return []
  return await db.write(({ sql }) =>
    sql
      .update(runTasks)
      .set({ status: 'Running', attempts: raw`${runTasks.attempts} + 1`, startedAt: raw`coalesce(${runTasks.startedAt}, ${now})`, updatedAt: now })
      .where(
        and(
          open,
          inArray(
            runTasks.id,
            due.map(({ id }) => id),
          ),
        ),
      )
      .returning(shownOfTask),
  )
}

/** When the next task may run (milliseconds since the epoch); undefined: none waits. */
export async function nextTaskAt(db: Database, kind: RunKind): Promise<number | undefined> {
  const open = and(eq(runTasks.kind, kind), isOpen)
  return (
    (
      await db.read.sql
        .select({ at: raw<number | null>`min(${runTasks.runAt})` })
        .from(runTasks)
        .where(open)
        .get()
    )?.at ?? undefined
  )
}

/** How an attempt went: ended, or to be tried again at a time. What was stopped meanwhile stays stopped. */
export async function settleTask(
  db: Database,
  task: Pick<RunTask, 'id' | 'runId'>,
  outcome: { readonly status: 'Success' | 'Error'; readonly text: string } | { readonly again: number; readonly text: string },
  log: string,
): Promise<void> {
  await db.write(async (connection) => {
    const { sql } = connection
    const now = db.clock.now()
    const ended = 'status' in outcome
    const rows = await sql
      .update(runTasks)
      .set({
        ...(ended ? { status: outcome.status, endedAt: now } : { status: 'Pending' as const, runAt: outcome.again }),
        statusText: outcome.text,
        log: raw`substr(${runTasks.log} || ${log}, -${raw.raw(String(LOG_LIMIT))})`,
        updatedAt: now,
      })
      .where(and(eq(runTasks.id, task.id), isOpen))
      .returning({ id: runTasks.id })
    if (rows.length > 0 && ended) await settleRun(connection, task.runId, now)
  })
}

/** Nothing more of it is begun. False: it has ended. */
export async function stopRun(db: Database, id: number): Promise<boolean> {
  return await db.write(async (connection) => {
    const now = db.clock.now()
    const stopped = await connection.sql
      .update(runTasks)
      .set({ status: 'Stopped', endedAt: now, updatedAt: now })
      .where(and(eq(runTasks.runId, id), isOpen))
      .returning({ id: runTasks.id })
    if (stopped.length > 0) await settleRun(connection, id, now)
    return stopped.length > 0
  })
}

/** Forgets runs that ended before `before`, at most `limit`; resolves with how many. */
export async function forgetRunsBefore(db: Database, before: number, limit: number): Promise<number> {
  return await db.write(async ({ sql }) => {
    const old = sql.select({ id: runs.id }).from(runs).where(lt(runs.endedAt, before)).orderBy(asc(runs.endedAt)).limit(limit)
    return (await sql.delete(runs).where(inArray(runs.id, old)).returning({ id: runs.id })).length
  })
}

async function settleRun({ sql }: WriteConnection, id: number, now: number): Promise<void> {
  const states = await sql.select({ status: runTasks.status }).from(runTasks).where(eq(runTasks.runId, id)).groupBy(runTasks.status)
  const has = (status: RunStatus) => states.some((each) => each.status === status)
  if (has('Pending') || has('Running')) return
  const status = has('Error') ? 'Error' : has('Stopped') ? 'Stopped' : 'Success'
  await sql.update(runs).set({ status, endedAt: now }).where(eq(runs.id, id))
}

const tally = (status: RunStatus) => raw<number>`(SELECT count(*) FROM run_tasks t WHERE t.run_id = runs.id AND t.status = ${status})`.mapWith(Number)

const select = (sql: LibSQLDatabase) =>
  sql
    .select({
      run: runs,
      Pending: tally('Pending'),
      Running: tally('Running'),
      Success: tally('Success'),
      Error: tally('Error'),
      Stopped: tally('Stopped'),
    })
    .from(runs)

function withCounts({ run, ...counts }: { readonly run: typeof runs.$inferSelect } & Record<RunStatus, number>): Run {
  return { ...run, counts }
}

function columnsOf<T extends typeof runTasks>(table: T) {
  const { id, runId, kind, target, detail, status, statusText, attempts, runAt, log, createdAt, updatedAt, startedAt, endedAt } = table
  return { id, runId, kind, target, detail, status, statusText, attempts, runAt, log, createdAt, updatedAt, startedAt, endedAt }
}

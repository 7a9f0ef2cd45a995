import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { sql as raw } from 'drizzle-orm'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Database } from '../schema/database.ts'
import { createEndpoint } from '../schema/endpoints.ts'
import { countJobs, type Job } from '../schema/jobs.ts'
import { createReplicationPolicy } from '../schema/replication.ts'
import { findExecution, startExecution, stopExecution } from '../schema/replication-executions.ts'
import { REPLICATE } from '../schema/replication-jobs.ts'
import { memoryLog } from '../test/support/bare-registry.ts'
import { TestClock } from '../test/support/clock.ts'
import { type TemporaryDatabase, temporaryDatabase } from '../test/support/database.ts'
import { databaseJobs } from './job-store.ts'
import { Scheduler } from './scheduler.ts'

const QUEUED = 100_000
const LANES = 20
const DONE = 400
/** Far below what as many jobs would take: one is some 600 bytes. */
const HEAP_GROWTH = 16 * 1024 ** 2

let held: TemporaryDatabase
let db: Database
const clock = new TestClock()

beforeEach(async () => {
  held = await temporaryDatabase({ clock })
  db = held.db
})
afterEach(() => held[Symbol.asyncDispose]())

/** An execution with this many tasks and their jobs, of all priorities and ages, every third before its time. */
async function queue(): Promise<number> {
  for (let n = 1; n <= LANES; n++) await createEndpoint(db, { name: `e${n}`, type: 'harbor', url: `https://e${n}.example` }, 'system')
  const rule = { name: 'rule', destinationEndpointId: 1, trigger: 'manual', filters: [], creator: 'system' } as const
  const { id: policyId } = await createReplicationPolicy(db, rule, 'system')
  const execution = await startExecution(db, { policyId, trigger: 'manual', operator: 'system' })
  const now = clock.now()
  await db.write(async ({ sql }) => {
    const numbers = raw`WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${QUEUED})`
    await sql.run(raw`
      INSERT INTO jobs (id, kind, payload, state, priority, lane, run_at, max_attempts, created_at, updated_at)
      ${numbers} SELECT n, ${REPLICATE}, '{}', 'queued', n * 7 % 3, 1 + n * 13 % ${LANES},
        CASE n % 3 WHEN 0 THEN ${now} + n ELSE ${now} - n * 31 % 1009 END, 5, ${now}, ${now} FROM numbers`)
    await sql.run(raw`
      INSERT INTO replication_tasks (execution_id, resource_type, source, destination, operation, status, job_id)
      ${numbers} SELECT ${execution}, 'image', 'team/app:v' || n, 'team/app:v' || n, 'copy', 'Pending', n FROM numbers`)
  })
  return execution
}

/** What lives on, once all that does not is gone. */
function heap(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  return process.memoryUsage().heapUsed
}

/** As they are to begin, of each lane. */
async function inOrder(): Promise<Map<number, number[]>> {
  const rows = await db.read.sql.all<{ id: number; lane: number }>(
    raw`SELECT id, lane FROM jobs WHERE run_at <= ${clock.now()} ORDER BY lane, priority DESC, run_at, id`,
  )
  const lanes = new Map<number, number[]>()
  for (const { id, lane } of rows) {
    const ids = lanes.get(lane) ?? []
    lanes.set(lane, ids)
    ids.push(id)
  }
  return lanes
}

it('a hundred thousand tasks that wait begin in order, and a process holds none but those that it does', async () => {
  const before = heap()
  const execution = await queue()
  const begun: Pick<Job, 'id' | 'lane'>[] = []
  const enough = Promise.withResolvers<void>()
  const run = async ({ id, lane }: Job) => {
    begun.push({ id, lane })
    if (begun.length === DONE) enough.resolve()
  }
  const handlers = new Map([[REPLICATE, { run }]])
  const scheduler = new Scheduler({ jobs: databaseJobs(db), handlers, owner: 'one', concurrency: 4, clock, log: memoryLog(), random: () => 1 })
  await enough.promise
  const after = heap()
  await scheduler.stop()
  expect(after - before).toBeLessThan(HEAP_GROWTH)
  for (const [lane, wanted] of await inOrder()) {
    const ids = begun.filter((job) => job.lane === lane).map(({ id }) => id)
    expect(ids.length).toBeGreaterThan(0)
    expect(ids).toEqual(wanted.slice(0, ids.length))
  }
  expect(await stopExecution(db, execution)).toBe(true)
  expect(heap() - before).toBeLessThan(HEAP_GROWTH)
  expect(await findExecution(db, execution)).toMatchObject({ status: 'Stopped', stopped: QUEUED })
  expect((await countJobs(db)).some(({ state }) => state === 'queued' || state === 'running')).toBe(false)
}, 120_000)

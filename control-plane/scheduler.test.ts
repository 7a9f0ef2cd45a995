import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { RegistryError } from '../registry/spec/errors.ts'
import { appendChange } from '../schema/changes.ts'
import { type Database, openDatabase } from '../schema/database.ts'
import { enqueueJob, findJob, finishJob, type Job, leaseJob, stopJob } from '../schema/jobs.ts'
import { memoryLog } from '../test/support/bare-registry.ts'
import { TestClock } from '../test/support/clock.ts'
import { databaseJobs } from './job-store.ts'
import { LEASE_MS, POLL_MS, WATCH_MS } from './limits.ts'
import { type JobHandler, Scheduler } from './scheduler.ts'

let clock: TestClock
let db: Database
let folder: string
const schedulers: Scheduler[] = []

beforeEach(async () => {
  clock = new TestClock()
  folder = await mkdtemp(join(tmpdir(), 'atoll-scheduler-'))
  db = await openDatabase({ url: `file:${join(folder, 'atoll.db')}`, clock })
})

afterEach(async () => {
  for (const scheduler of schedulers.splice(0)) await scheduler.stop()
  await db.close()
  await rm(folder, { recursive: true, force: true })
})

function schedule(handler: JobHandler, owner = 'one', concurrency = 2): Scheduler {
  const scheduler = new Scheduler({
    jobs: databaseJobs(db),
    handlers: new Map([['work', handler]]),
    owner,
    concurrency,
    clock,
    log: memoryLog(),
    random: () => 1,
  })
  schedulers.push(scheduler)
  return scheduler
}

/** Resolves with the job once it is in this state, looking after each commit. */
function reaches(id: number, state: Job['state']): Promise<Job> {
  return new Promise((resolve, reject) => {
    const look = () => {
      findJob(db, id).then((job) => {
        if (job?.state !== state) return
        unsubscribe()
        resolve(job)
      }, reject)
    }
    const unsubscribe = db.onCommit(look)
    look()
  })
}

const forEver = (signal: AbortSignal) => new Promise<never>((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))

describe('the scheduler', () => {
  it('does each job once, however many take jobs', async () => {
    const done: number[] = []
    const handler: JobHandler = { run: async (job) => void done.push(job.id) }
    schedule(handler, 'one')
    schedule(handler, 'two')
    const jobs = await Promise.all(Array.from({ length: 20 }, () => enqueueJob(db, { kind: 'work', payload: {} })))
    for (const { id } of jobs) await reaches(id, 'succeeded')
    expect(done.sort((a, b) => a - b)).toEqual(jobs.map(({ id }) => id).sort((a, b) => a - b))
  })

  it('is woken by commits with jobs and by its poll, not by each push', async () => {
    schedule({ run: async () => undefined })
    await clock.waitedFor(POLL_MS)
    // As another process would: nobody here is told of the job.
    const { lastInsertRowid } = await db.write(({ sql }) =>
      sql.run("INSERT INTO jobs (kind, payload, state, run_at, max_attempts, created_at, updated_at) VALUES ('work', '{}', 'queued', 0, 9, 0, 0)"),
    )
    const id = Number(lastInsertRowid)
    for (let n = 0; n < 10; n++) await appendChange(db, { actor: 'system', kind: 'tag.set', subject: 'team/app:v1' })
    expect((await findJob(db, id))?.state).toBe('queued')
    clock.advance(POLL_MS)
    await reaches(id, 'succeeded')
    const { id: own } = await enqueueJob(db, { kind: 'work', payload: {} })
    await reaches(own, 'succeeded')
  })

  it('takes over from one that died, whose word counts no more', async () => {
    const { id } = await enqueueJob(db, { kind: 'work', payload: {} })
    const dead = await leaseJob(db, { kinds: ['work'], owner: 'dead', leaseMs: LEASE_MS })
    clock.advance(LEASE_MS + 1)
    const attempts: number[] = []
    schedule({ run: async (job) => void attempts.push(job.attempts) })
    await reaches(id, 'succeeded')
    expect(attempts).toEqual([2])
    expect(dead && (await finishJob(db, dead))).toBe(false)
  })

  it('does not do again what was lost too often, and has its handler say that it failed', async () => {
    const { id } = await enqueueJob(db, { kind: 'work', payload: {}, maxAttempts: 1 })
    await leaseJob(db, { kinds: ['work'], owner: 'dead', leaseMs: LEASE_MS })
    clock.advance(LEASE_MS + 1)
    let ran = false
    const told: unknown[] = []
    schedule({
      run: async () => {
        ran = true
      },
      failed: async (_job, error, again) => void told.push([error, again]),
    })
    expect((await reaches(id, 'failed')).error).toMatch(/stopped without a word/)
    expect(ran).toBe(false)
    expect(told).toEqual([[expect.any(RegistryError), undefined]])
  })

  it('ends the work of a job that is stopped, and writes nothing about it', async () => {
    let ended: unknown
    let failed = false
    let begun = () => {}
    const running = new Promise<void>((resolve) => {
      begun = resolve
    })
    const over = new Promise<void>((resolve) => {
      schedule({
        run: async (_job, signal) => {
          begun()
          await forEver(signal).catch((error: unknown) => {
            ended = error
            resolve()
            throw error
          })
        },
        failed: async () => {
          failed = true
        },
      })
    })
    const { id } = await enqueueJob(db, { kind: 'work', payload: {} })
    await running
    await stopJob(db, id)
    await clock.waitedFor(WATCH_MS)
    clock.advance(WATCH_MS)
    await over
    expect(ended).toMatchObject({ name: 'LeaseLost' })
    await schedulers.splice(0)[0]?.stop()
    expect((await findJob(db, id))?.state).toBe('stopped')
    expect(failed).toBe(false)
  })

  it('gives jobs back when it shuts down, without counting the attempt', async () => {
    let begun = () => {}
    const running = new Promise<void>((resolve) => {
      begun = resolve
    })
    const scheduler = schedule({
      run: async (_job, signal) => {
        begun()
        await forEver(signal)
      },
    })
    const { id } = await enqueueJob(db, { kind: 'work', payload: {} })
    await running
    await scheduler.stop()
    expect(await findJob(db, id)).toMatchObject({ state: 'queued', attempts: 0 })
  })

  it('tries again after what time may mend, no sooner than it was asked to, and not after a refusal', async () => {
    const errors = [
      new RegistryError('TOOMANYREQUESTS', 'slowly', undefined, { headers: { 'Retry-After': '60' } }),
      new RegistryError('DENIED', 'no'),
    ]
    const told: (number | undefined)[] = []
    schedule({
      run: async () => {
        throw errors.shift()
      },
      failed: async (_job, _error, again) => void told.push(again),
    })
    const { id } = await enqueueJob(db, { kind: 'work', payload: {} })
    const waiting = await reaches(id, 'queued').then(
      () =>
        new Promise<Job>((resolve) => {
          const unsubscribe = db.onCommit(() => {
            findJob(db, id).then((job) => {
              if (job?.state !== 'queued' || job.attempts !== 1) return
              unsubscribe()
              resolve(job)
            })
          })
        }),
    )
    expect(waiting.runAt - clock.now()).toBe(60_000)
    clock.advance(60_000)
    expect(await reaches(id, 'failed')).toMatchObject({ attempts: 2, error: 'DENIED: no' })
    expect(told).toEqual([60_000, undefined])
  })

  it('does as much at once as it may, and no more', async () => {
    let now = 0
    let most = 0
    const two = Promise.withResolvers<void>()
    schedule({
      run: async () => {
        most = Math.max(most, ++now)
        if (now === 2) two.resolve()
        await two.promise
        await new Promise((resolve) => setImmediate(resolve))
        now--
      },
    })
    const jobs = await Promise.all(Array.from({ length: 6 }, () => enqueueJob(db, { kind: 'work', payload: {} })))
    for (const { id } of jobs) await reaches(id, 'succeeded')
    expect(most).toBe(2)
  })
})

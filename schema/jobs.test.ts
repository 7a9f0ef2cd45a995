import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type TemporaryDatabase, temporaryDatabase } from '../test/support/database.ts'
import { countJobs, dropEndedJobs, enqueueJob, failJob, findJob, finishJob, leaseJob, nextRunAt, releaseJob, renewLease, stopJob } from './jobs.ts'

describe('the queue of jobs', () => {
  let held: TemporaryDatabase
  let now = 1_000_000
  const delayMs = (attempts: number) => attempts * 100
  const ask = { kinds: ['copy', 'scan'], owner: 'worker', leaseMs: 1000 }
  const lease = async () => {
    const job = await leaseJob(held.db, ask)
    if (job === undefined) throw new RangeError('nothing to lease')
    return job
  }

  beforeEach(async () => {
    now = 1_000_000
    held = await temporaryDatabase({ clock: { now: () => now, after: () => () => undefined } })
  })
  afterEach(() => held[Symbol.asyncDispose]())

  it('gives each job to one worker, the most urgent first and then the oldest', async () => {
    for (const [kind, priority, runAt] of [
      ['copy', 0, 5],
      ['scan', 9, 7],
      ['copy', 9, 6],
      ['other', 99, 0],
      ['scan', 0, now + 1],
    ] as const) {
      await enqueueJob(held.db, { kind, payload: { kind, runAt }, priority, runAt })
    }
    const jobs = await Promise.all(Array.from({ length: 8 }, () => leaseJob(held.db, ask)))
    expect(jobs.map((job) => job?.payload)).toEqual([
      { kind: 'copy', runAt: 6 },
      { kind: 'scan', runAt: 7 },
      { kind: 'copy', runAt: 5 },
      ...Array(5).fill(undefined),
    ])
    expect(await nextRunAt(held.db, ['scan'])).toBe(now + 1)
  })

  it('takes back what a silent worker held, and lets that one write nothing more', async () => {
    await enqueueJob(held.db, { kind: 'copy', payload: {} })
    const first = await lease()
    expect(await leaseJob(held.db, ask)).toBeUndefined()
    now += 1001
    const second = await lease()
    expect(second).toMatchObject({ id: first.id, attempts: 2 })
    expect(second.fence).toBeGreaterThan(first.fence)
    expect(await renewLease(held.db, first, 1000)).toBe(false)
    expect(await finishJob(held.db, first)).toBe(false)
    expect(await failJob(held.db, first, { error: 'x', delayMs })).toBeUndefined()
    expect(await releaseJob(held.db, first)).toBe(false)
    expect(await renewLease(held.db, second, 1000, { bytes: 5 })).toBe(true)
    expect(await finishJob(held.db, second)).toBe(true)
    expect(await findJob(held.db, first.id)).toMatchObject({ state: 'succeeded', progress: { bytes: 5 }, leaseOwner: null })
  })

  it('keeps a job with whoever renews in time', async () => {
    await enqueueJob(held.db, { kind: 'copy', payload: {} })
    const job = await lease()
    for (let i = 0; i < 5; i++) {
      now += 900
      expect(await renewLease(held.db, job, 1000)).toBe(true)
      expect(await leaseJob(held.db, ask)).toBeUndefined()
    }
  })

  it('tries a failed job again later, as often as it may', async () => {
    await enqueueJob(held.db, { kind: 'copy', payload: {}, maxAttempts: 2 })
    expect(await failJob(held.db, await lease(), { error: 'first', delayMs })).toBe('queued')
    expect(await leaseJob(held.db, ask)).toBeUndefined()
    now += 100
    const again = await lease()
    expect(await failJob(held.db, again, { error: 'second', delayMs })).toBe('failed')
    expect(await findJob(held.db, again.id)).toMatchObject({ state: 'failed', error: 'second', attempts: 2 })
    now += 10_000
    expect(await leaseJob(held.db, ask)).toBeUndefined()
  })

  it('gives out a job whose workers died too often once more, only to be failed', async () => {
    const { id } = await enqueueJob(held.db, { kind: 'copy', payload: {}, maxAttempts: 1 })
    await lease()
    now += 1001
    const last = await lease()
    expect(last).toMatchObject({ id, attempts: 2, maxAttempts: 1 })
    await failJob(held.db, last, { error: 'lost', delayMs: () => 0 })
    expect(await findJob(held.db, id)).toMatchObject({ state: 'failed' })
  })

  it('takes a job back unharmed from a worker that shuts down', async () => {
    await enqueueJob(held.db, { kind: 'copy', payload: {}, maxAttempts: 1 })
    expect(await releaseJob(held.db, await lease())).toBe(true)
    expect(await lease()).toMatchObject({ attempts: 1, state: 'running' })
  })

  it('stops a job under its worker, who learns of it at the next renewal', async () => {
    await enqueueJob(held.db, { kind: 'copy', payload: {} })
    const job = await lease()
    expect(await stopJob(held.db, job.id)).toBe(true)
    expect(await stopJob(held.db, job.id)).toBe(false)
    expect(await renewLease(held.db, job, 1000)).toBe(false)
    expect(await countJobs(held.db)).toEqual([{ kind: 'copy', state: 'stopped', total: 1 }])
    expect(await dropEndedJobs(held.db, now + 1, 10)).toBe(1)
  })

  it('takes a job with a key once, however often it is asked for', async () => {
    const jobs = await Promise.all(Array.from({ length: 10 }, () => enqueueJob(held.db, { kind: 'copy', payload: {}, idempotencyKey: 'change:7' })))
    expect(new Set(jobs.map((job) => job.id)).size).toBe(1)
    await finishJob(held.db, await lease())
    expect((await enqueueJob(held.db, { kind: 'copy', payload: {}, idempotencyKey: 'change:7' })).state).toBe('succeeded')
  })
})

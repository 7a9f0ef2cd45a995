import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Pace } from '../../registry/copy/pace.ts'
import { enqueueJob, finishJob, type Job, leaseJob } from '../../schema/jobs.ts'
import { REPLICATE } from '../../schema/replication-jobs.ts'
import { type TemporaryDatabase, temporaryDatabase } from '../../test/support/database.ts'
import { SHARES_MS } from '../limits.ts'
import { Speeds } from './speeds.ts'

const silent = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() }

describe('the speed of a rule', () => {
  let held: TemporaryDatabase
  /** What each pace was told last, by the process whose it is. */
  let told: number[]
  let due: (() => void)[]
  const clock = {
    now: () => Date.now(),
    after: (ms: number, work: () => void) => {
      if (ms === SHARES_MS) due.push(work)
      return () => undefined
    },
  }

  beforeEach(async () => {
    held = await temporaryDatabase()
    told = []
    due = []
    vi.spyOn(Pace.prototype, 'bytesPerSecond', 'set').mockImplementation((value: number) => {
      told.push(value)
    })
  })
  afterEach(async () => {
    vi.restoreAllMocks()
    await held[Symbol.asyncDispose]()
  })

  const running = async (owner: string, policyId: number): Promise<Job> => {
    await enqueueJob(held.db, { kind: REPLICATE, payload: { policyId } })
    const job = await leaseJob(held.db, { kinds: [REPLICATE], owner, leaseMs: 60_000 })
    if (job === undefined) throw new Error('no job')
    return job
  }

  it('is divided among processes by how many of its tasks each runs, and again when one ends', async () => {
    const one = new Speeds({ db: held.db, clock, log: silent as never, owner: 'one' })
    const two = new Speeds({ db: held.db, clock, log: silent as never, owner: 'two' })
    const first = await running('one', 7)
    await running('one', 7)
    await running('two', 7)
    await running('two', 8)
    await one.take(7, 3_000)
    await two.take(7, 3_000)
    expect(told).toEqual([2_000, 1_000])
    await finishJob(held.db, first)
    for (const work of due.splice(0)) work()
    await vi.waitFor(() => expect(told).toHaveLength(4))
    expect(told.slice(2)).toEqual([1_500, 1_500])
  })

  it('is no limit at all when it is nothing', async () => {
    const one = new Speeds({ db: held.db, clock, log: silent as never, owner: 'one' })
    expect(await one.take(7, 0)).toBeUndefined()
  })
})

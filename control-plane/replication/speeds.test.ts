import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Pace } from '../../registry/copy/pace.ts'
import { createEndpoint, updateEndpoint } from '../../schema/endpoints.ts'
import { enqueueJob, finishJob, type Job, leaseJob } from '../../schema/jobs.ts'
import { createReplicationPolicy, type ReplicationPolicy } from '../../schema/replication.ts'
import { REPLICATE } from '../../schema/replication-jobs.ts'
import { type TemporaryDatabase, temporaryDatabase } from '../../test/support/database.ts'
import { SHARES_MS } from '../limits.ts'
import { Speeds, speedOfRule } from './speeds.ts'

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
    endpointId = (await createEndpoint(held.db, { name: 'there', type: 'harbor', url: 'https://there.example' }, 'system')).id
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

  let endpointId: number
  const ruleWith = (name: string, speed: number) =>
    createReplicationPolicy(held.db, { name, speed, destinationEndpointId: endpointId, trigger: 'manual', filters: [], creator: 'system' }, 'system')

  const running = async (owner: string, { id: policyId }: ReplicationPolicy): Promise<Job> => {
    await enqueueJob(held.db, { kind: REPLICATE, payload: { policyId }, lane: endpointId })
    const job = await leaseJob(held.db, { kinds: [REPLICATE], owner, leaseMs: 60_000 })
    if (job === undefined) throw new Error('no job')
    return job
  }
  const speeds = (owner: string) => new Speeds({ db: held.db, clock, log: silent as never, owner })
  const KIB = 1024

  it('is divided among processes by how many of its tasks each runs, and again when one ends', async () => {
    const [rule, other] = [await ruleWith('rule', 3_000), await ruleWith('other', 0)]
    const [one, two] = [speeds('one'), speeds('two')]
    const first = await running('one', rule)
    await running('one', rule)
    await running('two', rule)
    await running('two', other)
    await one.take(rule)
    await two.take(rule)
    expect(told).toEqual([2_000 * KIB, 1_000 * KIB])
    await finishJob(held.db, first)
    for (const work of due.splice(0)) work()
    await vi.waitFor(() => expect(told).toHaveLength(4))
    expect(told.slice(2)).toEqual([1_500 * KIB, 1_500 * KIB])
  })

  it('is no limit at all when it is nothing, nor is that of its endpoint', async () => {
    expect(await speeds('one').take(await ruleWith('rule', 0))).toBeUndefined()
  })

  it('is an even part of what its endpoint may take, wherever the tasks of others run, and follows what is set', async () => {
    await updateEndpoint(held.db, endpointId, { speed: 1_200 }, 'system')
    const [busy, single, slow] = [await ruleWith('busy', 0), await ruleWith('single', 0), await ruleWith('slow', 200)]
    for (const owner of ['one', 'one', 'two']) await running(owner, busy)
    await running('two', single)
    await running('two', slow)
    const [one, two] = [speeds('one'), speeds('two')]
    await one.take(busy)
    for (const rule of [busy, single, slow]) await two.take(rule)
    // 200 for the slow one; 1,000 for the other two, of which the busy one gives a third to each of its tasks.
    expect(told.map((speed) => Math.round(speed / KIB))).toEqual([333, 167, 500, 200])
    expect(Math.round(told.reduce((sum, speed) => sum + speed) / KIB)).toBe(1_200)
    told.length = 0
    await updateEndpoint(held.db, endpointId, { speed: 0 }, 'system')
    for (const work of due.splice(0)) work()
    await vi.waitFor(() => expect(told).toHaveLength(4))
    expect(told.sort((a, b) => a - b)).toEqual([200 * KIB, Infinity, Infinity, Infinity])
  })

  it('adds up to what the endpoint may take, or to what all rules want if that is less', () => {
    const speed = fc.integer({ min: 0, max: 10_000 })
    fc.assert(
      fc.property(speed, fc.array(speed, { minLength: 1, maxLength: 12 }), (total, own) => {
        const rules = own.map((speed, id) => ({ policyId: id, speed, tasks: new Map([['one', 1]]) }))
        const parts = rules.map(({ policyId: id, speed }) => speedOfRule({ speed: total, rules }, { id, speed }))
        const wanted = own.map((speed) => (speed > 0 ? speed : Infinity))
        const sum = parts.reduce((all, part) => all + part, 0)
        if (total === 0) {
          expect(parts).toEqual(wanted)
          return
        }
        expect(sum).toBeCloseTo(
          Math.min(
            total,
            wanted.reduce((all, want) => all + want, 0),
          ),
          3,
        )
        // Nobody has less than somebody else unless it wants no more.
        const most = Math.max(...parts)
        parts.forEach((part, id) => {
          if (part < most - 1e-6) expect(part).toBe(wanted[id])
        })
      }),
    )
  })
})

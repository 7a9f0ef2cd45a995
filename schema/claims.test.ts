import { sql as raw } from 'drizzle-orm'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../registry/clock.ts'
import { seeded } from '../test/bench/simulate/random.ts'
import { type TemporaryDatabase, temporaryDatabase } from '../test/support/database.ts'
import { type Claim, nextJobId, nextTime } from './claims.ts'
import { type Database, openDatabase } from './database.ts'
import { createEndpoint, deleteEndpoint, updateEndpoint } from './endpoints.ts'
import { enqueueJob, failJob, finishJob, type Job, leaseJob, nextRunAt } from './jobs.ts'

const KINDS = ['copy', 'plan']
const LEASE_MS = 1_000

describe('lanes of jobs', () => {
  let held: TemporaryDatabase
  let db: Database
  let now: number
  const clock = { now: () => now, after: () => () => undefined }

  beforeEach(async () => {
    now = 1_000_000
    held = await temporaryDatabase({ clock })
    db = held.db
  })
  afterEach(() => held[Symbol.asyncDispose]())

  const endpoint = async (name: string, jobsAtOnce = 0) =>
    (await createEndpoint(db, { name, type: 'harbor', url: `https://${name}.example`, jobsAtOnce }, 'system')).id
  const add = (lane: number, job: { priority?: number; runAt?: number; kind?: string } = {}) =>
    enqueueJob(db, { kind: 'copy', payload: {}, lane, runAt: now, ...job })
  const take = (claim: Partial<Claim> = {}) => leaseJob(db, { kinds: KINDS, owner: 'one', leaseMs: LEASE_MS, ...claim })
  const takeAll = async (claim: Partial<Claim> = {}) => {
    const taken: Job[] = []
    for (let job = await take(claim); job !== undefined; job = await take(claim)) taken.push(job)
    return taken
  }

  it('never have more at work than their endpoint allows, whichever processes ask', async () => {
    const [narrow, wide, free] = [await endpoint('narrow', 1), await endpoint('wide', 3), await endpoint('free')]
    for (let n = 0; n < 5; n++) for (const lane of [narrow, wide, free]) await add(lane)
    // Each with a connection of its own, as a process has.
    const processes = await Promise.all([1, 2].map(() => openDatabase({ url: held.url, clock: { ...clock, after: systemClock.after } })))
    try {
      const working: { process: Database; job: Job }[] = []
      const random = seeded(7)
      for (let done = 0; done < 15; ) {
        const asked = await Promise.all(
          Array.from({ length: 6 }, async (_, index) => {
            const process = processes[index % processes.length] as Database
            return { process, job: await leaseJob(process, { kinds: KINDS, owner: `process ${index % 2}`, leaseMs: LEASE_MS }) }
          }),
        )
        working.push(...asked.flatMap(({ process, job }) => (job === undefined ? [] : [{ process, job }])))
        const at = (lane: number) => working.filter(({ job }) => job.lane === lane).length
        expect(at(narrow)).toBeLessThanOrEqual(1)
        expect(at(wide)).toBeLessThanOrEqual(3)
        expect(working.length).toBeGreaterThan(0)
        const [ended] = working.splice(Math.floor(random() * working.length), 1)
        if (ended === undefined) break
        expect(await finishJob(ended.process, ended.job)).toBe(true)
        done++
      }
      expect(await take()).toBeUndefined()
    } finally {
      await Promise.all(processes.map((process) => process.close()))
    }
  })

  it('take turns: the one with less at work goes first, whatever waits longest in another', async () => {
    const [crowded, quiet] = [await endpoint('crowded'), await endpoint('quiet')]
    for (let n = 0; n < 20; n++) await add(crowded)
    now += 60_000
    for (let n = 0; n < 2; n++) await add(quiet)
    const lanes = []
    for (let n = 0; n < 6; n++) lanes.push((await take())?.lane)
    expect(lanes).toEqual([crowded, quiet, crowded, quiet, crowded, crowded])
  })

  it('follow what is set for their endpoint from the next job on', async () => {
    const lane = await endpoint('there', 1)
    for (let n = 0; n < 4; n++) await add(lane)
    expect(await takeAll()).toHaveLength(1)
    await updateEndpoint(db, lane, { jobsAtOnce: 3 }, 'system')
    expect(await takeAll()).toHaveLength(2)
    await updateEndpoint(db, lane, { jobsAtOnce: 0 }, 'system')
    expect(await takeAll()).toHaveLength(1)
  })

  it('may begin one of their own where others have all that a process does at once', async () => {
    const [slow, other] = [await endpoint('slow'), await endpoint('other')]
    for (let n = 0; n < 4; n++) await add(slow)
    expect(await takeAll()).toHaveLength(4)
    await add(slow)
    expect(await take({ idleLanesOnly: true })).toBeUndefined()
    await add(other)
    await add(other)
    await add(0, { kind: 'plan' })
    await add(0, { kind: 'plan' })
    await add(0, { kind: 'copy' })
    const beyond = await takeAll({ idleLanesOnly: true })
    expect(beyond.map(({ lane, kind }) => `${lane} ${kind}`).sort()).toEqual([`0 copy`, `0 plan`, `${other} copy`].sort())
    // Nobody is at work in a lane whose holders have all gone silent.
    now += LEASE_MS + 1
    expect(await take({ idleLanesOnly: true })).toMatchObject({ attempts: 2 })
  })

  it('are left alone after an endpoint did not answer, then asked by one job until one succeeds', async () => {
    const [dead, alive] = [await endpoint('dead'), await endpoint('alive')]
    for (let n = 0; n < 6; n++) await add(dead)
    const begun = [await take(), await take(), await take()] as Job[]
    const away = { error: 'away', delayMs: () => 100, pauseMs: (failures: number) => failures * 1_000 }
    for (const job of begun) await failJob(db, job, away)
    // Three at once are one failure.
    now += 999
    expect(await take()).toBeUndefined()
    expect(await nextRunAt(db, KINDS)).toBe(1_001_000)
    await add(alive)
    const other = (await take()) as Job
    expect(other.lane).toBe(alive)
    await finishJob(db, other)
    now += 1
    const [probe, ...more] = await takeAll()
    expect(more).toEqual([])
    await failJob(db, probe as Job, away)
    now += 1_999
    expect(await take()).toBeUndefined()
    now += 1
    await finishJob(db, (await take()) as Job)
    expect(await takeAll()).toHaveLength(5)
  })

  it('wait as long as their endpoint asks, and are forgotten with it', async () => {
    const lane = await endpoint('limited')
    const job = async () => {
      await add(lane)
      return (await take()) as Job
    }
    const [one, two] = [await job(), await job()]
    await failJob(db, one, { error: 'slowly', delayMs: () => 0, pauseMs: () => 60_000 })
    await failJob(db, two, { error: 'away', delayMs: () => 0, pauseMs: () => 1_000 })
    now += 59_999
    expect(await take()).toBeUndefined()
    await deleteEndpoint(db, lane, 'system')
    expect(await take()).toMatchObject({ lane })
  })

  it('give what is most urgent, then what waits longest, and nothing before its time: as a list that is looked through would', async () => {
    const lanes = [0, await endpoint('a'), await endpoint('b')]
    const job = fc.record({
      lane: fc.constantFrom(...lanes),
      kind: fc.constantFrom(...KINDS),
      priority: fc.integer({ min: -1, max: 2 }),
      wait: fc.nat(40),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(job, { maxLength: 25 }), async (wanted) => {
        for (const leftover of await takeAll()) await finishJob(db, leftover)
        const from = now
        const queue: Job[] = []
        for (const { wait, ...each } of wanted) queue.push(await enqueueJob(db, { ...each, payload: {}, runAt: from + wait }))
        for (; queue.length > 0; now += 10) {
          for (;;) {
            const due = queue.filter(({ runAt }) => runAt <= now)
            const best = due.sort((one, other) => other.priority - one.priority || one.runAt - other.runAt || one.id - other.id)[0]
            const taken = await take()
            expect(taken?.id).toBe(best?.id)
            if (taken === undefined) break
            // At once, so that no lane is busier than another.
            await finishJob(db, taken)
            queue.splice(
              queue.findIndex(({ id }) => id === taken.id),
              1,
            )
          }
        }
      }),
      { numRuns: 25 },
    )
  }, 120_000)

  it('of no kind give nothing', async () => {
    await add(0)
    expect(await take({ kinds: [] })).toBeUndefined()
    expect(await nextRunAt(db, [])).toBeUndefined()
  })

  it('are asked by their place in an index, whatever waits', async () => {
    for (const lane of [await endpoint('a'), await endpoint('b')]) for (let n = 0; n < 20; n++) await add(lane, { priority: n % 3 })
    const claim = { kinds: KINDS, owner: 'one', leaseMs: LEASE_MS }
    for (const question of [
      raw`SELECT ${nextJobId(claim, now)}`,
      raw`SELECT ${nextJobId({ ...claim, idleLanesOnly: true }, now)}`,
      nextTime(KINDS, now),
    ]) {
      const plan = (await db.read.sql.all<{ detail: string }>(raw`EXPLAIN QUERY PLAN ${question}`)).map(({ detail }) => detail)
      const ofJobs = plan.filter((detail) => /^(SCAN|SEARCH) (jobs|j|h|l|o)\b/.test(detail))
      expect(ofJobs.join()).toMatch(/state=\? AND kind=\? AND lane>\?\).*state=\? AND kind=\? AND lane=\? AND priority>\?\)/)
      for (const detail of ofJobs) expect(detail).toMatch(/^SEARCH \w+ USING (COVERING INDEX|INDEX|INTEGER PRIMARY KEY)/)
    }
  })
})

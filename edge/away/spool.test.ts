import { expect, test } from 'vitest'
import type { PullBatch, Pulled } from '../../mesh/pulls.ts'
import { systemClock } from '../../registry/clock.ts'
import type { Log } from '../../registry/log.ts'
import { parseDigest } from '../../registry/spec/digests.ts'
import { parseRepositoryName, parseTag } from '../../registry/spec/names.ts'
import { keptInMemory } from '../kept.ts'
import { SPOOL_BATCH_PULLS, SPOOL_BATCHES } from '../limits.ts'
import { Spool, type SpoolOptions } from './spool.ts'

const quiet: Log = { debug() {}, info() {}, warn() {}, error() {} }
const APP = parseRepositoryName('team/app')
const DIGEST = parseDigest(`sha256:${'ab'.repeat(32)}`)
const pull = (subject = 'user:3'): Pulled => ({ subject, repository: APP, digest: DIGEST, tag: parseTag('v1') })

/** Takes batches as an origin does: each number of a spool once. */
class Origin {
  readonly taken: PullBatch[] = []
  answers: (() => number)[] = []
  readonly #numbers = new Map<string, number>()

  get total(): number {
    return this.taken.reduce((sum, { pulls, lost }) => sum + lost + pulls.reduce((some, { count }) => some + count, 0), 0)
  }

  readonly mesh: SpoolOptions['mesh'] = {
    status: () => ({ state: 'connected' }),
    origin: {
      now: () => 1_000,
      ask: async (_method, _path, question) => {
        const batch = structuredClone(question?.json) as PullBatch
        if (batch.number > (this.#numbers.get(batch.spool) ?? 0)) {
          this.#numbers.set(batch.spool, batch.number)
          this.taken.push(batch)
        }
        return { status: this.answers.shift()?.() ?? 204, headers: new Headers(), text: '' }
      },
    },
  }
}

function setUp() {
  const kept = keptInMemory()
  const origin = new Origin()
  let ids = 0
  const open = () => Spool.open({ kept, mesh: origin.mesh, clock: systemClock, newId: () => `spool-${ids++}`, log: quiet })
  return { kept, origin, open }
}

test('pulls alike are one line with a number, and arrive once', async () => {
  const { origin, open } = setUp()
  const spool = await open()
  for (let i = 0; i < 5; i++) spool.note(pull())
  spool.note(pull('user:4'))
  await spool.write()
  await spool.send()
  expect(origin.taken.map(({ pulls }) => pulls.map(({ subject, count }) => [subject, count]))).toEqual([
    [
      ['user:3', 5],
      ['user:4', 1],
    ],
  ])
  await spool.send()
  expect([origin.total, spool.waiting]).toEqual([6, 0])
})

test('what was written down before a restart arrives after it, in order and once', async () => {
  const { origin, open, kept } = setUp()
  const before = await open()
  before.note(pull('user:1'))
  await before.write()
  before.note(pull('user:2'))
  await before.write()
  const after = await open()
  expect(after.waiting).toBe(1)
  after.note(pull('user:3'))
  await after.write()
  await after.send()
  expect(origin.taken.flatMap(({ pulls }) => pulls.map(({ subject }) => subject))).toEqual(['user:1', 'user:2', 'user:3'])
  expect(await Array.fromAsync(kept.keys('spool/batches/'))).toEqual([])
})

test('an answer that is lost on the way counts nothing twice, and loses nothing that came after', async () => {
  const { origin, open } = setUp()
  const spool = await open()
  const lost = () => {
    throw new Error('the line is cut')
  }
  origin.answers = [lost, lost]
  spool.note(pull())
  await spool.write()
  await expect(spool.send()).rejects.toThrow('cut')
  // It was taken: what comes now must not go into the same batch.
  spool.note(pull())
  await spool.write()
  await expect(spool.send()).rejects.toThrow('cut')
  await spool.send()
  expect([origin.total, spool.waiting]).toEqual([2, 0])
  await (await open()).send()
  expect(origin.total).toBe(2)
})

test('an origin that refuses for now is asked again; one that will never take a batch does not block the others', async () => {
  const { origin, open } = setUp()
  const spool = await open()
  origin.answers = [() => 503]
  spool.note(pull())
  await spool.write()
  await spool.send()
  expect(spool.waiting).toBe(1)
  origin.answers = [() => 400]
  await spool.send()
  expect(spool.waiting).toBe(0)
})

test('there is a bound: beyond it pulls are only counted, and the origin hears how many', async () => {
  const { origin, open, kept } = setUp()
  const spool = await open()
  let noted = 0
  for (let batch = 0; batch < SPOOL_BATCHES + 2; batch++) {
    for (let i = 0; i < SPOOL_BATCH_PULLS; i++, noted++) spool.note(pull(`user:${noted}`))
    await spool.write()
  }
  expect(await Array.fromAsync(kept.keys('spool/batches/'))).toHaveLength(SPOOL_BATCHES)
  await spool.send()
  spool.note(pull())
  noted++
  await spool.write()
  await spool.send()
  expect(origin.total).toBe(noted)
  expect(origin.taken.at(-1)?.lost).toBe(2 * SPOOL_BATCH_PULLS)
})

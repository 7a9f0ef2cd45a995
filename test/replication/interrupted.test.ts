import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ADMIN_PASSWORD, type AtollProcess, startAtoll } from '../support/atoll.ts'
import { pushImage, randomImage, type TestImage } from '../support/images.ts'
import { until } from '../support/until.ts'
import { type CountingProxy, countingProxy } from './counting-proxy.ts'
import { atollCli, atollJson, bytesAt, type Execution, pull, targetAt, taskLogs } from './sites.ts'

const LAYER = 64 * 1024 * 1024
const CUT_AFTER = 24 * 1024 * 1024
const SLOW = 24 * 1024 * 1024
/** So that what is to interrupt it comes before it has ended, however busy the machine is. */
const CRAWL = 256 * 1024
/** A dead process's job is given to another after its lease; nobody says so sooner. */
const RECOVERY_MS = 120_000

let a: AtollProcess
let b: AtollProcess
let toB: CountingProxy
let image: TestImage

beforeEach(async () => {
  ;[a, b] = await Promise.all([startAtoll({ role: 'origin' }), startAtoll({ role: 'origin' })])
  toB = await countingProxy(b.origin)
  image = randomImage({ layers: [LAYER] })
  await atollCli(a, 'project', 'create', 'team')
  await pushImage(targetAt(a, 'team/app'), image, '1')
  const made = await a.api('POST', '/api/v2.0/registries', {
    name: 'b',
    url: toB.url,
    type: 'harbor',
    credential: { type: 'basic', access_key: 'admin', access_secret: ADMIN_PASSWORD },
  })
  expect(made.status).toBe(201)
  await atollCli(a, 'replicate', 'rule', 'create', 'to-b', '--push-to', 'b', '--repository', 'team/**')
}, 120_000)

afterEach(async () => {
  for (const one of [toB, a, b]) await one?.[Symbol.asyncDispose]()
})

/** Starts the rule slowly, and resolves with its execution when a part of the layer has passed. */
async function halfWay(): Promise<number> {
  toB.bytesPerSecond = SLOW
  const { id } = await atollJson<Execution>(a, 'replicate', 'run', 'to-b')
  await toB.passed(CUT_AFTER)
  toB.bytesPerSecond = CRAWL
  return id
}

async function ends(id: number): Promise<Execution> {
  let execution: Execution | undefined
  await until(
    'the execution ends by itself',
    async () => {
      const answer = await a.api('GET', `/api/v2.0/replication/executions/${id}`)
      execution = (await answer.json()) as Execution
      return execution.status !== 'InProgress'
    },
    RECOVERY_MS,
  )
  if (!execution) throw new Error('no execution')
  return execution
}

/** The offset at which the log says that the layer was taken up again. */
async function takenUpAt(id: number): Promise<number> {
  const log = await taskLogs(a, id)
  const offsets = [...log.matchAll(/going on at byte (\d+) of (\d+)/g)].map((match) => Number(match[1]))
  const last = offsets.at(-1)
  if (last === undefined) throw new Error(`it was never taken up:\n${log}`)
  return last
}

async function expectWholeAtB(): Promise<void> {
  for (const { digest, bytes } of image.blobs) expect((await bytesAt(b, `team/app/blobs/${digest}`)).equals(bytes)).toBe(true)
  expect((await bytesAt(b, 'team/app/manifests/1')).equals(image.manifest.bytes)).toBe(true)
}

describe('a replication that is interrupted in the middle of a layer ends by itself, and moves only what is missing', () => {
  test('A is killed', async () => {
    const id = await halfWay()
    await a.kill()
    expect((await pull(b, 'team/app/manifests/1')).status, 'nothing is visible before it is whole').toBe(404)
    toB.bytesPerSecond = undefined
    await toB.idle()
    toB.reset()
    await a.restart()
    expect(await ends(id)).toMatchObject({ status: 'Succeed', succeed: 1, failed: 0 })
    const there = await takenUpAt(id)
    process.stdout.write(`A killed: B had ${there} of ${LAYER} bytes, ${toB.pushed} moved afterwards\n`)
    expect(there).toBeGreaterThan(CUT_AFTER / 2)
    expect(toB.pushed).toBeLessThanOrEqual(1.02 * (LAYER - there))
    await expectWholeAtB()
  }, 240_000)

  test('B is killed and comes back', async () => {
    const id = await halfWay()
    await b.kill()
    toB.bytesPerSecond = undefined
    await toB.idle()
    toB.reset()
    await b.restart()
    expect(await ends(id)).toMatchObject({ status: 'Succeed', succeed: 1, failed: 0 })
    const there = await takenUpAt(id)
    process.stdout.write(`B killed: it had ${there} of ${LAYER} bytes, ${toB.pushed} moved afterwards\n`)
    expect(there).toBeGreaterThan(CUT_AFTER / 2)
    expect(toB.pushed).toBeLessThanOrEqual(1.02 * (LAYER - there))
    await expectWholeAtB()
  }, 240_000)

  test('somebody stops it, and runs it again later', async () => {
    const id = await halfWay()
    await atollCli(a, 'replicate', 'stop', String(id))
    expect((await ends(id)).status).toBe('Stopped')
    toB.bytesPerSecond = undefined
    const again = await a.cli('replicate', 'run', 'to-b', '--wait', '--json')
    expect(again.code, again.stderr).toBe(0)
    const there = await takenUpAt((JSON.parse(again.stdout) as Execution).id)
    expect(there).toBeGreaterThan(CUT_AFTER / 2)
    await expectWholeAtB()
  }, 240_000)
})

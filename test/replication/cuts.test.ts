import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Random } from '../chaos/run/random.ts'
import { ADMIN_PASSWORD, type AtollProcess, startAtoll } from '../support/atoll.ts'
import { pushImage, randomImage, type TestImage } from '../support/images.ts'
import { type Cut, CutLink, type Direction } from './cut-link.ts'
import { atollCli, atollJson, bytesAt, type Execution, targetAt, taskLogs } from './sites.ts'

const MIB = 1024 * 1024
const LAYERS = [20 * MIB + 7, 28 * MIB, 20 * MIB + 12_345, 28 * MIB + 1]
const CUTS = 20
/** So that what is on its way at a cut is what would be on a link, not all that a machine can hold. */
const BYTES_PER_SECOND = 48 * MIB
const MOST = 1.02

const seed = Number(process.env.ATOLL_CUTS_SEED ?? Date.now() % 1_000_000)

let a: AtollProcess
let b: AtollProcess
let link: CutLink

beforeAll(async () => {
  ;[a, b] = await Promise.all([startAtoll({ role: 'origin' }), startAtoll({ role: 'origin' })])
  link = await CutLink.to(b.origin)
  const credential = { type: 'basic', access_key: 'admin', access_secret: ADMIN_PASSWORD }
  expect((await a.api('POST', '/api/v2.0/registries', { name: 'b', type: 'harbor', url: link.url, credential })).status).toBe(201)
}, 120_000)

afterAll(async () => {
  for (const one of [link, a, b]) await one?.[Symbol.asyncDispose]()
})

function randomCuts(name: string, size: number): Cut[] {
  const random = new Random(seed, name)
  return Array.from({ length: CUTS }, () => ({
    at: random.between(1, size),
    kind: random.one(['closed', 'reset'] as const),
    refused: random.between(0, 2),
  }))
}

async function prepared(project: string, at: AtollProcess): Promise<{ image: TestImage; size: number }> {
  await atollCli(at, 'project', 'create', project)
  const image = randomImage({ layers: LAYERS })
  await pushImage(targetAt(at, `${project}/app`), image, '1')
  return { image, size: image.blobs.reduce((sum, { bytes }) => sum + bytes.length, 0) }
}

/** Runs the rule to its good end over the link, and gives bytes moved by bytes missing. */
async function ratioOf(rule: string, direction: Direction, size: number, cuts: readonly Cut[]): Promise<number> {
  link.bytesPerSecond = BYTES_PER_SECOND
  link.reset(direction, cuts)
  const execution = await atollJson<Execution>(a, 'replicate', 'run', rule, '--wait')
  expect(execution.status, `seed ${seed}\n${await taskLogs(a, execution.id)}`).toBe('Succeed')
  const ratio = link.carried[direction] / size
  process.stdout.write(`seed ${seed}, ${rule}: ${link.cuts} cuts, ${link.carried[direction]} bytes for ${size}: ${ratio.toFixed(5)}\n`)
  expect(link.cuts, `seed ${seed}`).toBe(cuts.length)
  return ratio
}

async function expectWhole(site: AtollProcess, repository: string, image: TestImage): Promise<void> {
  for (const { digest, bytes } of image.blobs) expect((await bytesAt(site, `${repository}/blobs/${digest}`)).equals(bytes), digest).toBe(true)
  expect((await bytesAt(site, `${repository}/manifests/1`)).equals(image.manifest.bytes)).toBe(true)
}

describe.each([
  { direction: 'up', what: 'pushed to', flag: '--push-to', from: () => a, to: () => b },
  { direction: 'down', what: 'pulled from', flag: '--pull-from', from: () => b, to: () => a },
] as const)('what is $what another site', ({ direction, flag, from, to }) => {
  test('goes over a clean link once', async () => {
    const project = `clean-${direction}`
    const { image, size } = await prepared(project, from())
    await atollCli(a, 'replicate', 'rule', 'create', project, flag, 'b', '--repository', `${project}/**`)
    const ratio = await ratioOf(project, direction, size, [])
    await expectWhole(to(), `${project}/app`, image)
    // What is more than the blobs is manifests, tokens and heads.
    expect(ratio).toBeLessThan(1.001)
  }, 60_000)

  test(`arrives whole over a link that is cut ${CUTS} times, and moves hardly more than it must`, async () => {
    const project = `cut-${direction}`
    const { image, size } = await prepared(project, from())
    await atollCli(a, 'replicate', 'rule', 'create', project, flag, 'b', '--repository', `${project}/**`)
    const ratio = await ratioOf(project, direction, size, randomCuts(project, size))
    await expectWhole(to(), `${project}/app`, image)
    expect(ratio, `seed ${seed}`).toBeLessThanOrEqual(MOST)
  }, 120_000)
})

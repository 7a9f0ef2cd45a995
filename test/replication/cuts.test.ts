import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ADMIN_PASSWORD, type AtollProcess, startAtoll } from '../support/atoll.ts'
import { CutLink } from './cut-link.ts'
import { CUTS, expectWhole, type LargeImage, pushLargeImage, randomCuts, ratioOf } from './over-a-link.ts'
import { atollCli, bytesAt, targetAt } from './sites.ts'

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

describe.each([
  { direction: 'up', what: 'pushed to', flag: '--push-to', from: () => a, to: () => b },
  { direction: 'down', what: 'pulled from', flag: '--pull-from', from: () => b, to: () => a },
] as const)('what is $what another site', ({ direction, flag, from, to }) => {
  async function prepared(project: string): Promise<LargeImage> {
    await atollCli(from(), 'project', 'create', project)
    const large = await pushLargeImage(targetAt(from(), `${project}/app`))
    await atollCli(a, 'replicate', 'rule', 'create', project, flag, 'b', '--repository', `${project}/**`)
    return large
  }

  test('goes over a clean link once', async () => {
    const project = `clean-${direction}`
    const large = await prepared(project)
    const ratio = await ratioOf(a, project, link, { direction, size: large.size, cuts: [] })
    await expectWhole(large, (path) => bytesAt(to(), `${project}/app/${path}`))
    // What is more than the blobs is manifests, tokens and heads.
    expect(ratio).toBeLessThan(1.002)
  }, 120_000)

  test(`arrives whole over a link that is cut ${CUTS} times, and moves hardly more than it must`, async () => {
    const project = `cut-${direction}`
    const large = await prepared(project)
    const ratio = await ratioOf(a, project, link, { direction, size: large.size, cuts: randomCuts(project, large.size) })
    await expectWhole(large, (path) => bytesAt(to(), `${project}/app/${path}`))
    expect(ratio).toBeLessThanOrEqual(1.02)
  }, 120_000)
})

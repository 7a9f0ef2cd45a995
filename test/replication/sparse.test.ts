import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ADMIN_PASSWORD, type AtollProcess, startAtoll } from '../support/atoll.ts'
import { DISTRIBUTION, type Distribution, startDistribution } from '../support/distribution.ts'
import { pushImage, randomIndex, type TestImage } from '../support/images.ts'
import { atollCli, atollJson, type Execution, pull, pushSignature, targetAt, taskLogs } from './sites.ts'

let a: AtollProcess
let b: AtollProcess
let index: TestImage

beforeAll(async () => {
  ;[a, b] = await Promise.all([startAtoll({ role: 'origin' }), startAtoll({ role: 'origin' })])
  const credential = { type: 'basic', access_key: 'admin', access_secret: ADMIN_PASSWORD }
  expect((await a.api('POST', '/api/v2.0/registries', { name: 'b', type: 'atoll', url: `http://${b.origin}`, credential })).status).toBe(201)
  await atollCli(a, 'project', 'create', 'team')
  index = randomIndex(['amd64', 'arm64'])
  await pushImage(targetAt(a, 'team/app'), index, '1')
  for (const child of index.children) await pushSignature(targetAt(a, 'team/app'), child.manifest)
}, 120_000)

afterAll(async () => {
  for (const one of [a, b]) await one?.[Symbol.asyncDispose]()
})

async function run(rule: string): Promise<{ readonly status: string; readonly log: string }> {
  const answer = await a.cli('replicate', 'run', rule, '--wait', '--json')
  const { id, status } = JSON.parse(answer.stdout) as Execution
  return { status, log: await taskLogs(a, id) }
}

/** Of the parts of the index, those that B has, each with its signature. */
async function partsAtB(): Promise<readonly number[]> {
  const found: number[] = []
  for (const [at, { manifest }] of index.children.entries()) {
    const { status } = await pull(b, `team/app/manifests/${manifest.digest}`)
    const { manifests } = (await (await pull(b, `team/app/referrers/${manifest.digest}`)).json()) as { manifests: object[] }
    expect(manifests).toHaveLength(status === 200 ? 1 : 0)
    if (status === 200) found.push(at)
  }
  return found
}

describe('a rule that names platforms', () => {
  test('copies of an index the parts for those, and another rule brings the others', async () => {
    await atollCli(a, 'replicate', 'rule', 'create', 'some', '--push-to', 'b', '--repository', 'team/app', '--platform', 'linux/amd64')
    expect(await run('some')).toMatchObject({ status: 'Succeed' })
    expect(Buffer.from(await (await pull(b, 'team/app/manifests/1')).arrayBuffer()).equals(index.manifest.bytes)).toBe(true)
    expect(await partsAtB()).toEqual([0])
    // What went there for these platforms is not asked for again.
    expect((await run('some')).log).toContain('0 copied')
    await atollCli(a, 'replicate', 'rule', 'create', 'all', '--push-to', 'b', '--repository', 'team/app')
    expect(await run('all')).toMatchObject({ status: 'Succeed' })
    expect(await partsAtB()).toEqual([0, 1])
  }, 120_000)

  test('is refused with what is no platform', async () => {
    const answer = await a.cli('replicate', 'rule', 'create', 'wrong', '--push-to', 'b', '--platform', 'amd64')
    expect(answer.code).not.toBe(0)
    expect(answer.stderr).toContain('such as linux/amd64')
  }, 60_000)

  test.skipIf(DISTRIBUTION === undefined)(
    'says so where the destination takes no sparse index',
    async () => {
      await using there: Distribution = await startDistribution()
      expect((await a.api('POST', '/api/v2.0/registries', { name: 'there', type: 'docker-registry', url: there.url.href })).status).toBe(201)
      await atollCli(a, 'replicate', 'rule', 'create', 'out', '--push-to', 'there', '--repository', 'team/app', '--platform', 'linux/amd64')
      const { status, log } = await run('out')
      expect(status).toBe('Failed')
      expect(log).toContain('takes no index without all its parts')
      expect((await fetch(new URL('/v2/team/app/manifests/1', there.url))).status).toBe(404)
      await atollJson(a, 'replicate', 'rule', 'create', 'whole', '--push-to', 'there', '--repository', 'team/app')
      expect(await run('whole')).toMatchObject({ status: 'Succeed' })
    },
    120_000,
  )
})

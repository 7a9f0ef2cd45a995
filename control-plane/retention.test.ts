import { createHash } from 'node:crypto'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { RetentionRule } from '../policy/retention.ts'
import { type Digest, parseDigest } from '../registry/spec/digests.ts'
import { OCI_INDEX, OCI_MANIFEST } from '../registry/spec/media-types.ts'
import { parseRepositoryName, parseTag } from '../registry/spec/names.ts'
import { createImmutableRule } from '../schema/immutable-rules.ts'
import { releaseArtifacts } from '../schema/release-artifacts.ts'
import {
  createRetentionPolicy,
  deleteRetentionPolicy,
  findRetentionExecution,
  listRetentionExecutions,
  listRetentionTasks,
  retentionTaskLog,
  startRetention,
  updateRetentionPolicy,
} from '../schema/retention.ts'
import { type BareRegistry, bareRegistry } from '../test/support/bare-registry.ts'
import { controlPlaneOf } from '../test/support/control-plane.ts'
import { until } from '../test/support/until.ts'
import type { RunningControlPlane } from './start.ts'

const one = { page: 1, pageSize: 10 }
const config = { mediaType: 'application/x', digest: `sha256:${'a'.repeat(64)}`, size: 2 }
const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))
const digestOf = (bytes: Uint8Array): Digest => parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`)
const image = (n: number) => json({ schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [], annotations: { n: String(n) } })
const everything = [{ pattern: '**', excludes: false }]
const rule = (more: Partial<RetentionRule> & { id?: number } = {}) => ({
  id: 1,
  disabled: false,
  priority: 0,
  template: 'latestPushedK' as const,
  count: 1,
  repositories: everything,
  tags: everything,
  untagged: true,
  ...more,
})

let site: BareRegistry
let plane: RunningControlPlane
beforeEach(async () => {
  site = await bareRegistry({ projects: ['team'] })
  plane = controlPlaneOf(site)
})
afterEach(async () => {
  await plane.close()
  await site[Symbol.asyncDispose]()
})

const repository = (name: string) => site.local.as('user:1').repository(parseRepositoryName(name))
const put = (name: string, bytes: Uint8Array, tags: readonly string[], mediaType = OCI_MANIFEST) =>
  repository(name).manifests.put({ bytes, mediaType, tags: tags.map(parseTag) })
const tagsOf = async (name: string) => (await repository(name).tags.list({ limit: 100 }))?.items

/** Runs the policy and gives what it said of each repository. */
async function run(policy: number, dryRun = false): Promise<Record<string, string>> {
  const id = await startRetention(site.database, policy, dryRun)
  await until('the run has ended', async () => (await findRetentionExecution(site.database, id))?.status === 'Succeed')
  const { items } = await listRetentionTasks(site.database, id, one)
  const logs = await Promise.all(items.map(async (task) => [task.repository, await retentionTaskLog(site.database, id, task.id)] as const))
  return Object.fromEntries(logs.map(([name, log]) => [name, (log ?? '').replaceAll(/ sha256:\w+ /g, ': ')]))
}

it('deletes what no rule keeps, leaves alone what no rule is about, and says of each tag what became of it', async () => {
  const { database: db } = site
  await put('team/web/app', image(1), ['v1'])
  await put('team/web/app', image(2), ['v2', 'latest'])
  await put('team/web/app', image(3), ['v3'])
  await put('team/db', image(1), ['v1'])
  const production = rule({ id: 2, template: 'always', count: 0, tags: [{ pattern: 'latest', excludes: false }] })
  const rules = [
    rule({ repositories: [{ pattern: 'web/**', excludes: false }] }),
    { ...production, repositories: [{ pattern: 'web/*', excludes: false }] },
  ]
  const policy = (await createRetentionPolicy(db, { projectId: 1, rules, cron: null }, 'user:1')) ?? 0
  expect(await run(policy, true)).toEqual({
    'team/web/app': 'v1: would be deleted\nlatest: kept by rule 2 (always)\nv2: kept by rule 2 (always)\nv3: kept by rule 1 (latestPushedK 1)\n',
  })
  expect(await tagsOf('team/web/app')).toEqual(['latest', 'v1', 'v2', 'v3'])
  expect((await run(policy))['team/web/app']).toContain('v1: deleted\n')
  expect([await tagsOf('team/web/app'), await tagsOf('team/db')]).toEqual([['latest', 'v2', 'v3'], ['v1']])
  expect(await repository('team/web/app').manifests.get({ digest: digestOf(image(1)) })).toBeUndefined()
  const [execution] = (await listRetentionExecutions(db, policy, one)).items
  const [task] = (await listRetentionTasks(db, execution?.id ?? 0, one)).items
  expect(task).toMatchObject({ repository: 'team/web/app', total: 3, retained: 2, status: 'Succeed' })
})

it('takes only the tag of what an index needs, and nothing that is immutable', async () => {
  const { database: db } = site
  await put('team/app', image(1), ['part'])
  const index = json({
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests: [{ mediaType: OCI_MANIFEST, digest: digestOf(image(1)), size: image(1).length }],
  })
  await put('team/app', image(2), ['kept'])
  await put('team/app', index, ['latest'], OCI_INDEX)
  await createImmutableRule(
    db,
    { projectId: 1, disabled: false, priority: 0, repositories: everything, tags: [{ pattern: 'kept', excludes: false }] },
    'user:1',
  )
  const policy = (await createRetentionPolicy(db, { projectId: 1, rules: [rule()], cron: null }, 'user:1')) ?? 0
  expect(await run(policy, true), 'a dry run says the same').toEqual({
    'team/app':
      'part: would be untagged: an index needs the artifact\nkept: kept: a tag of it is immutable\nlatest: kept by rule 1 (latestPushedK 1)\n',
  })
  expect(await tagsOf('team/app')).toEqual(['kept', 'latest', 'part'])
  expect(await run(policy)).toEqual({
    'team/app': 'part: untagged: an index needs the artifact\nkept: kept: a tag of it is immutable\nlatest: kept by rule 1 (latestPushedK 1)\n',
  })
  expect(await tagsOf('team/app')).toEqual(['kept', 'latest'])
  const [real, dry] = (await listRetentionExecutions(db, policy, one)).items
  const counts = await Promise.all([dry, real].map(async (each) => (await listRetentionTasks(db, each?.id ?? 0, one)).items[0]))
  expect(counts).toMatchObject([1, 2].map(() => ({ total: 3, retained: 2 })))
  expect(await repository('team/app').manifests.get({ digest: digestOf(image(1)) })).toBeDefined()
})

it('takes with an index its children, and with each what is signed of it; and counts no signature', async () => {
  const { database: db } = site
  const named = (bytes: Uint8Array, mediaType = OCI_MANIFEST) => ({ mediaType, digest: digestOf(bytes), size: bytes.length })
  const beside = (bytes: Uint8Array) => `${digestOf(bytes).replace(':', '-')}.sig`
  const index = (of: Uint8Array) => json({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [named(of)] })
  const old = index(image(1))
  await put('team/app', image(1), [])
  await put('team/app', old, ['old'], OCI_INDEX)
  const signature = json({ schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [], subject: named(old, OCI_INDEX) })
  await put('team/app', signature, [])
  await put('team/app', image(2), [beside(image(1))])
  await put('team/app', image(3), [])
  await put('team/app', index(image(3)), ['new'], OCI_INDEX)
  await put('team/app', image(4), [beside(image(3))])
  const policy = (await createRetentionPolicy(db, { projectId: 1, rules: [rule()], cron: null }, 'user:1')) ?? 0
  expect(await run(policy)).toEqual({ 'team/app': 'old: deleted\nnew: kept by rule 1 (latestPushedK 1)\n' })
  expect(await tagsOf('team/app')).toEqual(['new', beside(image(3))])
  const stays = await Promise.all(
    [image(1), old, signature, image(2), image(3), image(4)].map(
      async (bytes) => (await repository('team/app').manifests.stat({ digest: digestOf(bytes) })) !== undefined,
    ),
  )
  expect(stays).toEqual([false, false, false, false, true, true])
})

it('leaves what was tagged again since it was looked at', async () => {
  await put('team/app', image(1), ['v1'])
  const seen = [{ digest: digestOf(image(1)), tags: [parseTag('v1')] }]
  await put('team/app', image(1), ['stable'])
  const outcomes = await releaseArtifacts(site.database, parseRepositoryName('team/app'), seen, 'system')
  expect([...outcomes.values()]).toEqual(['changed'])
  expect(await tagsOf('team/app')).toEqual(['stable', 'v1'])
})

it('runs at the times of its schedule, until the policy is deleted', async () => {
  const { database: db } = site
  await put('team/app', image(1), ['v1'])
  await put('team/app', image(2), ['v2'])
  const policy = (await createRetentionPolicy(db, { projectId: 1, rules: [rule()], cron: '* * * * * *' }, 'user:1')) ?? 0
  expect(await createRetentionPolicy(db, { projectId: 1, rules: [], cron: null }, 'user:1')).toBeUndefined()
  await until('it has run', async () => JSON.stringify(await tagsOf('team/app')) === '["v2"]')
  expect(await updateRetentionPolicy(db, policy, { rules: [], cron: null }, 'user:1')).toBe(true)
  await until('its run has ended', async () => (await listRetentionExecutions(db, policy, one)).items[0]?.status === 'Succeed')
  expect((await listRetentionExecutions(db, policy, one)).items[0]).toMatchObject({ trigger: 'Schedule', dryRun: false })
  expect([await deleteRetentionPolicy(db, policy, 'user:1'), await deleteRetentionPolicy(db, policy, 'user:1')]).toEqual([true, false])
})

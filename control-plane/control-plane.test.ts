import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../registry/clock.ts'
import type { Digest } from '../registry/spec/digests.ts'
import { parseRepositoryName, parseTag } from '../registry/spec/names.ts'
import { headOfChanges, readCursor } from '../schema/changes.ts'
import { createEndpoint } from '../schema/endpoints.ts'
import { createImmutableRule, deleteImmutableRule } from '../schema/immutable-rules.ts'
import { addLabel, createLabel } from '../schema/labels.ts'
import { createReplicationPolicy, type NewReplicationPolicy, updateReplicationPolicy } from '../schema/replication.ts'
import { findExecution, listExecutions, startExecution, stopExecution } from '../schema/replication-executions.ts'
import { planReplication } from '../schema/replication-jobs.ts'
import { listTasks, readTaskLog } from '../schema/replication-tasks.ts'
import { findSchedule } from '../schema/schedules.ts'
import { type BareRegistry, bareRegistry } from '../test/support/bare-registry.ts'
import { controlPlaneOf, pushLayer } from '../test/support/control-plane.ts'
import type { ControlPlaneOptions, RunningControlPlane } from './start.ts'

let here: BareRegistry
let there: BareRegistry
let endpointId: number
/** When set, the time at which the clock of `here` stands still. */
let stopped: number | undefined
const running: RunningControlPlane[] = []

beforeEach(async () => {
  stopped = undefined
  here = await bareRegistry({ projects: ['team'], clock: { ...systemClock, now: () => stopped ?? systemClock.now() } })
  there = await bareRegistry({ projects: ['team', 'mirror'] })
  endpointId = (await createEndpoint(here.database, { name: 'there', type: 'docker-registry', url: there.server.url }, 'system')).id
})

afterEach(async () => {
  for (const plane of running.splice(0)) await plane.close()
  await here[Symbol.asyncDispose]()
  await there[Symbol.asyncDispose]()
})

function start(site: BareRegistry, options: Partial<ControlPlaneOptions> = {}): RunningControlPlane {
  const plane = controlPlaneOf(site, options)
  running.push(plane)
  return plane
}

async function digestAt(site: BareRegistry, name: string, tag: string): Promise<Digest | undefined> {
  return (
    await site.local
      .as('system')
      .repository(parseRepositoryName(name))
      .manifests.stat({ tag: parseTag(tag) })
  )?.descriptor.digest
}

function policy(options: Partial<NewReplicationPolicy> = {}) {
  return createReplicationPolicy(
    here.database,
    { name: 'rule', destinationEndpointId: endpointId, trigger: 'manual', filters: [], creator: 'system', ...options },
    'system',
  )
}

function execute(policyId: number): Promise<number> {
  return startExecution(here.database, { policyId, trigger: 'manual', operator: 'admin' }, (executionId) => planReplication({ executionId }, null))
}

/** What an immutable rule is about: one tag, in every repository. */
function onlyTag(pattern: string) {
  return {
    repositories: [{ pattern: '**', excludes: false }],
    tags: [{ pattern, excludes: false }],
  }
}

/** Resolves when `holds` does, looking again after each commit. */
function eventually<T>(site: BareRegistry, look: () => Promise<T | undefined>): Promise<T> {
  return new Promise((resolve, reject) => {
    let ended = false
    const check = () => {
      look().then((found) => {
        if (found === undefined || ended) return
        ended = true
        unsubscribe()
        resolve(found)
      }, reject)
    }
    const unsubscribe = site.database.onCommit(check)
    check()
  })
}

const ended = (id: number) =>
  eventually(here, async () => {
    const execution = await findExecution(here.database, id)
    return execution?.status === 'InProgress' ? undefined : execution
  })

describe('a replication rule', () => {
  it('runs at the times of its schedule as long as it is in force', async () => {
    const { id } = await policy({ trigger: 'scheduled', cron: '* * * * * *', singleActive: true })
    await pushLayer(here, 'team/app', 'v1')
    start(here)
    await eventually(there, () => digestAt(there, 'team/app', 'v1'))
    await updateReplicationPolicy(here.database, id, { enabled: false }, 'system')
    expect(await findSchedule(here.database, `replication:${id}`)).toBeUndefined()
    await updateReplicationPolicy(here.database, id, { enabled: true, cron: '0 0 3 * * *' }, 'system')
    expect((await findSchedule(here.database, `replication:${id}`))?.cron).toBe('0 0 3 * * *')
    await updateReplicationPolicy(here.database, id, { trigger: 'manual' }, 'system')
    expect(await findSchedule(here.database, `replication:${id}`)).toBeUndefined()
    const { items } = await listExecutions(here.database, { policyId: id }, { page: 1, pageSize: 1 })
    expect(items).toMatchObject([{ trigger: 'scheduled', operator: 'system' }])
  })

  it('pushes what its filters let through, under the names that it gives, and says what it did', async () => {
    const digest = await pushLayer(here, 'team/web/app', 'v1')
    await pushLayer(here, 'team/web/app', 'dev')
    await pushLayer(here, 'team/other', 'v1')
    start(here)
    const filters = [
      { type: 'name', value: 'team/web/**' },
      { type: 'tag', value: 'dev*', decoration: 'excludes' },
    ]
    const { id } = await policy({ filters, destinationNamespace: 'mirror', destinationReplaceCount: 1 })
    const execution = await ended(await execute(id))
    expect(execution).toMatchObject({ status: 'Succeed', total: 1, succeeded: 1 })
    expect(await digestAt(there, 'mirror/web/app', 'v1')).toBe(digest)
    expect(await digestAt(there, 'mirror/web/app', 'dev')).toBeUndefined()
    const [task] = (await listTasks(here.database, execution.id, {}, { page: 1, pageSize: 10 })).items
    expect(task).toMatchObject({
      source: 'team/web/app:[v1]',
      destination: 'mirror/web/app:[v1]',
      status: 'Succeed',
      bytesDone: 10_002,
      bytesTotal: 10_002,
    })
    expect(await readTaskLog(here.database, task?.id ?? 0)).toMatch(/Copying team\/web\/app:\[v1\].*\n(.*\n)*.*10002 bytes moved/)
  })

  it('a second run moves nothing and changes nothing', async () => {
    await pushLayer(here, 'team/app', 'v1')
    start(here)
    const { id } = await policy()
    await ended(await execute(id))
    const head = await headOfChanges(there.database)
    const execution = await ended(await execute(id))
    expect(execution).toMatchObject({ status: 'Succeed', succeeded: 1 })
    expect(await headOfChanges(there.database)).toBe(head)
  })

  it('pulls into a project that it makes, private', async () => {
    const digest = await pushLayer(there, 'team/app', 'v1')
    start(here)
    const { id } = await policy({
      sourceEndpointId: endpointId,
      destinationEndpointId: null,
      destinationNamespace: 'fresh',
      filters: [{ type: 'name', value: 'team/app' }],
    })
    expect(await ended(await execute(id))).toMatchObject({ status: 'Succeed' })
    expect(await digestAt(here, 'fresh/app', 'v1')).toBe(digest)
  })

  it('follows pushes and, where asked, deletions, once each, whoever follows', async () => {
    start(here)
    start(here, { owner: 'two' })
    const { id } = await policy({ trigger: 'event_based', replicateDeletion: true })
    const digest = await pushLayer(here, 'team/app', 'v1')
    await eventually(there, async () => ((await digestAt(there, 'team/app', 'v1')) === digest ? true : undefined))
    await here.local.as('user:1').repository(parseRepositoryName('team/app')).tags.delete(parseTag('v1'))
    await eventually(there, async () => ((await digestAt(there, 'team/app', 'v1')) === undefined ? true : undefined))
    const { items } = await listExecutions(here.database, { policyId: id }, { page: 1, pageSize: 10 })
    expect(items).toHaveLength(2)
  })

  it('passes over a change that cannot be followed, so that it keeps no other from being copied', { timeout: 60_000 }, async () => {
    await policy({ trigger: 'event_based' })
    const first = start(here)
    await pushLayer(here, 'team/app', 'first')
    await eventually(there, () => digestAt(there, 'team/app', 'first'))
    await first.close()
    await pushLayer(here, 'team/app', 'v1')
    // No number that can be read: whoever looks at these artifacts fails.
    await here.database.write(({ sql }) => sql.run('UPDATE manifests SET total_size = 9223372036854775807'))
    const other = await pushLayer(here, 'team/web', 'v1')
    start(here)
    await eventually(there, async () => ((await digestAt(there, 'team/web', 'v1')) === other ? true : undefined))
  })

  it('two sites that push to each other come to rest', async () => {
    const back = await createEndpoint(there.database, { name: 'here', type: 'docker-registry', url: here.server.url }, 'system')
    const rule = { name: 'rule', trigger: 'event_based' as const, filters: [], creator: 'system' }
    const forth = await createReplicationPolicy(here.database, { ...rule, destinationEndpointId: endpointId }, 'system')
    const answer = await createReplicationPolicy(there.database, { ...rule, destinationEndpointId: back.id }, 'system')
    start(here)
    start(there)
    const digest = await pushLayer(here, 'team/app', 'v1')
    await eventually(there, async () => ((await digestAt(there, 'team/app', 'v1')) === digest ? true : undefined))
    const execution = await eventually(there, async () => {
      const { items } = await listExecutions(there.database, { policyId: answer.id }, { page: 1, pageSize: 10 })
      return items.find(({ status }) => status !== 'InProgress')
    })
    expect(execution).toMatchObject({ status: 'Succeed' })
    expect((await listExecutions(here.database, { policyId: forth.id }, { page: 1, pageSize: 10 })).items).toHaveLength(1)
  })

  it('fails where two repositories would become one with different artifacts under one tag, and brings what they agree on', async () => {
    const same = await pushLayer(here, 'team/one/app', 'same', Buffer.from('a layer'))
    await pushLayer(here, 'team/two/app', 'same', Buffer.from('a layer'))
    await pushLayer(here, 'team/one/app', 'v1')
    await pushLayer(here, 'team/two/app', 'v1')
    const alone = await pushLayer(here, 'team/two/app', 'v2')
    start(here)
    const { id } = await policy({ destinationNamespace: 'mirror', destinationReplaceCount: -1 })
    const execution = await ended(await execute(id))
    expect(execution).toMatchObject({ status: 'Failed', total: 2, failed: 2 })
    expect(await Promise.all(['same', 'v1', 'v2'].map((tag) => digestAt(there, 'mirror/app', tag)))).toEqual([same, undefined, alone])
    for (const task of (await listTasks(here.database, execution.id, {}, { page: 1, pageSize: 10 })).items)
      expect(await readTaskLog(here.database, task.id)).toMatch(/team\/(one|two)\/app:v1 and team\/(one|two)\/app:v1 are different artifacts/)
    // With all of their names they do not meet.
    await updateReplicationPolicy(here.database, id, { destinationReplaceCount: 1 }, 'system')
    expect(await ended(await execute(id))).toMatchObject({ status: 'Succeed', total: 2 })
  })

  it.each(['manual', 'scheduled'] as const)(
    'without override a %s one leaves a tag that is something else there, says so, and succeeds',
    async (trigger) => {
      await pushLayer(here, 'team/app', 'v1')
      const fresh = await pushLayer(here, 'team/app', 'v2')
      const theirs = await pushLayer(there, 'team/app', 'v1')
      start(here)
      const { id } = await policy({ override: false, trigger, cron: '0 0 3 * * *' })
      const execution = await ended(await execute(id))
      expect(execution).toMatchObject({ status: 'Succeed', succeeded: 1 })
      expect(await digestAt(there, 'team/app', 'v1')).toBe(theirs)
      expect(await digestAt(there, 'team/app', 'v2')).toBe(fresh)
      const [task] = (await listTasks(here.database, execution.id, {}, { page: 1, pageSize: 10 })).items
      expect(await readTaskLog(here.database, task?.id ?? 0)).toContain(`[WARNING] team/app:v1 stays ${theirs}`)
    },
  )

  it('stops when it is told to, in the middle of a blob', async () => {
    await pushLayer(here, 'team/app', 'v1', randomBytes(5_000_000))
    start(here)
    const { id } = await policy({ speed: 100 })
    const executionId = await execute(id)
    await eventually(here, async () => {
      const [task] = (await listTasks(here.database, executionId, {}, { page: 1, pageSize: 10 })).items
      return (task?.bytesDone ?? 0) > 0 || undefined
    })
    expect(await stopExecution(here.database, executionId)).toBe(true)
    expect(await ended(executionId)).toMatchObject({ status: 'Stopped', stopped: 1 })
    await running.splice(0)[0]?.close()
    expect(await digestAt(there, 'team/app', 'v1')).toBeUndefined()
  })

  it('a job that one process gives back is finished by another, from where it was', async () => {
    const digest = await pushLayer(here, 'team/app', 'v1', randomBytes(3_000_000))
    const first = start(here)
    const { id } = await policy({ speed: 1000 })
    const executionId = await execute(id)
    await eventually(here, async () => {
      const [task] = (await listTasks(here.database, executionId, {}, { page: 1, pageSize: 10 })).items
      return (task?.bytesDone ?? 0) > 0 || undefined
    })
    await first.close()
    expect(await findExecution(here.database, executionId)).toMatchObject({ status: 'InProgress' })
    start(here, { owner: 'two' })
    expect(await ended(executionId)).toMatchObject({ status: 'Succeed', total: 1 })
    expect(await digestAt(there, 'team/app', 'v1')).toBe(digest)
    const [task] = (await listTasks(here.database, executionId, {}, { page: 1, pageSize: 10 })).items
    expect(await readTaskLog(here.database, task?.id ?? 0)).toMatch(/going on at byte [1-9]/)
  })

  it('many pushes of one tag in a row make few executions, the last of which copies the last of them', async () => {
    const { id } = await policy({ trigger: 'event_based' })
    const first = start(here)
    await pushLayer(here, 'team/app', 'first')
    await eventually(there, () => digestAt(there, 'team/app', 'first'))
    await first.close()
    // No execution begins before all are read from the feed, however long that takes.
    stopped = systemClock.now()
    let last: Digest | undefined
    for (let i = 0; i < 20; i++) last = await pushLayer(here, 'team/app', 'v1')
    const head = await headOfChanges(here.database)
    start(here)
    await eventually(here, async () => ((await readCursor(here.database, 'replication')) === head ? true : undefined))
    stopped = undefined
    await eventually(there, async () => ((await digestAt(there, 'team/app', 'v1')) === last ? true : undefined))
    const { total } = await listExecutions(here.database, { policyId: id }, { page: 1, pageSize: 50 })
    expect(total).toBe(2)
  })

  it('copies what carries its labels, also when it gets them after the push', async () => {
    const label = { description: '', color: '', projectId: null }
    const released = await createLabel(here.database, { ...label, name: 'released' }, 'system')
    await policy({ trigger: 'event_based', filters: [{ type: 'label', value: ['released'] }] })
    start(here)
    const digest = await pushLayer(here, 'team/app', 'v1')
    await pushLayer(here, 'team/app', 'v2')
    await addLabel(here.database, { repository: parseRepositoryName('team/app'), digest }, released, 'system')
    await eventually(there, async () => ((await digestAt(there, 'team/app', 'v1')) === digest ? true : undefined))
    expect(await digestAt(there, 'team/app', 'v2')).toBeUndefined()
    const manual = await policy({ name: 'manual', filters: [{ type: 'label', value: ['released'] }], destinationNamespace: 'mirror' })
    expect(await ended(await execute(manual.id))).toMatchObject({ status: 'Succeed', total: 1 })
    expect(await digestAt(there, 'mirror/app', 'v1')).toBe(digest)
    expect(await digestAt(there, 'mirror/app', 'v2')).toBeUndefined()
  })

  it('one artifact that cannot be copied keeps no other from it, and only that one is done again', async () => {
    await pushLayer(here, 'team/app', 'a')
    const theirs = await pushLayer(there, 'team/app', 'a')
    const other = await pushLayer(here, 'team/app', 'b')
    await pushLayer(here, 'team/web', 'c')
    const rule = { projectId: 1, disabled: false, priority: 0, ...onlyTag('a') }
    const immutable = await createImmutableRule(there.database, rule, 'user:1')
    start(here)
    const { id } = await policy()
    const execution = await ended(await execute(id))
    expect(execution).toMatchObject({ status: 'Failed', total: 2, failed: 1, succeeded: 1 })
    expect(await digestAt(there, 'team/app', 'b')).toBe(other)
    const [failed] = (await listTasks(here.database, execution.id, { status: 'Failed' }, { page: 1, pageSize: 10 })).items
    expect(failed?.bytesDone, 'what has moved has moved').toBe(20_000)
    const lines = (await readTaskLog(here.database, failed?.id ?? 0))?.split('\n') ?? []
    expect(
      lines.filter((line) => line.includes('HTTP 412')),
      'said once',
    ).toEqual([expect.stringMatching(/\[ERROR\] team\/app:a, putting the manifest sha256:[0-9a-f]{64}: DENIED/)])
    await deleteImmutableRule(there.database, rule.projectId, immutable, 'user:1')
    const retried = await startExecution(here.database, { policyId: id, trigger: 'manual', operator: 'admin' }, (executionId) =>
      planReplication({ executionId, retryOf: execution.id }, null),
    )
    expect(await ended(retried)).toMatchObject({ status: 'Succeed', total: 1, succeeded: 1 })
    expect(await digestAt(there, 'team/app', 'a')).not.toBe(theirs)
  })

  it('counts what moved in all attempts, and names what failed and not what went on beside it', async () => {
    const layers = [randomBytes(200_000), randomBytes(200_000)]
    await pushLayer(here, 'team/app', 'v1', layers[0])
    await pushLayer(here, 'team/app', 'v2', layers[1])
    let puts = 0
    let opened = 0
    const unsteady: typeof fetch = async (input, init) => {
      const { method, url } = new Request(input, { ...init, body: null })
      const { pathname, search } = new URL(url)
      const isOpening = method === 'POST' && pathname.endsWith('/blobs/uploads/') && search === ''
      // The first time all bytes arrive and the manifests do not.
      if (method === 'PUT' && pathname.includes('/manifests/') && puts++ < 2)
        return new Response(null, { status: 503, headers: { 'retry-after': '1' } })
      if (isOpening && opened++ === 2) return new Response(null, { status: 403 })
      return await fetch(input, init)
    }
    start(here, { fetchFor: () => unsteady })
    const { id } = await policy()
    const execution = await ended(await execute(id))
    expect(execution).toMatchObject({ status: 'Succeed', bytesDone: 400_002, bytesTotal: 400_002 })

    await pushLayer(here, 'team/other', 'v3', randomBytes(200_000))
    const refused = await ended(await execute(id))
    expect(refused).toMatchObject({ status: 'Failed', failed: 1 })
    const [task] = (await listTasks(here.database, refused.id, { status: 'Failed' }, { page: 1, pageSize: 10 })).items
    expect(await readTaskLog(here.database, task?.id ?? 0)).toMatch(/team\/other:v3, opening an upload for the blob sha256:[0-9a-f]{64}: DENIED/)
  })

  it('that may run once at a time leaves out a second execution, and says so', async () => {
    await pushLayer(here, 'team/app', 'v1', randomBytes(3_000_000))
    const { id } = await policy({ speed: 1, singleActive: true })
    start(here)
    const first = await execute(id)
    await eventually(here, async () => ((await findExecution(here.database, first))?.total ? true : undefined))
    expect(await ended(await execute(id))).toMatchObject({ status: 'Stopped', statusText: expect.stringMatching(/^Skipped/), total: 0 })
    await stopExecution(here.database, first)
  })
})

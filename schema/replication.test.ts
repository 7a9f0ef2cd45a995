import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseDigest } from '../registry/spec/digests.ts'
import { parseRepositoryName, parseTag } from '../registry/spec/names.ts'
import { seed, type TemporaryDatabase, temporaryDatabase } from '../test/support/database.ts'
import { addTag, findArtifact, listArtifacts } from './artifacts.ts'
import type { Database } from './database.ts'
import { createEnrolmentToken, enrolEdge, findEdgeByName, listEdges, revokeEdge } from './edges.ts'
import { findJob, leaseJob, renewLease } from './jobs.ts'
import { LOG_LIMIT } from './limits.ts'
import { metadataStore } from './metadata-store.ts'
import { recordPulls } from './pulls.ts'
import { createReplicationPolicy, deleteReplicationPolicy, updateReplicationPolicy } from './replication.ts'
import { findExecution, settleExecution, startExecution, startExecutionForEvent, stopExecution } from './replication-executions.ts'
import { addTasks, appendTaskLog, findTask, listTasks, type PlannedTask, readTaskLog, updateTask } from './replication-tasks.ts'
import { findRepositorySummary, listRepositorySummaries } from './repositories.ts'
import { readStatistics } from './statistics.ts'

const listing = { page: 1, pageSize: 10 }
let held: TemporaryDatabase
beforeEach(async () => {
  held = await temporaryDatabase()
})
afterEach(() => held[Symbol.asyncDispose]())

describe('replication', () => {
  const policy = { name: 'rule', trigger: 'manual', filters: [], creator: 'user:1' } as const
  const task = { resourceType: 'image', source: 'a/b:1', destination: 'c/b:1', operation: 'copy' } as const
  const addTask = async (db: Database, execution: number, planned: PlannedTask['task'], job?: PlannedTask['job']): Promise<number> => {
    const [id] = (await addTasks(db, execution, [{ task: planned, ...(job && { job }) }])) ?? []
    if (id === undefined) throw new Error('the execution takes no more tasks')
    return id
  }
  const begin = async () => {
    const { id } = await createReplicationPolicy(held.db, { ...policy, name: `rule-${Math.random()}` }, 'user:1')
    return { policyId: id, execution: await startExecution(held.db, { policyId: id, trigger: 'manual', operator: 'user:1' }) }
  }

  it('an execution counts its own tasks, and ends as they ended', async () => {
    const { db } = held
    const other = await begin()
    await addTask(db, other.execution, task)
    const { execution } = await begin()
    const first = await addTask(db, execution, task)
    const second = await addTask(db, execution, task)
    await updateTask(db, first, { status: 'InProgress', bytesTotal: 10, bytesDone: 3 })
    expect(await findExecution(db, execution)).toMatchObject({
      total: 2,
      pending: 1,
      inProgress: 1,
      succeeded: 0,
      status: 'InProgress',
      endedAt: null,
    })
    expect(await settleExecution(db, execution)).toBe('InProgress')
    await updateTask(db, first, { status: 'Succeed', bytesDone: 10 })
    await updateTask(db, second, { status: 'Failed' })
    expect(await settleExecution(db, execution)).toBe('Failed')
    expect(await findExecution(db, execution)).toMatchObject({ succeeded: 1, failed: 1, statusText: '1 of 2 tasks failed' })
    expect((await listTasks(db, execution, { status: 'Succeed' }, listing)).items).toMatchObject([{ id: first, bytesDone: 10 }])
    expect(await findExecution(db, other.execution)).toMatchObject({ total: 1, pending: 1 })
  })

  it('a stopped execution takes its tasks and their jobs with it', async () => {
    const { db } = held
    const { policyId, execution } = await begin()
    const id = await addTask(db, execution, task, (taskId) => ({ kind: 'copy', payload: { taskId } }))
    const job = await leaseJob(db, { kinds: ['copy'], owner: 'w', leaseMs: 60_000 })
    expect(job?.payload).toEqual({ taskId: id })
    await expect(deleteReplicationPolicy(db, policyId, 'user:1')).rejects.toMatchObject({ status: 412 })
    expect(await stopExecution(db, execution)).toBe(true)
    expect(await stopExecution(db, execution)).toBe(false)
    expect(job && (await renewLease(db, job, 1000))).toBe(false)
    await updateTask(db, id, { status: 'Succeed' })
    expect(await findTask(db, id)).toMatchObject({ status: 'Stopped' })
    expect(job && (await findJob(db, job.id))?.state).toBe('stopped')
    await deleteReplicationPolicy(db, policyId, 'user:1')
    expect(await findTask(db, id)).toBeUndefined()
  })

  it('who has lost the lease on a task writes nothing more about it', async () => {
    const { db } = held
    const { execution } = await begin()
    const id = await addTask(db, execution, task, (taskId) => ({ kind: 'copy', payload: { taskId } }))
    const first = await leaseJob(db, { kinds: ['copy'], owner: 'one', leaseMs: -1 })
    const second = await leaseJob(db, { kinds: ['copy'], owner: 'two', leaseMs: 60_000 })
    if (first === undefined || second === undefined) throw new Error('no lease')
    expect(await updateTask(db, id, { status: 'Failed' }, first)).toBe(false)
    expect(await appendTaskLog(db, id, 'from the first', first)).toBe(false)
    expect(await appendTaskLog(db, id, 'from the second', second)).toBe(true)
    expect(await updateTask(db, id, { bytesTotal: 10, bytesDone: 7 }, second)).toBe(true)
    // Another run of the rule moved the rest.
    expect(await updateTask(db, id, { status: 'Succeed' }, second)).toBe(true)
    expect(await findTask(db, id)).toMatchObject({ status: 'Succeed', bytesDone: 7, bytesTotal: 7 })
    expect(await readTaskLog(db, id)).toBe('from the second')
  })

  it('events at one tag are one execution while it waits, the newest wins, and what was told before changes nothing', async () => {
    const { db } = held
    const { id: policyId } = await createReplicationPolicy(db, { ...policy, name: 'events' }, 'user:1')
    const tell = (seq: number, operation: 'copy' | 'deletion', tag = 'v1') =>
      startExecutionForEvent(db, { policyId, operator: 'user:1' }, { repository: parseRepositoryName('a/b'), tag: parseTag(tag), operation, seq }, 0)
    const lease = () => leaseJob(db, { kinds: ['replication.plan'], owner: 'one', leaseMs: 60_000 })
    expect(await tell(1, 'copy')).toBeDefined()
    expect(await tell(3, 'deletion')).toBeUndefined()
    expect(await tell(2, 'copy'), 'another process is late').toBeUndefined()
    expect(await tell(4, 'copy', 'v2')).toBeDefined()
    expect((await lease())?.payload).toMatchObject({ only: { tag: 'v1', operation: 'deletion', seq: 3 } })
    expect(await tell(3, 'deletion'), 'read again after a crash').toBeUndefined()
    expect(await tell(5, 'copy'), 'what has begun is not changed').toBeDefined()
    expect((await lease())?.payload).toMatchObject({ only: { tag: 'v2' } })
    expect((await lease())?.payload).toMatchObject({ only: { tag: 'v1', operation: 'copy', seq: 5 } })
    expect(await lease()).toBeUndefined()
  })

  it('keeps the end of a long log', async () => {
    const { db } = held
    const { execution } = await begin()
    const id = await addTask(db, execution, task)
    for (let i = 0; i < 5; i++) await appendTaskLog(db, id, `${i}`.repeat(LOG_LIMIT / 4))
    const log = await readTaskLog(db, id)
    expect(log).toHaveLength(LOG_LIMIT)
    expect(log?.startsWith('1')).toBe(true)
    expect(log?.endsWith('4')).toBe(true)
  })

  it('refuses a rule whose name is taken', async () => {
    const { id } = await createReplicationPolicy(held.db, policy, 'user:1')
    await expect(createReplicationPolicy(held.db, policy, 'user:1')).rejects.toMatchObject({ status: 409 })
    await updateReplicationPolicy(held.db, id, { speed: 100, name: 'rule' }, 'user:1')
    await expect(updateReplicationPolicy(held.db, id + 1, { speed: 1 }, 'user:1')).rejects.toMatchObject({ status: 404 })
  })
})

describe('an enrolment token', () => {
  const application = (id: string) => ({ tokenHash: 'hash', id, url: 'https://edge', publicJwk: { kty: 'OKP' }, version: '1' })

  it('is good once, however many try', async () => {
    const { db } = held
    await createEnrolmentToken(db, { hash: 'hash', name: 'fra', region: 'eu', expiresAt: Date.now() + 60_000, creator: 'user:1' })
    const edges = await Promise.all(Array.from({ length: 10 }, (_, i) => enrolEdge(db, application(`edge-${i}`))))
    expect(edges.filter((edge) => edge !== undefined)).toMatchObject([{ name: 'fra', region: 'eu', status: 'active' }])
    const edge = await findEdgeByName(db, 'fra')
    await expect(
      createEnrolmentToken(db, { hash: 'h2', name: 'fra', region: '', expiresAt: Date.now() + 1, creator: 'user:1' }),
    ).rejects.toMatchObject({
      status: 409,
    })
    expect(await revokeEdge(db, edge?.id ?? '', 'user:1')).toBe(true)
    expect(await revokeEdge(db, edge?.id ?? '', 'user:1')).toBe(false)
    expect(await listEdges(db, { limit: 10 })).toEqual([])
    expect(await listEdges(db, { limit: 10, revoked: true })).toHaveLength(1)
  })

  it('is worth nothing once expired', async () => {
    await createEnrolmentToken(held.db, { hash: 'hash', name: 'fra', region: '', expiresAt: Date.now(), creator: 'user:1' })
    expect(await enrolEdge(held.db, application('edge'))).toBeUndefined()
  })
})

describe('repositories and artifacts', () => {
  it('are listed with counts of their own', async () => {
    const { db } = held
    const { projectId, userId } = await seed(db)
    const store = metadataStore(db)
    const put = (repository: string, n: number, tags: string[] = [], children: number[] = []) =>
      store.putManifest(
        parseRepositoryName(repository),
        {
          descriptor: { mediaType: 'x', digest: digest(n), size: 1 },
          bytes: new Uint8Array([n]),
          parsed: { mediaType: 'x', blobs: [], manifests: children.map((child) => ({ mediaType: 'x', digest: digest(child), size: 5 })) },
          tags: tags.map(parseTag),
        },
        'user:1',
      )
    const digest = (n: number) => parseDigest(`sha256:${String(n).repeat(64)}`)
    const app = parseRepositoryName('team/app')
    await put('team/other', 4)
    await put('team/app', 1)
    await put('team/app', 2, ['a', 'b'], [1])
    await put('team/app', 3, ['c'])
    expect((await listRepositorySummaries(db, { projectId }, listing)).items).toMatchObject([
      { name: 'team/app', artifactCount: 2 },
      { name: 'team/other', artifactCount: 1 },
    ])
    const { id } = (await findRepositorySummary(db, app)) ?? { id: 0 }
    const all = await listArtifacts(db, { repositoryId: id }, {}, listing)
    expect(all.total).toBe(3)
    const top = await listArtifacts(db, { repositoryId: id }, { top: true }, { ...listing, sort: [{ field: 'digest', descending: false }] })
    expect(top.items.map((item) => [item.digest, item.totalSize, item.tags.map((tag) => tag.name)])).toEqual([
      [digest(2), 6, ['a', 'b']],
      [digest(3), 1, ['c']],
    ])
    expect((await listArtifacts(db, { repositoryId: id }, { tagged: false }, listing)).items.map((item) => item.digest)).toEqual([digest(1)])
    await addTag(db, app, digest(1), parseTag('d'), 'user:1')
    await expect(addTag(db, app, digest(1), parseTag('a'), 'user:1')).rejects.toMatchObject({ status: 409 })
    await expect(addTag(db, app, digest(9), parseTag('z'), 'user:1')).rejects.toMatchObject({ status: 404 })
    await recordPulls(db, [
      { subject: 'user:1', repository: app, digest: digest(1), tag: parseTag('d'), count: 3, first: 30, last: 50 },
      { subject: 'user:1', repository: app, digest: digest(1), count: 1, first: 40, last: 40 },
      { subject: 'user:1', repository: parseRepositoryName('team/gone'), digest: digest(1), count: 1, first: 40, last: 40 },
    ])
    expect(await findRepositorySummary(db, app)).toMatchObject({ pullCount: 4 })
    expect(await findArtifact(db, app, { tag: parseTag('d') })).toMatchObject({
      digest: digest(1),
      pulledAt: 50,
      tags: [{ name: 'd', pulledAt: 50 }],
    })
    expect(await readStatistics(db, userId)).toEqual({
      projects: { total: 1, public: 0, member: 1 },
      repositories: { total: 2, public: 0, member: 2 },
      storageUsed: 4,
    })
  })
})

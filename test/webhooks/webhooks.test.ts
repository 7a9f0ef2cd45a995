import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { controlPlaneOf } from '../../cli/serve/control-plane.ts'
import type { RunningControlPlane } from '../../control-plane/start.ts'
import { TestRepository } from '../../origin/testing/artifacts.ts'
import { openTestOrigin, PASSWORD, type TestOrigin } from '../../origin/testing/origin.ts'
import { bareRegistry } from '../support/bare-registry.ts'
import { until } from '../support/until.ts'
import { Receiver } from './receiver.ts'

const ADMIN = `admin:${PASSWORD}`

describe('webhooks', () => {
  let origin: TestOrigin
  let controlPlane: RunningControlPlane

  beforeAll(async () => {
    origin = await openTestOrigin({ 'outbound.private_networks': ['127.0.0.1'] })
    controlPlane = await controlPlaneOf(origin.origin)
  })
  afterAll(async () => {
    await controlPlane.close()
    await origin.close()
  })

  async function ask(method: string, path: string, json?: unknown): Promise<Response> {
    return await origin.ask(method, path, { credentials: ADMIN, ...(json !== undefined && { json }) })
  }

  async function project(name: string, storageLimit = -1): Promise<void> {
    expect((await ask('POST', '/api/v2.0/projects', { project_name: name, storage_limit: storageLimit })).status).toBe(201)
  }

  async function webhook(name: string, targets: object[], events: string[]): Promise<number> {
    const path = `/api/v2.0/projects/${name}/webhook/policies`
    const made = await ask('POST', path, { name: 'hook', targets, event_types: events, enabled: true })
    expect({ status: made.status, text: await made.text() }).toEqual({ status: 201, text: '' })
    return Number(made.headers.get('location')?.split('/').at(-1))
  }

  async function executions(name: string, id: number): Promise<{ id: number; status: string; trigger: string }[]> {
    return (await (await ask('GET', `/api/v2.0/projects/${name}/webhook/policies/${id}/executions`)).json()) as never
  }

  test('tell of a push and a deletion, in each format, with their header, and keep what was said', { timeout: 60_000 }, async () => {
    await using receiver = await Receiver.start()
    await project('told')
    const id = await webhook(
      'told',
      [
        { type: 'http', address: `${receiver.url}/default?key=s3cret-query`, auth_header: 'Bearer s3cret-header' },
        { type: 'http', address: `${receiver.url}/cloud`, payload_format: 'CloudEvents' },
        { type: 'slack', address: `${receiver.url}/slack` },
        { type: 'teams', address: `${receiver.url}/teams` },
      ],
      ['PUSH_ARTIFACT', 'DELETE_ARTIFACT'],
    )
    const image = await new TestRepository(origin, 'told/app').image('one', {}, 'v1')
    await until('all are told of the push', () => receiver.received.length === 4)
    const by = (path: string) => receiver.received.find((each) => each.path.startsWith(path))
    expect(by('/default')).toMatchObject({
      headers: { authorization: 'Bearer s3cret-header', 'content-type': 'application/json' },
      body: {
        type: 'PUSH_ARTIFACT',
        occur_at: expect.any(Number),
        operator: 'admin',
        event_data: {
          resources: [{ digest: image.digest, tag: 'v1', resource_url: expect.stringMatching(/\/told\/app:v1$/) }],
          repository: { date_created: expect.any(Number), name: 'app', namespace: 'told', repo_full_name: 'told/app', repo_type: 'private' },
        },
      },
    })
    expect(by('/cloud')).toMatchObject({
      headers: { 'content-type': 'application/cloudevents+json' },
      body: { specversion: '1.0', type: 'harbor.artifact.pushed', data: { resources: [{ tag: 'v1' }] } },
    })
    expect(JSON.stringify(by('/slack')?.body)).toContain('Pushed: told/app:v1')
    expect(JSON.stringify(by('/teams')?.body)).toContain('AdaptiveCard')

    await ask('DELETE', '/api/v2.0/projects/told/repositories/app/artifacts/v1')
    await until('the deletion is told', () => receiver.received.length === 8)
    expect(receiver.received.filter(({ body }) => body.type === 'DELETE_ARTIFACT')).toMatchObject([
      { body: { event_data: { resources: [{ digest: image.digest, tag: 'v1' }] } } },
    ])
    await until('both are done', async () => (await executions('told', id)).every(({ status }) => status === 'Success'))
    const [last] = await executions('told', id)
    const tasks = (await (await ask('GET', `/api/v2.0/projects/told/webhook/policies/${id}/executions/${last?.id}/tasks`)).json()) as { id: number }[]
    const log = await (await ask('GET', `/api/v2.0/projects/told/webhook/policies/${id}/executions/${last?.id}/tasks/${tasks[0]?.id}/log`)).text()
    expect(log).toContain('HTTP 200\nthank you')
    expect(log).toContain('"DELETE_ARTIFACT"')
    expect(log).not.toContain('s3cret')
    expect(origin.lines.join('')).not.toContain('s3cret')
  })

  test('a receiver that hangs delays nobody, one that fails is asked again, one that is private or leads elsewhere is not', {
    timeout: 90_000,
  }, async () => {
    await using hanging = await Receiver.start(() => undefined)
    await using failing = await Receiver.start((at) => (at < 2 ? 503 : 200))
    await using leading = await Receiver.start(() => 302)
    await using quick = await Receiver.start()
    await project('mixed')
    const target = (address: string) => ({ type: 'http', address })
    for (const [address, status] of [
      ['http://127.0.0.2/', 400],
      ['http://[::1]/', 400],
      ['ftp://127.0.0.1/', 400],
      ['http://user:word@127.0.0.1/', 400],
    ] as const) {
      const refused = await ask('POST', '/api/v2.0/projects/mixed/webhook/policies', {
        name: 'x',
        targets: [target(address)],
        event_types: ['PUSH_ARTIFACT'],
      })
      expect({ address, status: refused.status }).toEqual({ address, status })
    }
    const addresses = [hanging.url, failing.url, leading.url, quick.url, 'http://ip6-localhost.invalid/']
    const id = await webhook('mixed', addresses.map(target), ['PUSH_ARTIFACT'])
    const repository = new TestRepository(origin, 'mixed/app')
    for (let n = 0; n < 20; n++) await repository.image(String(n), {}, `v${n}`)
    await until('the quick one has all', () => quick.received.length === 20)
    expect(hanging.received.length).toBeLessThan(3)
    expect(quick.received.map(({ body }) => (body.event_data as { resources: { tag: string }[] }).resources[0]?.tag)).toEqual(
      Array.from({ length: 20 }, (_, n) => `v${n}`),
    )
    await until('the failing one was asked again', () => failing.received.length > 20)
    expect(leading.received.length).toBeGreaterThan(0)
    const all = await executions('mixed', id)
    expect(all.length).toBe(10)
    expect(all.every(({ status }) => status === 'Running')).toBe(true)
  })

  test('the quota, nearly used up and exceeded', { timeout: 60_000 }, async () => {
    await using receiver = await Receiver.start()
    await project('small', 10_000)
    await webhook('small', [{ type: 'http', address: receiver.url }], ['QUOTA_WARNING', 'QUOTA_EXCEED'])
    const repository = new TestRepository(origin, 'small/app')
    const { digest, size } = await repository.blob('x'.repeat(8_800))
    // A blob counts when a manifest names it.
    await repository.artifact({ config: { mediaType: 'application/x', digest, size }, layers: [] }, 'v1')
    await until('it is nearly used up', () => receiver.received.length === 1)
    for (let n = 0; n < 3; n++) await expect(repository.blob(`${n}`.repeat(5_000))).rejects.toThrow('quota')
    await until('it is exceeded, and told once', () => receiver.received.length === 2)
    expect(receiver.received.map(({ body }) => body)).toMatchObject([
      {
        type: 'QUOTA_WARNING',
        event_data: {
          resources: [{ digest: expect.stringMatching(/^sha256:/), tag: 'v1', resource_url: expect.stringMatching(/small\/app:v1$/) }],
          repository: { name: 'app', namespace: 'small', repo_full_name: 'small/app', date_created: expect.any(Number) },
          custom_attributes: { Details: expect.stringContaining('of 10000 bytes') },
        },
      },
      {
        type: 'QUOTA_EXCEED',
        event_data: {
          repository: { repo_full_name: 'small/app' },
          custom_attributes: { Details: expect.stringContaining('quota of project small exceeded: asked 5000'), limit: '10000' },
        },
      },
    ])
  })

  test('what goes because another does is told of with that one', { timeout: 60_000 }, async () => {
    await using receiver = await Receiver.start()
    await project('parts')
    await webhook('parts', [{ type: 'http', address: receiver.url }], ['DELETE_ARTIFACT'])
    const repository = new TestRepository(origin, 'parts/app')
    const children = [await repository.image('amd64', {}), await repository.image('arm64', {})]
    const index = await repository.index(children, 'v1')
    const last = await repository.image('last', {}, 'v2')
    for (const { digest } of [index, last]) {
      expect((await ask('DELETE', `/api/v2.0/projects/parts/repositories/app/artifacts/${digest}`)).status).toBe(200)
    }
    await until('both are told', () => receiver.received.length >= 2)
    const told = receiver.received.map(({ body }) => (body as { event_data: { resources: unknown[] } }).event_data.resources)
    expect(told).toMatchObject([[{ digest: index.digest, tag: 'v1' }], [{ digest: last.digest, tag: 'v2' }]])
    expect((await ask('GET', `/api/v2.0/projects/parts/repositories/app/artifacts/${children[0]?.digest}`)).status).toBe(404)
  })

  test('a quota tells which push it refused', { timeout: 60_000 }, async () => {
    await using receiver = await Receiver.start()
    await project('tight', 2_000)
    await webhook('tight', [{ type: 'http', address: receiver.url }], ['QUOTA_EXCEED'])
    const repository = new TestRepository(origin, 'tight/app')
    const config = await repository.blob('{}', 'application/x')
    const annotations = { filler: 'x'.repeat(4_000) }
    await expect(repository.artifact({ config, layers: [], annotations }, 't9')).rejects.toThrow('quota')
    await until('it is told', () => receiver.received.length === 1)
    expect(receiver.received[0]?.body).toMatchObject({
      event_data: { resources: [{ digest: expect.stringMatching(/^sha256:/), tag: 't9' }], repository: { repo_full_name: 'tight/app' } },
    })
  })

  test('a deleted repository tells of each artifact that it had', { timeout: 60_000 }, async () => {
    await using receiver = await Receiver.start()
    await project('emptied')
    await webhook('emptied', [{ type: 'http', address: receiver.url }], ['DELETE_ARTIFACT'])
    const repository = new TestRepository(origin, 'emptied/app')
    const tagged = await repository.image('one', {}, 'v1', 'latest')
    const plain = await repository.image('two', {})
    expect((await ask('DELETE', '/api/v2.0/projects/emptied/repositories/app')).status).toBe(200)
    await until('both are told', () => receiver.received.length === 2)
    const told = receiver.received.map(({ body }) => body as { event_data: { resources: unknown[] } })
    expect(told).toMatchObject(Array.from({ length: 2 }, () => ({ type: 'DELETE_ARTIFACT', operator: 'admin' })))
    expect(told.map(({ event_data }) => event_data)).toMatchObject(
      [
        { resources: ['latest', 'v1'].map((tag) => ({ digest: tagged.digest, tag })), repository: { repo_full_name: 'emptied/app' } },
        { resources: [{ digest: plain.digest, tag: plain.digest }] },
      ].sort((a, b) => (String(a.resources[0]?.digest) < String(b.resources[0]?.digest) ? -1 : 1)),
    )
  })

  test('tag retention tells what it took, and nothing of a dry run or of one that took nothing', { timeout: 60_000 }, async () => {
    await using receiver = await Receiver.start()
    await project('pruned')
    await webhook('pruned', [{ type: 'http', address: receiver.url }], ['TAG_RETENTION'])
    const repository = new TestRepository(origin, 'pruned/app')
    for (const n of [1, 2, 3]) await repository.image(String(n), {}, `v${n}`)
    const { project_id: ref } = (await (await ask('GET', '/api/v2.0/projects/pruned')).json()) as { project_id: number }
    const tags = [{ kind: 'doublestar', decoration: 'matches', pattern: '**' }]
    const made = await ask('POST', '/api/v2.0/retentions', {
      algorithm: 'or',
      scope: { level: 'project', ref },
      trigger: { kind: 'Schedule', settings: { cron: '' } },
      rules: [{ action: 'retain', template: 'latestPushedK', params: { latestPushedK: 1 }, tag_selectors: tags, scope_selectors: {} }],
    })
    const id = Number(made.headers.get('location')?.split('/').at(-1))
    const run = async (dry_run: boolean) => {
      const began = await ask('POST', `/api/v2.0/retentions/${id}/executions`, { dry_run })
      expect(began.status).toBe(201)
      await until('it has ended', async () => {
        const list = (await (await ask('GET', `/api/v2.0/retentions/${id}/executions`)).json()) as { status: string }[]
        return list.every(({ status }) => status === 'Succeed')
      })
    }
    await run(true)
    await run(false)
    await until('it is told', () => receiver.received.length === 1)
    await run(false)
    expect(receiver.received.map(({ body }) => body)).toMatchObject([
      {
        type: 'TAG_RETENTION',
        operator: 'MANUAL',
        event_data: {
          retention: {
            ...{ total: 3, retained: 1, result: 'SUCCESS', project_name: 'pruned', retention_policy_id: id },
            harbor_hostname: expect.any(String),
            retention_rule: [{ template: 'latestPushedK', params: { latestPushedK: 1 }, tag_selectors: [{ pattern: '**' }] }],
            deleted_artifact: ['v1', 'v2'].map((tag) => ({ type: 'image', status: 'SUCCESS', name_tag: `app:${tag}` })),
          },
        },
      },
    ])
  })

  test("a replication tells how it ended, in Harbor's words", { timeout: 60_000 }, async () => {
    await using receiver = await Receiver.start()
    await using there = await bareRegistry({ projects: ['mirror'] })
    await project('sent')
    await webhook('sent', [{ type: 'http', address: receiver.url }], ['REPLICATION'])
    await new TestRepository(origin, 'sent/app').image('1', {}, 'v1')
    const idOf = (made: Response) => Number(made.headers.get('location')?.split('/').at(-1))
    const credential = { type: 'basic', access_key: 'bob', access_secret: 'Hush-hush-1' }
    const url = `http://127.0.0.1:${there.server.port}`
    const registry = { name: 'there', url, type: 'oci-registry', credential }
    const dest_registry = { id: idOf(await ask('POST', '/api/v2.0/registries', registry)) }
    const rule = { name: 'send', dest_registry, dest_namespace: 'mirror', trigger: { type: 'manual' }, filters: [{ type: 'name', value: 'sent/**' }] }
    const policy_id = idOf(await ask('POST', '/api/v2.0/replication/policies', { ...rule, override: true, enabled: true }))
    expect((await ask('POST', '/api/v2.0/replication/executions', { policy_id })).status).toBe(201)
    await until('it is told', () => receiver.received.length === 1)
    const host = origin.origin.services.config['http.host']
    expect(receiver.received[0]?.body).toEqual({
      type: 'REPLICATION',
      occur_at: expect.any(Number),
      operator: 'MANUAL',
      event_data: {
        replication: {
          harbor_hostname: host,
          job_status: 'Success',
          artifact_type: 'image',
          authentication_type: 'basic',
          override_mode: true,
          trigger_type: 'MANUAL',
          policy_creator: 'admin',
          execution_timestamp: expect.any(Number),
          src_resource: { endpoint: expect.stringContaining(host), registry_type: 'harbor', namespace: 'sent' },
          dest_resource: { endpoint: url, registry_name: 'there', registry_type: 'oci-registry', namespace: 'mirror' },
          successful_artifact: [{ type: 'image', status: 'Success', name_tag: 'app:[v1]' }],
          failed_artifact: [],
        },
        custom_attributes: expect.any(Object),
      },
    })
  })

  test('the test button', { timeout: 60_000 }, async () => {
    await using receiver = await Receiver.start()
    await project('tried')
    const id = await webhook('tried', [{ type: 'http', address: receiver.url }], ['PUSH_ARTIFACT'])
    expect((await ask('POST', `/api/atoll/v1/projects/tried/webhooks/${id}/test`)).status).toBe(202)
    await until('it came', () => receiver.received.length === 1)
    expect(receiver.received[0]?.body).toMatchObject({ type: 'TEST' })
    expect((await ask('POST', '/api/atoll/v1/projects/tried/webhooks/4711/test')).status).toBe(404)
  })
})

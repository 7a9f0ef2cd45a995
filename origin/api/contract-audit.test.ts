import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { TestRepository } from '../testing/artifacts.ts'
import { CONTRACT_PRESENT, Contract } from '../testing/contract.ts'
import { openTestOrigin, type TestOrigin } from '../testing/origin.ts'

type Entry = Record<string, unknown>

describe.skipIf(!CONTRACT_PRESENT)('the audit log keeps to the contract', () => {
  let origin: TestOrigin
  let ask: Contract['ask']

  beforeAll(async () => {
    origin = await openTestOrigin()
    ask = new Contract(origin).ask
  })
  afterAll(async () => {
    await origin.close()
  })

  test('of the system, of a project, and of nobody else’s', async () => {
    for (const name of ['mine', 'theirs']) await ask('POST /projects', '/projects', 201, { project_name: name })
    await ask('POST /users', '/users', 201, { username: 'ada', password: 'Lovelace1815', email: 'ada@example.com', realname: 'Ada' })
    await ask('POST /projects/{project_name_or_id}/members', '/projects/mine/members', 201, { role_id: 3, member_user: { username: 'ada' } })
    await new TestRepository(origin, 'mine/app').image('x', {}, 'v1', 'latest')
    const ada = 'ada:Lovelace1815'

    const all = (await ask('GET /audit-logs', '/audit-logs?page_size=0', 200)).body as Entry[]
    expect(all.map(({ operation, resource_type, resource }) => `${operation} ${resource_type} ${resource}`).slice(0, 5)).toEqual([
      'create artifact mine/app:latest',
      'create artifact mine/app:v1',
      'create member ada',
      'create user ada',
      'create project theirs',
    ])
    const find = async (q: string) => ((await ask('GET /audit-logs', `/audit-logs?q=${encodeURIComponent(q)}`, 200)).body as Entry[]).length
    expect(await find('operation=create,resource_type=artifact')).toBe(2)
    expect(await find('resource=~app:v')).toBe(1)
    expect(await find('username=nobody')).toBe(0)
    expect(await find('op_time=[2020-01-01~2020-01-02 10:00:00]')).toBe(0)
    expect(await find('op_time=[2020-01-01 00:00:00~]')).toBeGreaterThan(4)
    for (const wrong of ['op_time=yesterday', 'op_time=[then~now]', 'color', 'operation_result=perhaps']) {
      await ask('GET /audit-logs', `/audit-logs?q=${encodeURIComponent(wrong)}`, 400)
    }
    await ask('GET /audit-logs', '/audit-logs?sort=mood&q=color=red', 200)
    await ask('GET /audit-logs', '/audit-logs', 401, undefined, '')
    expect((await ask('GET /auditlog-exts', '/auditlog-exts?page_size=1&q=operation_result=true', 200)).body).toMatchObject([
      { operation_description: 'create artifact mine/app:latest', operation_result: true, username: 'admin' },
    ])
    await ask('GET /auditlog-exts/events', '/auditlog-exts/events', 200, undefined, ada)

    const hers = (await ask('GET /audit-logs', '/audit-logs', 200, undefined, ada)).body as Entry[]
    expect(hers.map(({ resource }) => resource)).toEqual(['mine/app:latest', 'mine/app:v1', 'ada', 'mine'])
    expect((await ask('GET /projects/{project_name}/logs', '/projects/mine/logs', 200, undefined, ada)).body).toEqual(hers)
    await ask('GET /projects/{project_name}/auditlog-exts', '/projects/mine/auditlog-exts?sort=op_time', 200, undefined, ada)
    expect((await origin.ask('GET', '/api/v2.0/projects/theirs/logs', { credentials: ada })).status).toBe(404)
  })

  test('tells of jobs, of what comes by itself, and of what was refused', async () => {
    await ask('POST /projects', '/projects', 201, { project_name: 'watched' })
    await ask('POST /users', '/users', 201, { username: 'bob', password: 'Builder12345', email: 'bob@example.com', realname: 'Bob' })
    await ask('POST /projects', '/projects', 403, { project_name: 'his' }, 'bob:Builder12345')
    await ask('PUT /system/gc/schedule', '/system/gc/schedule', 200, { schedule: { type: 'Weekly', cron: '0 0 0 * * 0' } })
    await ask('POST /projects', '/projects', 409, { project_name: 'watched' })
    await ask('POST /projects', '/projects', 400, { project_name: 'Watched' })
    expect((await ask('GET /auditlog-exts', '/auditlog-exts?page_size=3', 200)).body).toMatchObject([
      { operation: 'refuse', resource: '/projects', username: 'admin', operation_result: false },
      { operation: 'update', resource_type: 'schedule', resource: '/system/gc/schedule', operation_result: true },
      { operation: 'refuse', resource: '/projects', username: 'bob', operation_result: false },
    ])
    expect((await ask('GET /auditlog-exts', '/auditlog-exts?q=resource=watched', 200)).body).toMatchObject([
      { operation_description: 'create project watched from 192.0.2.1' },
    ])
  })

  test('tells of pushes and deletions that were refused, and of no pull', async () => {
    await ask('POST /projects/{project_name_or_id}/members', '/projects/watched/members', 201, { role_id: 3, member_user: { username: 'bob' } })
    const asked = async (method: string, path: string, credentials?: string) =>
      (await origin.ask(method, path, credentials === undefined ? {} : { credentials })).status
    const uploads = '/v2/watched/app/blobs/uploads/'
    expect(await asked('POST', uploads, 'bob:Builder12345')).toBe(403)
    expect(await asked('DELETE', '/v2/watched/app/manifests/v1', 'bob:Builder12345')).toBe(403)
    expect(await asked('GET', '/v2/theirs/app/manifests/v1', 'bob:Builder12345')).toBe(403)
    expect(await asked('POST', uploads)).toBe(401)
    const refused = (await ask('GET /auditlog-exts', '/auditlog-exts?q=operation=refuse,resource=~v2', 200)).body
    expect(refused).toMatchObject([
      { resource: '/v2/watched/app/manifests/v1', username: 'bob', operation_result: false },
      { resource: uploads, username: 'bob', operation_result: false },
    ])
    expect(refused).toHaveLength(2)
  })

  test('purges, by hand and at times', async () => {
    const S = '/system/purgeaudit/schedule'
    const daily = {
      schedule: { type: 'Daily', cron: '0 0 0 * * *' },
      parameters: { audit_retention_hour: 168, dry_run: false, include_operations: 'pull' },
    }
    await ask(`POST ${S}`, S, 201, daily)
    expect((await ask(`GET ${S}`, S, 200)).body).toMatchObject({
      job_parameters: '{"audit_retention_hour":168,"include_operations":"pull","include_event_types":"pull_artifact","dry_run":false}',
    })
    await ask(`PUT ${S}`, S, 200, { ...daily, parameters: { audit_retention_hour: 24, include_event_types: 'create_tag,delete_tag' } })
    for (const parameters of [
      ...[-1, '', null, [], true].map((audit_retention_hour) => ({ ...daily.parameters, audit_retention_hour })),
      { ...daily.parameters, include_event_types: 'dance' },
      { ...daily.parameters, include_operations: 'dance' },
      { ...daily.parameters, dry_run: 'may be' },
      // What is left out must not mean everything.
      { audit_retention_hour: 24 },
      { include_operations: 'pull' },
      {},
      undefined,
    ]) {
      await ask(`PUT ${S}`, S, 400, { ...daily, parameters })
    }
    await ask(`PUT ${S}`, S, 200, { schedule: { type: 'None' } })
    const { id } = await ask(`POST ${S}`, S, 201, {
      schedule: { type: 'Manual' },
      parameters: { audit_retention_hour: 1, include_event_types: '', dry_run: true },
    })
    await ask('GET /system/purgeaudit', '/system/purgeaudit', 200)
    expect((await ask('GET /system/purgeaudit/{purge_id}', `/system/purgeaudit/${id}`, 200)).body).toMatchObject({ job_status: 'Pending' })
    await ask('GET /system/purgeaudit/{purge_id}/log', `/system/purgeaudit/${id}/log`, 200)
    await ask('PUT /system/purgeaudit/{purge_id}', `/system/purgeaudit/${id}`, 200)
    await ask('GET /system/purgeaudit/{purge_id}', '/system/purgeaudit/4711', 404)
    await ask('GET /system/purgeaudit', '/system/purgeaudit', 401, undefined, '')
  })
})

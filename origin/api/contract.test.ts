import { existsSync, readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { openTestOrigin, PASSWORD, type TestOrigin } from '../testing/origin.ts'
import { harborApi } from './harbor-api.ts'
import { NOT_YET } from './not-yet.ts'

// Harbor's contract is not part of this project; it is looked for beside it.
const FILE = new URL('../../../shared/reference/harbor-swagger.yaml', import.meta.url)
const present = existsSync(FILE)
if (!present) process.stderr.write('Left out: answers against the contract. Put harbor-swagger.yaml into ../shared/reference to run it.\n')

interface Answer {
  schema?: unknown
  $ref?: string
}
interface Contract {
  paths: Record<string, Record<string, { operationId: string; responses: Record<string, Answer> }>>
  definitions: Record<string, unknown>
  responses: Record<string, Answer>
}

const ADMIN = `admin:${PASSWORD}`
/** Statuses that any operation may answer with, listed or not: nobody can avoid them. */
const ALWAYS = [400, 401, 403, 413, 415, 429, 503]
/** What the contract forgot: a project, rule or execution in the path that is not there, a name that is taken. */
const FORGOTTEN: Record<string, number[]> = {
  getRetention: [404],
  getRetentionTaskLog: [404],
  createProjectMember: [404],
  getReplicationPolicy: [404],
  startReplication: [404],
  listReplicationTasks: [404],
  CreateRobot: [409],
  updateUserPassword: [404],
  updateUserProfile: [409],
}

describe.skipIf(!present)('the API keeps to the contract', () => {
  const contract: Contract = present ? (parse(readFileSync(FILE, 'utf8')) as Contract) : { paths: {}, definitions: {}, responses: {} }
  const operations = Object.entries(contract.paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([method]) => method !== 'parameters')
      .map(([method, operation]) => ({ key: `${method.toUpperCase()} ${path}`, ...operation })),
  )
  const ajv = new Ajv({ strict: false, validateFormats: false })
  ajv.addSchema({ $id: 'contract', definitions: toJsonSchema(contract.definitions) })

  let origin: TestOrigin

  beforeAll(async () => {
    origin = await openTestOrigin()
  })
  afterAll(async () => {
    await origin.close()
  })

  /** Asks, holds the answer against the contract, and gives its body. `key` is the operation as the contract writes it. */
  async function ask(key: string, path: string, status: number, json?: unknown, credentials: string | undefined = ADMIN) {
    const [method = ''] = key.split(' ')
    const operation = operations.find((each) => each.key === key)
    if (operation === undefined) throw new Error(`the contract has no ${key}`)
    const response = await origin.ask(method, `/api/v2.0${path}`, { ...(credentials !== '' && { credentials }), ...(json !== undefined && { json }) })
    const text = await response.text()
    expect({ key, status: response.status, text: response.status === status ? '' : text }).toEqual({ key, status, text: '' })
    const listed = Object.keys(operation.responses).map(Number)
    expect([...listed, ...ALWAYS, ...(FORGOTTEN[operation.operationId] ?? [])], `${key} may answer ${status}`).toContain(status)
    expect(response.headers.get('X-Request-Id')).toBeTruthy()
    const stated = operation.responses[status]
    const answer = stated?.$ref === undefined ? stated : contract.responses[stated.$ref.split('/').at(-1) ?? '']
    const isJson = response.headers.get('content-type')?.includes('json') ?? false
    const body: unknown = isJson && text !== '' ? JSON.parse(text) : text
    const schema = status >= 400 ? { $ref: '#/definitions/Errors' } : answer?.schema
    if (schema !== undefined && text !== '') {
      const validate = ajv.compile(toJsonSchema(schema) as object)
      expect(validate(body) ? [] : validate.errors, `${key} ${text.slice(0, 300)}`).toEqual([])
    }
    if (status === 201) expect(response.headers.get('Location')).toMatch(/^\/api\/v2\.0\//)
    return { body, headers: response.headers, id: Number(response.headers.get('Location')?.split('/').at(-1)) }
  }

  test('every operation is either served or in the table of those to come, none forgotten and none invented', () => {
    const served = harborApi(origin.origin.services).openAPIRegistry.definitions.flatMap((definition) =>
      definition.type === 'route' ? [`${definition.route.method.toUpperCase()} ${definition.route.path}`] : [],
    )
    const toCome = Object.values(NOT_YET).flat()
    expect([...served, ...toCome].sort()).toEqual(operations.map(({ key }) => key).sort())
  })

  test('what is to come says so, in the contract’s shape', async () => {
    for (const operation of Object.values(NOT_YET).flat()) {
      const [method = '', path = ''] = operation.split(' ')
      const response = await origin.ask(method, `/api/v2.0${path.replaceAll(/\{\w+\}/g, '1')}`, { credentials: ADMIN })
      expect({ operation, status: response.status, body: await response.json() }).toMatchObject({
        status: 501,
        body: { errors: [{ code: 'UNSUPPORTED' }] },
      })
    }
    const unknown = await origin.ask('GET', '/api/v2.0/nothing', { credentials: ADMIN })
    expect({ status: unknown.status, body: await unknown.json() }).toMatchObject({ status: 404, body: { errors: [{ code: 'NOT_FOUND' }] } })
  })

  test('a life of projects, people and robots, answer by answer', async () => {
    await ask('GET /ping', '/ping', 200, undefined, '')
    await ask('GET /health', '/health', 200, undefined, '')
    await ask('GET /systeminfo', '/systeminfo', 200, undefined, '')
    await ask('GET /systeminfo', '/systeminfo', 200)
    await ask('GET /systeminfo/volumes', '/systeminfo/volumes', 200)
    await ask('GET /systeminfo/getcert', '/systeminfo/getcert', 404)

    const P = '/projects/{project_name_or_id}'
    const body = { project_name: 'team-frontend', public: false, storage_limit: 107_374_182_400 }
    await ask('POST /projects', '/projects', 401, body, '')
    const { id: projectId } = await ask('POST /projects', '/projects', 201, body)
    await ask('POST /projects', '/projects', 409, body)
    for (const bad of ['', 'Team', 'a/b', '-a', 'a..b', 'a'.repeat(256)]) await ask('POST /projects', '/projects', 400, { project_name: bad })
    await ask('POST /projects', '/projects', 400, { project_name: 'ok', storage_limit: 0 })
    await ask('POST /projects', '/projects', 201, { project_name: 'open', metadata: { public: 'true' } })
    await ask('POST /projects', '/projects', 201, { project_name: '4711' })
    const page = await ask('GET /projects', '/projects?page_size=2&page=2&sort=-name', 200)
    const total = Number(page.headers.get('X-Total-Count'))
    expect(total).toBeGreaterThan(4)
    expect(page.headers.get('Link')).toBe(
      '</api/v2.0/projects?page_size=2&page=1&sort=-name>; rel="prev", </api/v2.0/projects?page_size=2&page=3&sort=-name>; rel="next"',
    )
    await ask('GET /projects', '/projects?q=name=~team', 200)
    await ask('GET /projects', '/projects?page_size=101', 400)
    expect(((await ask('GET /projects', '/projects?page=0&page_size=0', 200)).body as object[]).length).toBeGreaterThan(2)
    await ask('HEAD /projects', '/projects?project_name=team-frontend', 200)
    await ask('HEAD /projects', '/projects?project_name=team-frontend', 404, undefined, '')
    await ask(`GET ${P}`, '/projects/team-frontend', 200)
    await ask(`GET ${P}`, `/projects/${projectId}`, 200)
    await ask(`GET ${P}`, '/projects/team-frontend', 401, undefined, '')
    await ask(`GET ${P}`, '/projects/none', 401, undefined, '')
    await ask(`GET ${P}`, '/projects/none', 404)
    await ask(`PUT ${P}`, '/projects/team-frontend', 200, { metadata: { auto_scan: 'true', severity: 'high' } })
    await ask(`PUT ${P}`, '/projects/team-frontend', 400, { metadata: { severity: 'dreadful' } })
    await ask(`GET ${P}/_deletable`, '/projects/team-frontend/_deletable', 200)
    await ask(`GET ${P}/summary`, '/projects/team-frontend/summary', 200)
    const M = `${P}/metadatas/`
    await ask(`GET ${M}`, '/projects/team-frontend/metadatas/', 200)
    await ask(`POST ${M}`, '/projects/team-frontend/metadatas/', 200, { prevent_vul: 'true' })
    await ask(`POST ${M}`, '/projects/team-frontend/metadatas/', 409, { prevent_vul: 'true' })
    await ask(`GET ${M}{meta_name}`, '/projects/team-frontend/metadatas/prevent_vul', 200)
    await ask(`PUT ${M}{meta_name}`, '/projects/team-frontend/metadatas/prevent_vul', 200, { prevent_vul: 'false' })
    await ask(`DELETE ${M}{meta_name}`, '/projects/team-frontend/metadatas/prevent_vul', 200)
    await ask(`GET ${M}{meta_name}`, '/projects/team-frontend/metadatas/prevent_vul', 404)

    const user = { username: 'ada', password: 'Lovelace1815', email: 'ada@example.com', realname: 'Ada' }
    const { id: userId } = await ask('POST /users', '/users', 201, user)
    await ask('POST /users', '/users', 409, user)
    await ask('POST /users', '/users', 400, { ...user, username: 'bob', password: 'short' })
    await ask('POST /users', '/users', 401, user, '')
    const ada = 'ada:Lovelace1815'
    await ask('POST /users', '/users', 403, user, ada)
    await ask('POST /projects', '/projects', 403, { project_name: 'mine' }, ada)
    await ask('GET /users', '/users?sort=-username&q=username=~a', 200)
    await ask('GET /users', '/users', 403, undefined, ada)
    await ask('GET /users/current', '/users/current', 200, undefined, ada)
    await ask('GET /users/current', '/users/current', 401, undefined, '')
    await ask('GET /users/search', '/users/search?username=ad', 200, undefined, ada)
    await ask('GET /users/current/permissions', `/users/current/permissions?scope=/project/${projectId}&relative=true`, 200)
    await ask('GET /users/{user_id}', `/users/${userId}`, 200, undefined, ada)
    await ask('GET /users/{user_id}', '/users/1', 403, undefined, ada)
    await ask('PUT /users/{user_id}', `/users/${userId}`, 200, { email: 'a@example.com', realname: 'A', comment: '' }, ada)
    await ask('PUT /users/{user_id}/sysadmin', `/users/${userId}/sysadmin`, 403, { sysadmin_flag: true }, ada)
    await ask('PUT /users/{user_id}/sysadmin', `/users/${userId}/sysadmin`, 200, { sysadmin_flag: false })
    await ask('PUT /users/{user_id}/sysadmin', '/users/1/sysadmin', 403, { sysadmin_flag: false })
    const password = `/users/${userId}/password`
    await ask('PUT /users/{user_id}/password', password, 403, { old_password: 'wrong', new_password: 'Byron12345' }, ada)
    await ask('PUT /users/{user_id}/password', password, 400, { old_password: 'Lovelace1815', new_password: 'Lovelace1815' }, ada)
    await ask('PUT /users/{user_id}/password', password, 200, { old_password: 'Lovelace1815', new_password: 'Byron12345' }, ada)
    await ask('GET /users/current', '/users/current', 401, undefined, ada)
    const renewed = 'ada:Byron12345'

    const members = '/projects/team-frontend/members'
    await ask(`GET ${P}/members`, members, 404, undefined, renewed)
    const { id: mid } = await ask(`POST ${P}/members`, members, 201, { role_id: 3, member_user: { username: 'ada' } })
    await ask(`POST ${P}/members`, members, 409, { role_id: 3, member_user: { user_id: userId } })
    await ask(`POST ${P}/members`, members, 400, { role_id: 9, member_user: { username: 'ada' } })
    await ask(`POST ${P}/members`, members, 400, { role_id: 3, member_user: { username: 'nobody' } })
    await ask(`POST ${P}/members`, members, 403, { role_id: 3, member_user: { username: 'admin' } }, renewed)
    await ask(`GET ${P}/members`, `${members}?entityname=ad`, 200, undefined, renewed)
    await ask(`GET ${P}/members/{mid}`, `${members}/${mid}`, 200)
    await ask(`PUT ${P}/members/{mid}`, `${members}/${mid}`, 200, { role_id: 4 })
    await ask(`PUT ${P}/members/{mid}`, `${members}/${mid}`, 403, { role_id: 1 }, renewed)

    const robot = {
      name: 'ci',
      level: 'project',
      duration: 30,
      permissions: [
        {
          kind: 'project',
          namespace: 'team-frontend',
          access: [
            { resource: 'repository', action: 'push' },
            { resource: 'repository', action: 'pull' },
          ],
        },
      ],
    }
    const made = await ask('POST /robots', '/robots', 201, robot, renewed)
    const { name, secret } = made.body as { name: string; secret: string }
    expect(name).toBe('robot$team-frontend+ci')
    const bot = `${name}:${secret}`
    await ask('POST /robots', '/robots', 409, robot)
    await ask('POST /robots', '/robots', 404, { ...robot, permissions: [{ ...robot.permissions[0], namespace: '4711' }] }, renewed)
    await ask(
      'POST /robots',
      '/robots',
      403,
      { ...robot, name: 'x', permissions: [{ ...robot.permissions[0], access: [{ resource: 'project', action: 'delete' }] }] },
      renewed,
    )
    await ask('POST /robots', '/robots', 403, { ...robot, level: 'system' }, renewed)
    await ask('POST /robots', '/robots', 400, {
      ...robot,
      name: 'y',
      permissions: [{ ...robot.permissions[0], access: [{ resource: 'no', action: 'pull' }] }],
    })
    await ask('GET /users/current', '/users/current', 412, undefined, bot)
    await ask('GET /robots', '/robots', 200)
    await ask('GET /robots', `/robots?q=Level=project,ProjectID=${projectId}`, 200, undefined, renewed)
    await ask('GET /robots/{robot_id}', `/robots/${made.id}`, 200, undefined, renewed)
    await ask('PUT /robots/{robot_id}', `/robots/${made.id}`, 200, { ...robot, name, disable: true })
    await ask('GET /projects', '/projects', 401, undefined, bot)
    await ask('PUT /robots/{robot_id}', `/robots/${made.id}`, 200, { disable: false, duration: -1 })
    await ask('GET /projects', '/projects', 200, undefined, bot)
    await ask('PATCH /robots/{robot_id}', `/robots/${made.id}`, 200, {}, renewed)
    await ask('GET /projects', '/projects', 401, undefined, bot)
    await ask('DELETE /robots/{robot_id}', `/robots/${made.id}`, 200)
    await ask('GET /robots/{robot_id}', `/robots/${made.id}`, 404)
    await ask('DELETE /projects/{project_name_or_id}/members/{mid}', `${members}/${mid}`, 200)
    await ask('DELETE /users/{user_id}', `/users/${userId}`, 200)
    await ask('GET /users/{user_id}', `/users/${userId}`, 404)

    await ask('GET /quotas', '/quotas?sort=-used.storage', 200)
    await ask('PUT /quotas/{id}', `/quotas/${projectId}`, 200, { hard: { storage: 5 } })
    expect((await ask('GET /quotas/{id}', `/quotas/${projectId}`, 200)).body).toMatchObject({ hard: { storage: 5 } })
    await ask('GET /permissions', '/permissions', 200)
    await ask('GET /statistics', '/statistics', 200)
    await ask('GET /search', '/search?q=team', 200, undefined, '')
    await ask('DELETE /projects/{project_name_or_id}', '/projects/team-frontend', 200)
    await ask(`GET ${P}`, '/projects/team-frontend', 404)
  })

  test('endpoints and replication, answer by answer, and no secret in any of them', async () => {
    await ask('GET /replication/adapters', '/replication/adapters', 200)
    await ask('GET /replication/adapterinfos', '/replication/adapterinfos', 200)
    const registry = {
      name: 'other',
      url: 'https://registry.invalid',
      type: 'harbor',
      credential: { type: 'basic', access_key: 'bob', access_secret: 'Hush-hush-1' },
    }
    const { id: endpoint } = await ask('POST /registries', '/registries', 201, registry)
    await ask('POST /registries', '/registries', 409, registry)
    await ask('POST /registries', '/registries', 400, { ...registry, name: 'b', url: 'https://u:p@x' })
    const listed = [await ask('GET /registries', '/registries', 200), await ask('GET /registries/{id}', `/registries/${endpoint}`, 200)]
    expect(JSON.stringify(listed.map(({ body }) => body))).not.toContain('Hush')
    await ask('GET /registries/{id}/info', `/registries/${endpoint}/info`, 200)
    const refused = await ask('POST /registries/ping', '/registries/ping', 400, { id: endpoint })
    expect(refused.body).toMatchObject({ errors: [{ code: 'BAD_REQUEST', message: expect.stringMatching(/^DNS: /) }] })
    await ask('PUT /registries/{id}', `/registries/${endpoint}`, 400, { url: 'https://elsewhere.invalid' })
    await ask('PUT /registries/{id}', `/registries/${endpoint}`, 200, { description: 'far away', access_secret: '*****' })

    const rule = { name: 'push-all', dest_registry: { id: endpoint }, trigger: { type: 'manual' }, filters: [{ type: 'name', value: 'team/**' }] }
    const { id: policy } = await ask('POST /replication/policies', '/replication/policies', 201, rule)
    await ask('POST /replication/policies', '/replication/policies', 409, rule)
    await ask('POST /replication/policies', '/replication/policies', 400, { ...rule, name: 'b', dest_registry: null })
    await ask('GET /replication/policies', '/replication/policies', 200)
    await ask('GET /replication/policies/{id}', `/replication/policies/${policy}`, 200)
    await ask('PUT /replication/policies/{id}', `/replication/policies/${policy}`, 200, { ...rule, description: 'x' })
    await ask('DELETE /registries/{id}', `/registries/${endpoint}`, 412)
    const nightly = (cron: string) => ({ ...rule, name: 'nightly', trigger: { type: 'scheduled', trigger_settings: { cron } } })
    for (const cron of ['', '0 3 * * *', '0 0 0 31 2 *']) await ask('POST /replication/policies', '/replication/policies', 400, nightly(cron))
    const { id: scheduled } = await ask('POST /replication/policies', '/replication/policies', 201, nightly('0 0 3 * * *'))
    expect((await ask('GET /replication/policies/{id}', `/replication/policies/${scheduled}`, 200)).body).toMatchObject({
      trigger: { type: 'scheduled', trigger_settings: { cron: '0 0 3 * * *' } },
    })
    await ask('DELETE /replication/policies/{id}', `/replication/policies/${scheduled}`, 200)
    const { id: execution } = await ask('POST /replication/executions', '/replication/executions', 201, { policy_id: policy })
    await ask('POST /replication/executions', '/replication/executions', 404, { policy_id: 999 })
    await ask('GET /replication/executions', `/replication/executions?policy_id=${policy}`, 200)
    await ask('GET /replication/executions/{id}', `/replication/executions/${execution}`, 200)
    await ask('GET /replication/executions/{id}/tasks', `/replication/executions/${execution}/tasks`, 200)
    await ask('GET /replication/executions/{id}/tasks/{task_id}/log', `/replication/executions/${execution}/tasks/9/log`, 404)
    await ask('DELETE /replication/policies/{id}', `/replication/policies/${policy}`, 412)
    await ask('PUT /replication/executions/{id}', `/replication/executions/${execution}`, 200)
    await ask('DELETE /replication/policies/{id}', `/replication/policies/${policy}`, 200)
    await ask('DELETE /registries/{id}', `/registries/${endpoint}`, 200)
  })

  test('immutable tags, answer by answer', async () => {
    await ask('POST /projects', '/projects', 201, { project_name: 'kept' })
    const P = '/projects/{project_name_or_id}/immutabletagrules'
    const at = '/projects/kept/immutabletagrules'
    const rule = {
      action: 'immutable',
      template: 'immutable_template',
      scope_selectors: { repository: [{ kind: 'doublestar', decoration: 'repoMatches', pattern: '**' }] },
      tag_selectors: [{ kind: 'doublestar', decoration: 'excludes', pattern: 'dev-*', extras: '' }],
    }
    const { id } = await ask(`POST ${P}`, at, 201, rule)
    for (const pattern of ['', '(a+)+', '{*a*a*a*a,b}']) {
      await ask(`POST ${P}`, at, 400, { ...rule, tag_selectors: [{ kind: 'doublestar', decoration: 'matches', pattern }] })
    }
    await ask(`POST ${P}`, at, 400, { ...rule, tag_selectors: [] })
    await ask(`POST ${P}`, '/projects/none/immutabletagrules', 404, rule)
    await ask(`PUT ${P}/{immutable_rule_id}`, `${at}/${id}`, 200, { ...rule, id, disabled: true })
    await ask(`PUT ${P}/{immutable_rule_id}`, `${at}/4711`, 404, rule)
    expect((await ask(`GET ${P}`, `${at}?page_size=10&sort=-id`, 200)).body).toEqual([
      {
        ...rule,
        id,
        priority: 0,
        disabled: true,
        params: {},
        scope_selectors: { repository: [{ ...rule.scope_selectors.repository[0], extras: '' }] },
      },
    ])
    await ask(`DELETE ${P}/{immutable_rule_id}`, `${at}/${id}`, 200)
    await ask(`DELETE ${P}/{immutable_rule_id}`, `${at}/${id}`, 404)
    await ask(`GET ${P}`, at, 401, undefined, '')
  })

  test('retention, answer by answer', async () => {
    const { id: project } = await ask('POST /projects', '/projects', 201, { project_name: 'lean' })
    await ask('GET /retentions/metadatas', '/retentions/metadatas', 200)
    const policy = {
      algorithm: 'or',
      scope: { level: 'project', ref: project },
      trigger: { kind: 'Schedule', settings: { cron: '0 0 3 * * *' }, references: {} },
      rules: [
        {
          disabled: false,
          action: 'retain',
          template: 'latestPushedK',
          params: { latestPushedK: 10 },
          tag_selectors: [{ kind: 'doublestar', decoration: 'matches', pattern: '**', extras: '{"untagged":true}' }],
          scope_selectors: { repository: [{ kind: 'doublestar', decoration: 'repoMatches', pattern: '**' }] },
        },
      ],
    }
    const R = '/retentions/{id}'
    const { id } = await ask('POST /retentions', '/retentions', 201, policy)
    await ask('POST /retentions', '/retentions', 400, policy)
    const [rule] = policy.rules
    for (const wrong of [{ template: 'latestPushedK', params: {} }, { template: 'sometimes' }, { tag_selectors: [] }]) {
      await ask(`PUT ${R}`, `/retentions/${id}`, 400, { ...policy, rules: [{ ...rule, ...wrong }] })
    }
    await ask(`PUT ${R}`, `/retentions/${id}`, 400, { ...policy, trigger: { kind: 'Schedule', settings: { cron: '* * *' } } })
    await ask(`PUT ${R}`, `/retentions/${id}`, 200, { ...policy, id })
    expect((await ask(`GET ${R}`, `/retentions/${id}`, 200)).body).toMatchObject({
      ...policy,
      id,
      rules: [{ ...rule, id: 1, scope_selectors: { repository: [{ pattern: '**' }] } }],
    })
    expect((await ask('GET /projects/{project_name_or_id}', '/projects/lean', 200)).body).toMatchObject({ metadata: { retention_id: String(id) } })
    const { id: run } = await ask(`POST ${R}/executions`, `/retentions/${id}/executions`, 201, { dry_run: true })
    await ask(`GET ${R}/executions`, `/retentions/${id}/executions`, 200)
    await ask(`GET ${R}/executions/{eid}/tasks`, `/retentions/${id}/executions/${run}/tasks`, 200)
    await ask(`GET ${R}/executions/{eid}/tasks/{tid}`, `/retentions/${id}/executions/${run}/tasks/4711`, 404)
    await ask(`PATCH ${R}/executions/{eid}`, `/retentions/${id}/executions/${run}`, 400, { action: 'go' })
    await ask(`PATCH ${R}/executions/{eid}`, `/retentions/${id}/executions/${run}`, 200, { action: 'stop' })
    expect((await ask(`GET ${R}/executions`, `/retentions/${id}/executions`, 200)).body).toMatchObject([
      { id: run, status: 'Stopped', dry_run: true },
    ])
    await ask(`GET ${R}`, '/retentions/4711', 404)
    await ask(`GET ${R}`, `/retentions/${id}`, 401, undefined, '')
    await ask(`DELETE ${R}`, `/retentions/${id}`, 200)
    await ask(`GET ${R}`, `/retentions/${id}`, 404)
  })

  test('garbage collection, answer by answer', async () => {
    const S = '/system/gc/schedule'
    const daily = { schedule: { type: 'Custom', cron: '0 0 3 * * *' }, parameters: { delete_untagged: true, dry_run: 'false', workers: 2 } }
    expect((await ask(`GET ${S}`, S, 200)).body).toEqual({})
    await ask(`POST ${S}`, S, 201, daily)
    await ask(`POST ${S}`, S, 409, daily)
    await ask(`PUT ${S}`, S, 200, { schedule: { type: 'Weekly', cron: '0 0 0 * * 0' } })
    expect((await ask(`GET ${S}`, S, 200)).body).toMatchObject({ schedule: { type: 'Weekly', cron: '0 0 0 * * 0' }, job_status: 'Scheduled' })
    for (const cron of ['', '* * * * *', '0 0 25 * * *', '0 0 0 31 2 *']) await ask(`PUT ${S}`, S, 400, { schedule: { type: 'Custom', cron } })
    await ask(`PUT ${S}`, S, 400, { schedule: { type: 'Now' } })
    await ask(`PUT ${S}`, S, 400, { schedule: { type: 'Manual' }, parameters: { dry_run: 'perhaps' } })
    await ask(`PUT ${S}`, S, 200, { schedule: { type: 'None' } })
    expect((await ask(`GET ${S}`, S, 200)).body).toEqual({})
    const { id } = await ask(`POST ${S}`, S, 201, { schedule: { type: 'Manual' }, parameters: { dry_run: true } })
    await ask(`POST ${S}`, S, 409, { schedule: { type: 'Manual' } })
    await ask('GET /system/gc', '/system/gc?q=job_status=Pending&page_size=1', 200)
    await ask('GET /system/gc', '/system/gc?q=job_status=Perhaps', 400)
    expect((await ask('GET /system/gc/{gc_id}', `/system/gc/${id}`, 200)).body).toMatchObject({
      job_kind: 'MANUAL',
      job_status: 'Pending',
      job_parameters: '{"delete_untagged":false,"dry_run":true}',
    })
    await ask('GET /system/gc/{gc_id}/log', `/system/gc/${id}/log`, 200)
    await ask('PUT /system/gc/{gc_id}', `/system/gc/${id}`, 200)
    expect((await ask('GET /system/gc/{gc_id}', `/system/gc/${id}`, 200)).body).toMatchObject({ job_status: 'Stopped' })
    await ask('GET /system/gc/{gc_id}', '/system/gc/4711', 404)
    await ask('GET /system/gc', '/system/gc', 401, undefined, '')
  })
})

/** Swagger 2.0's dialect as JSON Schema: references into the definitions, `x-nullable`, and a map of bare objects, which is of anything in Go. */
function toJsonSchema(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toJsonSchema)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, inner]) =>
    key === '$ref' && typeof inner === 'string' ? [key, `contract${inner}`] : [key, key === 'enum' ? inner : toJsonSchema(inner)],
  )
  const schema: Record<string, unknown> = Object.fromEntries(entries)
  if (JSON.stringify(schema.additionalProperties) === '{"type":"object"}') schema.additionalProperties = true
  if (schema['x-nullable'] === true && typeof schema.type === 'string') schema.type = [schema.type, 'null']
  return schema
}

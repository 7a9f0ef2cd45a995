import { once } from 'node:events'
import { type IncomingHttpHeaders, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ADMIN_PASSWORD, type AtollProcess, startAtoll } from '../support/atoll.ts'
import { randomImage } from '../support/images.ts'
import { basic, Tenant } from '../support/tenant.ts'
import { until } from '../support/until.ts'

// What Harbor's Terraform provider sends for each resource, in its order and its way, and what it reads from the answers: create, Location, read,
// update, read, delete. It has its ways: a body of `null` with every GET and DELETE, one exact status for each call, and the address of what it made
// taken from Location by cutting `/api` and `/v2.0` out of it.

const ADMIN = { username: 'admin', password: ADMIN_PASSWORD }

interface Answer {
  readonly text: string
  readonly headers: IncomingHttpHeaders
}

describe("Harbor's Terraform provider", () => {
  let origin: AtollProcess

  beforeAll(async () => {
    origin = await startAtoll({ role: 'origin' })
  })
  afterAll(async () => {
    await origin?.[Symbol.asyncDispose]()
  })

  /** One call, as the provider makes it. @throws when the status is another */
  async function send(method: string, path: string, payload: unknown, status: number): Promise<Answer> {
    const [host = '', port = ''] = origin.origin.split(':')
    const body = `${JSON.stringify(payload ?? null)}\n`
    const outgoing = request({
      host,
      port,
      method,
      path: `/api/v2.0${path}`,
      headers: {
        authorization: basic(ADMIN),
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        'user-agent': 'Go-http-client/1.1',
      },
    })
    outgoing.end(body)
    const [incoming] = (await once(outgoing, 'response')) as [import('node:http').IncomingMessage]
    const said = await text(incoming)
    if (incoming.statusCode !== status) throw new Error(`${method} ${path}: ${incoming.statusCode} instead of ${status}: ${said}`)
    return { text: said, headers: incoming.headers }
  }

  const get = async <T>(path: string): Promise<T> => JSON.parse((await send('GET', path, null, 200)).text) as T

  /** @returns the id that the provider keeps: the path of what was made */
  async function make(path: string, payload: unknown): Promise<string> {
    const { headers } = await send('POST', path, payload, 201)
    return (headers.location ?? '').replaceAll('/api', '').replaceAll('/v2.0', '')
  }

  const project = (name: string, more: object = {}, metadata: object = {}) => ({
    project_name: name,
    cve_allowlist: {},
    storage_limit: -1,
    metadata: {
      enable_content_trust: 'false',
      enable_content_trust_cosign: 'false',
      auto_scan: 'true',
      severity: 'low',
      reuse_sys_cve_allowlist: 'true',
      public: 'false',
      prevent_vul: 'false',
      auto_sbom_generation: 'false',
      ...metadata,
    },
    ...more,
  })

  test('harbor_project, with its quota, deleted with all that is in it', { timeout: 60_000 }, async () => {
    const id = await make('/projects', project('tf-main', { storage_limit: 5 * 1_073_741_824 }))
    expect(id).toMatch(/^\/projects\/\d+$/)
    const read = async () =>
      await get<{
        name: string
        project_id: number
        registry_id?: number
        metadata: Record<string, string>
        cve_allowlist: { items: { cve_id: string }[] }
      }>(id)
    const made = await read()
    expect(made).toMatchObject({
      name: 'tf-main',
      project_id: Number(id.split('/').at(-1)),
      metadata: { public: 'false', auto_scan: 'true', prevent_vul: 'false', severity: 'low', reuse_sys_cve_allowlist: 'true' },
    })
    for (const value of Object.values(made.metadata)) expect(typeof value).toBe('string')

    // The quota is looked for in all of them, page by page, until a page is empty.
    const config = await get<{ quota_per_project_enable: { value: boolean } }>('/configurations')
    expect(config.quota_per_project_enable.value).toBe(true)
    let quota: { id: number; hard: { storage: number } } | undefined
    for (let page = 1; ; page++) {
      const quotas = await get<{ id: number; ref: { id: number }; hard: { storage: number } }[]>(`/quotas/?page=${page}&page_size=100`)
      if (quotas.length === 0) break
      quota ??= quotas.find(({ ref }) => `/projects/${ref.id}` === id)
    }
    expect(quota?.hard.storage).toBe(5 * 1_073_741_824)
    await send('PUT', `/quotas/${quota?.id}`, { hard: { storage: -1 } }, 200)
    expect((await get<{ hard: { storage: number } }>(`/quotas/${quota?.id}`)).hard.storage).toBe(-1)

    await send('PUT', id, project('tf-main', {}, { public: 'true', prevent_vul: 'true', severity: 'high', reuse_sys_cve_allowlist: 'false' }), 200)
    expect((await read()).metadata).toMatchObject({ public: 'true', prevent_vul: 'true', severity: 'high', reuse_sys_cve_allowlist: 'false' })

    const tenant = new Tenant(origin)
    for (const name of ['app', 'deep/er/app', 'a.b/c']) await tenant.push(`tf-main/${name}`, randomImage(), ADMIN, 'v1')
    const names: string[] = []
    for (let page = 1; ; page++) {
      const repositories = await get<{ name: string }[]>(`/projects/tf-main/repositories?page=${page}&page_size=100`)
      if (repositories.length === 0) break
      names.push(...repositories.map(({ name }) => name))
    }
    expect(names.sort()).toEqual(['tf-main/a.b/c', 'tf-main/app', 'tf-main/deep/er/app'])
    for (const name of names)
      await send('DELETE', `/projects/tf-main/repositories/${name.replace('tf-main/', '').replaceAll('/', '%252F')}`, null, 200)
    await send('DELETE', id, null, 200)
    await send('GET', id, null, 404)
  })

  test('harbor_registry, harbor_project as its proxy cache, and data sources of both', async () => {
    const registry = (more: object = {}) => ({
      credential: { access_key: 'me', access_secret: 'S3cret-of-mine', type: 'basic' },
      name: 'tf-hub',
      url: 'https://hub.docker.com',
      type: 'docker-hub',
      ...more,
    })
    const id = await make('/registries', registry())
    expect(id).toMatch(/^\/registries\/\d+$/)
    type Read = {
      id: number
      name: string
      url: string
      type: string
      status: string
      insecure: boolean
      credential: { access_key: string }
      description: string
    }
    const made = await get<Read>(id)
    expect(made).toMatchObject({
      name: 'tf-hub',
      url: 'https://hub.docker.com',
      type: 'docker-hub',
      insecure: false,
      credential: { access_key: 'me' },
    })
    expect(typeof made.status).toBe('string')
    await send(
      'PUT',
      id,
      { access_key: 'me', access_secret: 'S3cret-of-mine', name: 'tf-hub', url: 'https://hub.docker.com', insecure: true, description: 'more' },
      200,
    )
    expect(await get<Read>(id)).toMatchObject({ insecure: true, description: 'more' })
    // The contract has this one may be null: what Go leaves out when it is false stays.
    await send(
      'PUT',
      id,
      { access_key: 'me', access_secret: 'S3cret-of-mine', name: 'tf-hub', url: 'https://hub.docker.com', description: 'more' },
      200,
    )
    expect(await get<Read>(id)).toMatchObject({ insecure: true })
    expect(await get<Read[]>('/registries?name=tf-hub')).toMatchObject([{ id: made.id }])

    const cache = await make('/projects', project('tf-cache', { registry_id: made.id }, { proxy_speed_kb: '-1' }))
    expect(await get<object>(cache)).toMatchObject({ registry_id: made.id })
    expect(await get<object[]>('/projects?name=tf-cache')).toMatchObject([{ name: 'tf-cache' }])
    await send('DELETE', cache, null, 200)
    await send('DELETE', id, null, 200)
    await send('GET', id, null, 404)
  })

  test('harbor_user, with a new password, and who is found by name', async () => {
    const body = {
      username: 'tf-user',
      password: 'Password12345',
      sysadmin_flag: false,
      email: 'tf@example.com',
      realname: 'Terra Form',
      new_password: 'Password12345',
    }
    const id = await make('/users', body)
    expect(id).toMatch(/^\/users\/\d+$/)
    expect(await get<object>(id)).toMatchObject({
      username: 'tf-user',
      realname: 'Terra Form',
      email: 'tf@example.com',
      sysadmin_flag: false,
      comment: expect.any(String),
    })
    const next = { ...body, password: 'Password67890', new_password: 'Password67890', sysadmin_flag: true, email: 'form@example.com' }
    await send('PUT', id, next, 200)
    await send('PUT', `${id}/sysadmin`, next, 200)
    await send('PUT', `${id}/password`, next, 200)
    expect(await get<object>(id)).toMatchObject({ email: 'form@example.com', sysadmin_flag: true })
    const login = await origin.api('GET', '/api/v2.0/users/current', undefined, { username: 'tf-user', password: 'Password67890' })
    expect(login.status).toBe(200)
    // No flag at all is what Go sends for false.
    await send('PUT', `${id}/sysadmin`, { username: 'tf-user' }, 200)
    expect(await get<object>(id)).toMatchObject({ sysadmin_flag: false })
    expect(await get<object[]>('/users?page=1&q=username=tf-user,email=form@example.com')).toMatchObject([{ username: 'tf-user' }])
    expect(await get<object[]>('/users?page=2&q=username=tf-user')).toEqual([])
    await send('DELETE', id, null, 200)
    await send('GET', id, null, 404)
  })

  test('harbor_robot_account of the system and of a project, with a secret of one’s own', async () => {
    const projectId = await make('/projects', project('tf-robots'))
    const access = [
      { action: 'pull', resource: 'repository', effect: 'allow' },
      { action: 'push', resource: 'repository', effect: 'allow' },
    ]
    type Read = {
      id: number
      name: string
      level: string
      description?: string
      duration: number
      disable: boolean
      permissions: { kind: string; namespace: string; access: object[] }[]
    }
    const { value: prefix } = (await get<{ robot_name_prefix: { value: string } }>('/configurations')).robot_name_prefix
    for (const [level, permissions] of [
      ['project', [{ access, kind: 'project', namespace: 'tf-robots' }]],
      [
        'system',
        [
          { access, kind: 'project', namespace: '*' },
          { access: [{ action: 'list', resource: 'project', effect: 'allow' }], kind: 'system', namespace: '/' },
        ],
      ],
    ] as const) {
      const { text: answer, headers } = await send(
        'POST',
        '/robots',
        { name: 'tf', level, description: 'by terraform', duration: -1, permissions },
        201,
      )
      const id = (headers.location ?? '').replaceAll('/api', '').replaceAll('/v2.0', '')
      const made = JSON.parse(answer) as { id: number; name: string; secret: string; expires_at: number; creation_time: string }
      expect(id).toBe(`/robots/${made.id}`)
      await send('PATCH', `/robots/${made.id}`, { secret: 'Own-Secret-12345' }, 200)
      const read = await get<Read>(id)
      const short = read.name.startsWith(prefix) ? read.name.slice(prefix.length) : read.name
      expect(level === 'project' ? short.split('+')[1] : short).toBe('tf')
      expect(read).toMatchObject({ level, description: 'by terraform', duration: -1, disable: false })
      expect(read.permissions).toHaveLength(permissions.length)
      expect(read.permissions).toEqual(expect.arrayContaining(permissions.map(({ kind, namespace }) => expect.objectContaining({ kind, namespace }))))
      expect(read.permissions.flatMap((one) => one.access)).toEqual(expect.arrayContaining([...access]))
      const login = await fetch(`http://${origin.origin}/service/token?service=atoll`, {
        headers: { authorization: basic({ username: read.name, password: 'Own-Secret-12345' }) },
      })
      expect(login.status).toBe(200)

      await send('PUT', id, { name: read.name, level, description: 'changed', duration: 30, disable: true, permissions }, 200)
      expect(await get<Read>(id)).toMatchObject({ description: 'changed', duration: 30, disable: true })
      await send('PUT', id, { name: read.name, level, description: 'changed', duration: 30, permissions }, 200)
      expect(await get<Read>(id)).toMatchObject({ disable: false })

      const query = level === 'project' ? `Level=project,ProjectID=${projectId.split('/').at(-1)}` : 'Level=system'
      const robots = await get<Read[]>(`/robots?page=1&q=${query}`)
      expect(robots.map(({ name }) => name)).toContain(read.name)
      expect(await get<Read[]>(`/robots?page=9&q=${query}`)).toEqual([])
      await send('DELETE', id, null, 200)
      await send('GET', id, null, 404)
    }
    await send('DELETE', projectId, null, 200)
  })

  test('harbor_project_member_user, harbor_group and harbor_project_member_group', async () => {
    const projectId = await make('/projects', project('tf-members'))
    const user = await make('/users', { username: 'tf-member', password: 'Password12345', email: 'm@example.com', realname: 'M' })
    const member = await make(`${projectId}/members`, { role_id: 2, member_user: { username: 'tf-member' }, member_group: {} })
    expect(member).toMatch(new RegExp(`^${projectId}/members/\\d+$`))
    type Member = { role_id: number; project_id: number; entity_name: string; entity_type: string; id: number }
    expect(await get<Member>(member)).toMatchObject({
      role_id: 2,
      project_id: Number(projectId.split('/').at(-1)),
      entity_name: 'tf-member',
      entity_type: 'u',
    })
    await send('PUT', member, { role_id: 4, member_user: { username: 'tf-member' }, member_group: {} }, 200)
    expect((await get<Member>(member)).role_id).toBe(4)

    const group = await make('/usergroups', { group_name: 'tf-group', group_type: 3 })
    expect(group).toMatch(/^\/usergroups\/\d+$/)
    expect(await get<object>(group)).toMatchObject({ group_name: 'tf-group', group_type: 3 })
    const ofGroup = await make(`${projectId}/members`, { role_id: 5, member_user: {}, member_group: { group_type: 3, group_name: 'tf-group' } })
    expect(await get<Member>(ofGroup)).toMatchObject({ role_id: 5, entity_name: 'tf-group', entity_type: 'g' })
    const members = await get<Member[]>(`${projectId}/members?page=1&page_size=100`)
    expect(members.map(({ entity_name }) => entity_name).sort()).toEqual(['admin', 'tf-group', 'tf-member'])
    expect(await get<object[]>('/usergroups?page=1&page_size=100')).toMatchObject([{ group_name: 'tf-group' }])
    for (const one of [ofGroup, member]) {
      await send('DELETE', one, null, 200)
      await send('GET', one, null, 404)
    }
    for (const one of [group, user, projectId]) await send('DELETE', one, null, 200)
  })

  test('harbor_label, of the system and of a project', async () => {
    const projectId = await make('/projects', project('tf-labels'))
    for (const scope of [{ scope: 'g' }, { scope: 'p', project_id: Number(projectId.split('/').at(-1)) }]) {
      const body = { name: 'tf-label', description: 'd', color: '#FFFFFF', ...scope }
      const id = await make('/labels', body)
      expect(id).toMatch(/^\/labels\/\d+$/)
      expect(await get<object>(id)).toMatchObject(body)
      await send('PUT', id, { ...body, description: 'other', color: '#000000' }, 200)
      expect(await get<object>(id)).toMatchObject({ description: 'other', color: '#000000' })
      await send('DELETE', id, null, 200)
      await send('GET', id, null, 404)
    }
    await send('DELETE', projectId, null, 200)
  })

  test('harbor_retention_policy: made, made again over the one that is there, emptied instead of deleted', async () => {
    const projectId = await make('/projects', project('tf-retention'))
    const ref = Number(projectId.split('/').at(-1))
    const rule = (template: string, params: object, pattern: string) => ({
      disabled: false,
      id: 0,
      action: 'retain',
      scope_selectors: { repository: [{ kind: 'doublestar', decoration: 'repoMatches', pattern }] },
      tag_selectors: [{ kind: 'doublestar', decoration: 'matches', pattern: '**', extras: '{"untagged":true}' }],
      params,
      template,
    })
    const rules = [
      rule('latestPushedK', { latestPushedK: 5 }, 'a/**'),
      rule('nDaysSinceLastPull', { nDaysSinceLastPull: 7 }, 'b'),
      rule('latestPulledN', { latestPulledN: 3 }, 'c'),
      rule('nDaysSinceLastPush', { nDaysSinceLastPush: 2 }, 'd'),
      rule('always', {}, 'e'),
    ]
    const policy = (more: object = {}) => ({
      algorithm: 'or',
      id: 0,
      rules,
      trigger: { kind: 'Schedule', references: {}, settings: { cron: '0 0 0 * * *' } },
      scope: { level: 'project', ref },
      ...more,
    })
    const id = await make('/retentions', policy())
    expect(id).toMatch(/^\/retentions\/\d+$/)
    const read = await get<{
      scope: object
      trigger: { settings: { cron: string } }
      rules: { template: string; params: object; tag_selectors: { extras: string }[] }[]
    }>(id)
    expect(read).toMatchObject({ scope: { level: 'project', ref }, trigger: { settings: { cron: '0 0 0 * * *' } } })
    expect(read.rules).toMatchObject(rules.map(({ id: _, ...each }) => each))
    await expect(make('/retentions', policy())).rejects.toThrow(/instead of 201/)
    const { metadata } = await get<{ metadata: { retention_id: string } }>(projectId)
    expect(`/retentions/${metadata.retention_id}`).toBe(id)
    await send('PUT', id, policy({ rules: rules.slice(0, 1), trigger: { kind: 'Schedule', settings: { cron: '' } } }), 200)
    expect((await get<{ rules: object[] }>(id)).rules).toHaveLength(1)
    await send(
      'PUT',
      id,
      {
        algorithm: 'or',
        id: Number(id.split('/').at(-1)),
        rules: [],
        trigger: { kind: 'Schedule', settings: { cron: '' } },
        scope: { level: 'project', ref },
      },
      200,
    )
    expect((await get<{ rules: object[] | null }>(id)).rules ?? []).toEqual([])
    await send('DELETE', projectId, null, 200)
  })

  test('harbor_immutable_tag_rule, found again in the list of them', async () => {
    const projectId = await make('/projects', project('tf-immutable'))
    const rule = (id: number, pattern: string, disabled: boolean) => ({
      id,
      disabled,
      scope_selectors: { repository: [{ kind: 'doublestar', decoration: 'repoMatches', pattern: '**' }] },
      tag_selectors: [{ kind: 'doublestar', decoration: 'matches', pattern }],
      action: 'immutable',
      template: 'immutable_template',
    })
    const id = await make(`${projectId}/immutabletagrules`, rule(0, 'v*', false))
    expect(id).toMatch(new RegExp(`^${projectId}/immutabletagrules/\\d+$`))
    const number = Number(id.split('/').at(-1))
    const find = async () => (await get<{ id: number }[]>(`${projectId}/immutabletagrules?page=1&page_size=100`)).find((one) => one.id === number)
    expect(await find()).toMatchObject({
      disabled: false,
      tag_selectors: [{ pattern: 'v*', decoration: 'matches' }],
      scope_selectors: { repository: [{ decoration: 'repoMatches', pattern: '**' }] },
    })
    await send('PUT', id, rule(number, 'r*', true), 200)
    expect(await find()).toMatchObject({ disabled: true })
    await send('PUT', id, rule(number, 'r*', false), 200)
    expect(await find()).toMatchObject({ disabled: false, tag_selectors: [{ pattern: 'r*' }] })
    await send('DELETE', id, null, 200)
    expect(await find()).toBeUndefined()
    await send('DELETE', projectId, null, 200)
  })

  test('harbor_replication, pulling and pushing, run when it changes', { timeout: 60_000 }, async () => {
    const registry = await make('/registries', { credential: {}, name: 'tf-other', url: `http://${origin.origin}`, type: 'harbor', insecure: true })
    const registryId = Number(registry.split('/').at(-1))
    const rule = (action: 'pull' | 'push', more: object = {}) => ({
      name: `tf-${action}`,
      id: 0,
      src_registry: action === 'pull' ? { id: registryId } : {},
      dest_registry: action === 'push' ? { id: registryId } : {},
      dest_namespace: 'tf-dest',
      dest_namespace_replace_count: -1,
      trigger: { type: 'manual', trigger_settings: {} },
      enabled: true,
      deletion: false,
      override: true,
      speed: -1,
      filters: [
        { type: 'name', value: 'tf/**' },
        { type: 'tag', value: 'v*', decoration: 'excludes' },
        { type: 'resource', value: 'image' },
      ],
      ...more,
    })
    for (const action of ['pull', 'push'] as const) {
      const id = await make('/replication/policies', rule(action))
      expect(id).toMatch(/^\/replication\/policies\/\d+$/)
      const number = Number(id.split('/').at(-1))
      const executions = await make('/replication/executions', { policy_id: number })
      expect(executions).toMatch(/^\/replication\/executions\/\d+$/)
      type Read = {
        id: number
        src_registry?: { id: number }
        dest_registry?: { id: number }
        trigger: { type: string; trigger_settings?: { cron?: string } }
      }
      const read = await get<Read>(id)
      expect({ source: read.src_registry?.id ?? 0, destination: read.dest_registry?.id ?? 0 }).toEqual(
        action === 'pull' ? { source: registryId, destination: 0 } : { source: 0, destination: registryId },
      )
      expect(read).toMatchObject({
        id: number,
        dest_namespace: 'tf-dest',
        dest_namespace_replace_count: -1,
        enabled: true,
        override: true,
        deletion: false,
        speed: -1,
      })
      await send(
        'PUT',
        id,
        rule(action, { trigger: { type: 'scheduled', trigger_settings: { cron: '0 0 0 * * *' } }, deletion: true, speed: 512 }),
        200,
      )
      expect(await get<Read>(id)).toMatchObject({
        trigger: { type: 'scheduled', trigger_settings: { cron: '0 0 0 * * *' } },
        deletion: true,
        speed: 512,
      })
      await send('PUT', id, { ...rule(action), enabled: undefined, override: undefined, deletion: undefined }, 200)
      expect(await get<Read>(id)).toMatchObject({ trigger: { type: 'manual' }, enabled: false, override: false, deletion: false })
      await until('the execution ended', async () => (await get<{ status: string }>(executions)).status !== 'InProgress')
      await send('DELETE', id, null, 200)
      await send('GET', id, null, 404)
    }
    await send('DELETE', registry, null, 200)
  })

  test('harbor_project_webhook', async () => {
    const projectId = await make('/projects', project('tf-webhooks'))
    const hook = (more: object = {}) => ({
      name: 'tf-hook',
      description: 'd',
      enabled: true,
      event_types: ['PUSH_ARTIFACT', 'PULL_ARTIFACT'],
      targets: [{ type: 'http', address: 'https://hooks.example.com/x', skip_cert_verify: true, payload_format: 'Default' }],
      ...more,
    })
    const id = await make(`${projectId}/webhook/policies`, hook())
    expect(id).toMatch(new RegExp(`^${projectId}/webhook/policies/\\d+$`))
    expect(await get<object>(id)).toMatchObject(hook())
    await send('PUT', id, hook({ enabled: undefined, event_types: ['DELETE_ARTIFACT'] }), 200)
    expect(await get<object>(id)).toMatchObject({ enabled: false, event_types: ['DELETE_ARTIFACT'] })
    await send('DELETE', id, null, 200)
    await send('GET', id, null, 404)
    await send('DELETE', projectId, null, 200)
  })

  test('harbor_garbage_collection and harbor_purge_audit_log: a schedule is posted, put, and put away', async () => {
    for (const [path, parameters, away] of [
      ['/system/gc/schedule', { delete_untagged: true, workers: 2 }, {}],
      [
        '/system/purgeaudit/schedule',
        { audit_retention_hour: 24, include_event_types: 'create_artifact,delete_artifact' },
        { audit_retention_hour: 24, include_event_types: 'create_artifact' },
      ],
    ] as const) {
      const set = async (schedule: object, given: object) => {
        const { text: before } = await send('GET', path, null, 200)
        // Without a word there is no schedule yet.
        await send(
          before === '' ? 'POST' : 'PUT',
          path,
          { schedule, parameters: given, creation_time: '0001-01-01T00:00:00Z', update_time: '0001-01-01T00:00:00Z' },
          before === '' ? 201 : 200,
        )
      }
      type Read = { schedule: { type: string; cron: string }; job_parameters: string }
      await set({ type: 'Daily', cron: '0 0 0 * * *' }, parameters)
      const read = await get<Read>(path)
      expect(read.schedule).toMatchObject({ type: 'Daily', cron: '0 0 0 * * *' })
      expect(JSON.parse(read.job_parameters)).toMatchObject(parameters)
      await set({ type: 'Custom', cron: '0 15 3 * * *' }, parameters)
      expect((await get<Read>(path)).schedule).toMatchObject({ type: 'Custom', cron: '0 15 3 * * *' })
      await set({ type: 'None' }, away)
      const { text: after } = await send('GET', path, null, 200)
      if (after !== '') expect((JSON.parse(after) as Read).schedule?.type ?? 'None').toBe('None')
      await set({ type: 'Weekly', cron: '0 0 0 * * 0' }, parameters)
      expect((await get<Read>(path)).schedule.type).toBe('Weekly')
      await set({ type: 'None' }, away)
    }
  })

  test('harbor_config_system and harbor_config_auth, which send what they know of as false', async () => {
    type Shown = Record<string, { value: unknown; editable: boolean }>
    const system = {
      project_creation_restriction: 'everyone',
      read_only: false,
      robot_token_duration: 60,
      robot_name_prefix: 'robot$',
      storage_per_project: 1_073_741_824,
      scanner_skip_update_pulltime: true,
      banner_message: '{"closable":true,"message":"hello","type":"info"}',
      skip_audit_log_database: false,
      session_timeout: 90,
    }
    await send('PUT', '/configurations', system, 200)
    expect(await get<Shown>('/configurations')).toMatchObject({
      project_creation_restriction: { value: 'everyone' },
      robot_token_duration: { value: 60 },
      storage_per_project: { value: 1_073_741_824 },
      banner_message: { value: system.banner_message },
      session_timeout: { value: 90 },
    })
    const oidc = {
      auth_mode: 'oidc_auth',
      primary_auth_mode: false,
      oidc_name: 'tf',
      oidc_endpoint: 'https://id.example.com',
      oidc_client_id: 'tf',
      oidc_client_secret: 'S3cret-of-tf',
      oidc_groups_claim: 'groups',
      oidc_scope: 'openid,email',
      oidc_verify_cert: true,
      oidc_auto_onboard: true,
      oidc_user_claim: 'name',
      oidc_admin_group: 'admins',
    }
    await send('PUT', '/configurations', oidc, 200)
    const { oidc_client_secret: _, ...shown } = oidc
    expect(await get<Shown>('/configurations')).toMatchObject(Object.fromEntries(Object.entries(shown).map(([key, value]) => [key, { value }])))
    // An older provider sends every field that it ever had: some mean nothing to any Harbor of today.
    const older = {
      auth_mode: 'db_auth',
      oidc_verify_cert: false,
      oidc_auto_onboard: false,
      self_registration: false,
      read_only: false,
      quota_per_project_enable: true,
      email_insecure: false,
      email_ssl: false,
      scan_all_policy: { parameter: {} },
      ldap_group_gid: '',
    }
    await send('PUT', '/configurations', older, 200)
    expect(await get<Shown>('/configurations')).toMatchObject({ auth_mode: { value: 'db_auth' }, oidc_verify_cert: { value: false } })
    await send(
      'PUT',
      '/configurations',
      { project_creation_restriction: 'adminonly', robot_token_duration: 30, storage_per_project: -1, banner_message: '', session_timeout: 60 },
      200,
    )
    expect((await get<{ banner_message: string }>('/systeminfo')).banner_message).toBe('')
  })

  test('harbor_preheat_instance and what scans: refused in Harbor’s shape, not by an accident', async () => {
    const refused = async (method: string, path: string, payload: unknown, status: number) => {
      const { text: said } = await send(method, path, payload, status)
      expect(JSON.parse(said)).toMatchObject({ errors: [{ code: expect.stringMatching(/./), message: expect.stringMatching(/./) }] })
    }
    await refused(
      'POST',
      '/p2p/preheat/instances',
      { name: 'tf', vendor: 'dragonfly', endpoint: 'https://dragonfly.example.com', auth_mode: 'NONE', enabled: true },
      400,
    )
    await refused('GET', '/system/scanAll/schedule', null, 501)
    await refused('GET', '/scanners', null, 501)
    await refused('GET', '/system/CVEAllowlist', null, 501)
    await refused('DELETE', '/scanners/00000000-0000-0000-0000-000000000000', null, 501)
  })
})

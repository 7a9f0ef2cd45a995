import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CONTRACT_PRESENT, Contract } from '../testing/contract.ts'
import { openTestOrigin, type TestOrigin } from '../testing/origin.ts'

describe.skipIf(!CONTRACT_PRESENT)('projects, people and robots keep to the contract', () => {
  let origin: TestOrigin
  let ask: Contract['ask']

  beforeAll(async () => {
    origin = await openTestOrigin()
    ask = new Contract(origin).ask
  })
  afterAll(async () => {
    await origin.close()
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
    await ask('POST /projects', '/projects', 400, { project_name: 'ok', storage_limit: -2 })
    await ask('POST /projects', '/projects', 201, { project_name: 'open', metadata: { public: 'true' } })
    await ask('POST /projects', '/projects', 201, { project_name: '4711' })
    const page = await ask('GET /projects', '/projects?page_size=2&page=2&sort=-name', 200)
    const total = Number(page.headers.get('X-Total-Count'))
    expect(total).toBeGreaterThan(4)
    expect(page.headers.get('Link')).toBe(
      '</api/v2.0/projects?page_size=2&page=1&sort=-name>; rel="prev", </api/v2.0/projects?page_size=2&page=3&sort=-name>; rel="next"',
    )
    await ask('GET /projects', '/projects?q=name=~team', 200)
    const since = (q: string) => ask('GET /projects', `/projects?q=${encodeURIComponent(q)}`, 200)
    expect((await since('creation_time=["2020-01-01 00:00:00"~]')).headers.get('X-Total-Count')).toBe(String(total))
    for (const none of ['creation_time=[~2020-01-01]', 'update_time=[~2020-01-01]', 'registry_id=4711'])
      expect((await since(none)).headers.get('X-Total-Count')).toBe('0')
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
    await ask(`DELETE ${M}{meta_name}`, '/projects/team-frontend/metadatas/retention_id', 400)

    const user = { username: 'ada', password: 'Lovelace1815', email: 'ada@example.com', realname: 'Ada' }
    const { id: userId } = await ask('POST /users', '/users', 201, user)
    await ask('POST /users', '/users', 409, user)
    await ask('POST /users', '/users', 400, { ...user, username: 'bob', password: 'short' })
    const bad = [
      { email: undefined },
      { email: '' },
      { email: 'bob' },
      { email: 'a b@example.com' },
      { realname: undefined },
      { realname: '' },
      ...[...',~#$%'].map((sign) => ({ realname: `Bob${sign}` })),
      { comment: 'c'.repeat(31) },
    ]
    for (const wrong of bad) await ask('POST /users', '/users', 400, { ...user, username: 'bob', ...wrong })
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
    await ask('PUT /users/{user_id}', `/users/${userId}`, 400, {}, ada)
    for (const wrong of bad) await ask('PUT /users/{user_id}', `/users/${userId}`, 400, { email: 'a@example.com', realname: 'A', ...wrong }, ada)
    await ask('PUT /users/{user_id}', `/users/${userId}`, 200, { email: 'a@example.com', realname: 'A', comment: 'c'.repeat(30) }, ada)
    await ask('PUT /users/{user_id}', `/users/${userId}`, 200, { email: 'a@example.com', realname: 'A' }, ada)
    expect((await ask('GET /users/{user_id}', `/users/${userId}`, 200)).body).toMatchObject({ email: 'a@example.com', realname: 'A', comment: '' })
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
    // What was forgotten must not bring it back.
    for (const wrong of [{}, { disable: false, duration: -1 }, { ...robot, level: 'system' }, { ...robot, permissions: [] }])
      await ask('PUT /robots/{robot_id}', `/robots/${made.id}`, 400, wrong)
    await ask('GET /projects', '/projects', 401, undefined, bot)
    for (const duration of [40, 20_000, 2 ** 31 - 2]) {
      await ask('PUT /robots/{robot_id}', `/robots/${made.id}`, 200, { ...robot, duration })
      const { body } = await ask('GET /robots/{robot_id}', `/robots/${made.id}`, 200)
      const { creation_time, expires_at } = body as { creation_time: string; expires_at: number }
      expect(expires_at).toBe(Math.min(Math.floor(Date.parse(creation_time) / 1000) + duration * 86_400, 8.64e12))
    }
    await ask('PUT /robots/{robot_id}', `/robots/${made.id}`, 400, { ...robot, duration: 2 ** 31 - 1 })
    await ask('PUT /robots/{robot_id}', `/robots/${made.id}`, 200, { ...robot, disable: false, duration: -1 })
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
    for (const hard of [{ storage: 0 }, { storage: -2 }, { storage: 5, count: 5 }])
      await ask('PUT /quotas/{id}', `/quotas/${projectId}`, 400, { hard })
    expect((await ask('GET /quotas/{id}', `/quotas/${projectId}`, 200)).body).toMatchObject({ hard: { storage: 5 } })
    await ask('GET /permissions', '/permissions', 200)
    await ask('GET /statistics', '/statistics', 200)
    await ask('GET /search', '/search?q=team', 200, undefined, '')
    await ask('DELETE /projects/{project_name_or_id}', '/projects/team-frontend', 200)
    await ask(`GET ${P}`, '/projects/team-frontend', 404)
  })

  const P = '/projects/{project_name_or_id}'
  interface Shown {
    readonly metadata: Record<string, string>
    readonly cve_allowlist: object
  }
  const shown = async (name: string) => (await ask(`GET ${P}`, `/projects/${name}`, 200)).body as Shown

  test('the id of a retention policy is the server’s to set: a client may send it back, and not change, add or drop it', async () => {
    const { id: ref } = await ask('POST /projects', '/projects', 201, { project_name: 'retained', metadata: { retention_id: '' } })
    await ask('POST /projects', '/projects', 400, { project_name: 'no', metadata: { retention_id: '777' } })
    const rule = { template: 'always', tag_selectors: [{ kind: 'doublestar', decoration: 'matches', pattern: '**' }] }
    const { id } = await ask('POST /retentions', '/retentions', 201, { scope: { level: 'project', ref }, rules: [rule] })
    const M = `${P}/metadatas/`
    for (const retention_id of ['777', '0', 'x']) {
      await ask(`PUT ${P}`, '/projects/retained', 400, { metadata: { retention_id } })
      await ask(`POST ${M}`, '/projects/retained/metadatas/', 400, { retention_id })
      await ask(`PUT ${M}{meta_name}`, '/projects/retained/metadatas/retention_id', 400, { retention_id })
    }
    await ask(`DELETE ${M}{meta_name}`, '/projects/retained/metadatas/retention_id', 400)
    for (const retention_id of [String(id), '', null]) {
      await ask(`PUT ${P}`, '/projects/retained', 200, { metadata: { retention_id, auto_scan: String(retention_id !== null) } })
      expect((await shown('retained')).metadata).toMatchObject({ retention_id: String(id), auto_scan: String(retention_id !== null) })
    }
  })

  test('a quota of 0 is none that was asked for, and whoever sets no quotas gets the standard one', async () => {
    await ask('PUT /configurations', '/configurations', 200, { project_creation_restriction: 'everyone', storage_per_project: 4_096 })
    await ask('POST /users', '/users', 201, { username: 'grace', password: 'Hopper1906', email: 'grace@example.com', realname: 'Grace' })
    const limit = async (name: string, storage_limit: number | null | undefined, credentials?: string) => {
      const { id } = await ask('POST /projects', '/projects', 201, { project_name: name, storage_limit }, credentials)
      return ((await ask('GET /quotas/{id}', `/quotas/${id}`, 200)).body as { hard: { storage: number } }).hard.storage
    }
    expect(await limit('none', undefined)).toBe(4_096)
    expect(await limit('zero', 0)).toBe(4_096)
    expect(await limit('null', null)).toBe(4_096)
    expect(await limit('free', -1)).toBe(-1)
    expect(await limit('hers', 1_073_741_824, 'grace:Hopper1906')).toBe(4_096)
    const { project_id: hers } = (await ask(`GET ${P}`, '/projects/hers', 200)).body as { project_id: number }
    await ask(`PUT ${P}`, '/projects/hers', 200, { storage_limit: -1, metadata: { public: 'true' } }, 'grace:Hopper1906')
    expect((await ask('GET /quotas/{id}', `/quotas/${hers}`, 200)).body).toMatchObject({ hard: { storage: 4_096 } })
    await ask('PUT /configurations', '/configurations', 200, { project_creation_restriction: 'adminonly', storage_per_project: -1 })
  })

  test('a robot whose only project is gone is taken back as it is shown, and another keeps what it may do', async () => {
    await ask('POST /projects', '/projects', 201, { project_name: 'brief' })
    const robot = (name: string, namespace: string) => {
      const access = [{ resource: 'repository', action: 'pull' }]
      return { name, level: 'system', duration: -1, permissions: [{ kind: 'project', namespace, access }] }
    }
    const { id: orphan } = await ask('POST /robots', '/robots', 201, robot('orphan', 'brief'))
    const { id: other } = await ask('POST /robots', '/robots', 201, robot('other', 'library'))
    await ask(`DELETE ${P}`, '/projects/brief', 200)
    const R = 'PUT /robots/{robot_id}'
    const shown = (await ask('GET /robots/{robot_id}', `/robots/${orphan}`, 200)).body as object
    expect(shown).toMatchObject({ permissions: [] })
    await ask(R, `/robots/${orphan}`, 200, { ...shown, disable: true })
    await ask(R, `/robots/${orphan}`, 200, robot('orphan', 'library'))
    await ask(R, `/robots/${orphan}`, 400, { ...shown, permissions: [] })
    await ask(R, `/robots/${other}`, 400, { permissions: [] })
  })

  test('what is for proxy caches alone is passed over elsewhere, and an allowlist is kept', async () => {
    const items = [{ cve_id: 'CVE-2019-10164' }, { cve_id: 'GHSA-7rjr-3q55-vv33' }]
    const ofProxies = { proxy_speed_kb: '100', max_upstream_conn: '3', proxy_cache_filter_pattern: 'a/**', proxy_cache_filter_kind: 'doublestar' }
    const { id } = await ask('POST /projects', '/projects', 201, { project_name: 'wary', metadata: ofProxies, cve_allowlist: { items } })
    const made = await shown('wary')
    expect(made.metadata).toEqual({ public: 'false' })
    expect(made.cve_allowlist).toEqual({ project_id: id, expires_at: null, items })
    await ask(`PUT ${P}`, '/projects/wary', 200, { metadata: { ...ofProxies, auto_scan: 'true' } })
    expect(await shown('wary')).toMatchObject({ metadata: { public: 'false', auto_scan: 'true' }, cve_allowlist: { items } })
    await ask(`PUT ${P}`, '/projects/wary', 200, { cve_allowlist: { project_id: id, expires_at: 1_900_000_000, items: items.slice(1) } })
    expect((await shown('wary')).cve_allowlist).toEqual({ project_id: id, expires_at: 1_900_000_000, items: items.slice(1) })
    for (const wrong of [{ items: [...items, items[0]] }, { items: [{ cve_id: ' ' }] }, { project_id: 4_711, items }]) {
      await ask(`PUT ${P}`, '/projects/wary', 400, { cve_allowlist: wrong })
    }
    await ask(`PUT ${P}`, '/projects/wary', 200, { cve_allowlist: { items: [] } })
    expect((await shown('wary')).cve_allowlist).toEqual({ project_id: id, expires_at: null, items: [] })
  })

  test('who asks without a login for private projects is told of none', async () => {
    for (const query of ['public=false', 'q=public=false']) {
      const none = await ask('GET /projects', `/projects?${query}`, 200, undefined, '')
      expect(none.body).toEqual([])
      expect(none.headers.get('X-Total-Count')).toBe('0')
    }
  })
})

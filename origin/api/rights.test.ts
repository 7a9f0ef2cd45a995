import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openTestOrigin, PASSWORD, type TestOrigin } from '../testing/origin.ts'
import { harborApi } from './harbor-api.ts'

const WHO = ['anonymous', 'guest', 'developer', 'maintainer', 'projectAdmin', 'otherAdmin', 'admin', 'robot', 'disabledRobot'] as const
type Who = (typeof WHO)[number]

const P = '/projects/team'
const R = `${P}/repositories/app`
/** Some routes below a project. */
const IN_PROJECT: [string, string][] = [
  ['GET', P],
  ['PUT', P],
  ['GET', `${P}/summary`],
  ['POST', `${P}/metadatas/`],
  ['GET', `${P}/members`],
  ['POST', `${P}/members`],
  ['GET', `${P}/repositories`],
  ['PUT', R],
  ['GET', `${R}/artifacts/v1/additions/build_history`],
  ['GET', `${P}/webhook/policies`],
  ['POST', `${P}/webhook/policies`],
  ['GET', `${P}/logs`],
  ['GET', `${P}/immutabletagrules`],
]

let origin: TestOrigin
let _projectId = 0
const credentials = new Map<Who, string>()

async function ask(method: string, path: string, who: Who, json?: unknown) {
  const credential = credentials.get(who)
  return await origin.ask(method, `/api/v2.0${path}`, { ...(credential && { credentials: credential }), ...(json !== undefined && { json }) })
}

async function make(path: string, json: unknown, who: Who = 'admin'): Promise<{ id: number; body: string }> {
  const response = await ask('POST', path, who, json)
  expect({ path, status: response.status }).toEqual({ path, status: 201 })
  return { id: Number(response.headers.get('Location')?.split('/').at(-1)), body: await response.text() }
}

beforeAll(async () => {
  origin = await openTestOrigin()
  credentials.set('admin', `admin:${PASSWORD}`)
  _projectId = (await make('/projects', { project_name: 'team' })).id
  await make('/projects', { project_name: 'other' })
  const roles = { guest: 3, developer: 2, maintainer: 4, projectAdmin: 1, otherAdmin: 1 } as const
  for (const [who, role] of Object.entries(roles) as [keyof typeof roles, number][]) {
    const username = who.toLowerCase()
    await make('/users', { username, password: 'Passw0rd-1', email: `${username}@example.com`, realname: username })
    await make(`/projects/${who === 'otherAdmin' ? 'other' : 'team'}/members`, { role_id: role, member_user: { username } })
    credentials.set(who, `${username}:Passw0rd-1`)
  }
  const access = ['pull', 'push'].map((action) => ({ resource: 'repository', action }))
  for (const [who, name] of [
    ['robot', 'ci'],
    ['disabledRobot', 'off'],
  ] as const) {
    const robot = { name, level: 'project', duration: -1, permissions: [{ kind: 'project', namespace: 'team', access }] }
    const { id, body } = await make('/robots', robot, 'projectAdmin')
    credentials.set(who, `robot$team+${name}:${(JSON.parse(body) as { secret: string }).secret}`)
    if (who === 'disabledRobot') expect((await ask('PUT', `/robots/${id}`, 'projectAdmin', { ...robot, disable: true })).status).toBe(200)
  }
})

afterAll(async () => {
  await origin.close()
})

describe('rights that no table shows', () => {
  test('a stranger cannot tell a private project from a missing one on any route', async () => {
    for (const [method, path] of IN_PROJECT) {
      if (!path.startsWith(P)) continue
      for (const who of ['anonymous', 'otherAdmin'] as const) {
        const there = await ask(method, path, who)
        const missing = await ask(method, path.replace(P, '/projects/none'), who)
        expect(there.status).toBe(missing.status)
        expect((await there.text()).replaceAll('team', 'none')).toBe(await missing.text())
      }
    }
  })

  test('a maintainer makes no project admin, and cannot come by the secret of a robot that may more than he', async () => {
    const nobody = await make('/users', { username: 'nobody', password: 'Passw0rd-1', email: 'nobody@example.com', realname: 'Nobody' })
    expect((await ask('POST', `${P}/members`, 'maintainer', { role_id: 1, member_user: { user_id: nobody.id } })).status).toBe(403)
    const access = [{ resource: 'project', action: 'delete' }]
    const permissions = [{ kind: 'project', namespace: 'team', access }]
    const mighty = { name: 'mighty', level: 'project', duration: 1, permissions }
    const { id } = await make('/robots', mighty, 'projectAdmin')
    expect((await ask('PATCH', `/robots/${id}`, 'maintainer', {})).status).toBe(403)
    const mightier = [{ kind: 'project', namespace: 'team', access: [...access, { resource: 'repository', action: 'pull' }] }]
    expect((await ask('PUT', `/robots/${id}`, 'maintainer', { ...mighty, permissions: mightier })).status).toBe(403)
    expect((await ask('PUT', `/robots/${id}`, 'maintainer', { ...mighty, disable: true })).status).toBe(200)
    expect((await ask('PATCH', `/robots/${id}`, 'projectAdmin', {})).status).toBe(200)
  })

  test('a project whose name is a number is found by its name when the header says so', async () => {
    await make('/projects', { project_name: '31337' })
    expect((await ask('GET', '/projects/31337', 'admin')).status).toBe(404)
    const request = new Request('http://origin.test/projects/31337', {
      headers: { authorization: `Basic ${btoa(`admin:${PASSWORD}`)}`, 'x-is-resource-name': 'true' },
    })
    expect((await harborApi(origin.origin.services).fetch(request)).status).toBe(200)
  })
})

test('bad input of any kind is refused and never a fault of ours', async () => {
  const served = harborApi(origin.origin.services).openAPIRegistry.definitions.flatMap((definition) =>
    // Pings go out to other hosts.
    definition.type === 'route' && definition.route.path !== '/registries/ping' ? [definition.route] : [],
  )
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.constantFrom('..', '%2e%2e%2f', '%', '%ff', "' OR 1=1 --", '\u0000', '-1', '0', '9'.repeat(30), '1e3', 'team', 'a'.repeat(3000), '__proto__'),
  )
  const fields = ['project_name', 'name', 'metadata', 'public', 'storage_limit', 'role_id', 'member_user', 'username', 'password', 'permissions']
  const more = ['level', 'duration', 'url', 'type', 'credential', 'filters', 'trigger', 'hard', 'secret', 'dest_registry', 'policy_id', 'description']
  const body = fc.oneof(
    fc.jsonValue(),
    fc.dictionary(fc.constantFrom(...fields, ...more), fc.oneof(text, fc.jsonValue(), fc.integer(), fc.boolean())),
  )
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...served),
      fc.array(text, { minLength: 5, maxLength: 5 }),
      fc.dictionary(fc.constantFrom('q', 'sort', 'page', 'page_size', 'name', 'public', 'username', 'scope', 'status'), text),
      body,
      async (route, values, query, json) => {
        let at = 0
        const path = route.path.replaceAll(/\{\w+\}/g, () => encodeURIComponent((values[at++] ?? '').toWellFormed()))
        const search = new URLSearchParams(Object.entries(query).map(([key, value]) => [key, value.toWellFormed()]))
        const method = route.method.toUpperCase()
        const response = await ask(method, `${path}?${search}`, 'admin', method === 'GET' || method === 'HEAD' ? undefined : json)
        const answer = await response.text()
        // A path with dots in it may come to be one of those that are not served yet.
        expect(response.status === 501 || response.status < 500).toBe(true)
        if (response.status >= 400 && method !== 'HEAD') expect(JSON.parse(answer)).toMatchObject({ errors: [{ code: expect.any(String) }] })
      },
    ),
    { numRuns: 400 },
  )
})

test.each([
  ['malformed JSON', '{"project_name":', 'application/json', 400],
  ['another media type', '{}', 'text/plain', 415],
  ['JSON nested without end', '['.repeat(100_000), 'application/json', 400],
  ['a megabyte and more', JSON.stringify({ project_name: 'a'.repeat(2_000_000) }), 'application/json', 413],
])('%s is refused in the API’s own shape', async (_, body, type, status) => {
  const request = new Request('http://origin.test/projects', {
    method: 'POST',
    body,
    headers: { authorization: `Basic ${btoa(`admin:${PASSWORD}`)}`, 'content-type': type },
  })
  const response = await harborApi(origin.origin.services).fetch(request)
  expect({ status: response.status, body: await response.json() }).toMatchObject({ status, body: { errors: [{ message: expect.any(String) }] } })
})

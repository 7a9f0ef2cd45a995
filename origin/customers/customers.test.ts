import { afterAll, beforeAll, expect, test } from 'vitest'
import { controlPlaneOf } from '../../cli/serve/control-plane.ts'
import type { RunningControlPlane } from '../../control-plane/start.ts'
import { ScriptedServer } from '../../test/support/scripted-server.ts'
import { until } from '../../test/support/until.ts'
import { openTestOrigin, PASSWORD, type TestOrigin } from '../testing/origin.ts'

const ADMIN = `admin:${PASSWORD}`
const CUSTOMERS = '/api/atoll/v1/projects/team/customers'
const who = (name: string) => `${name}:Secret-12345`

let origin: TestOrigin
let plane: RunningControlPlane
/** Somewhere inside, where a project's administrator has no business. */
let inside: ScriptedServer

const ask = (method: string, path: string, json?: unknown, credentials = ADMIN) =>
  origin.ask(method, path, { credentials, ...(json !== undefined && { json }) })

async function made(path: string, json: unknown): Promise<void> {
  const answer = await ask('POST', `/api/v2.0${path}`, json)
  expect(answer.status, await answer.text()).toBe(201)
}

beforeAll(async () => {
  origin = await openTestOrigin()
  plane = await controlPlaneOf(origin.origin)
  inside = await ScriptedServer.start((_request, response) => response.writeHead(200).end())
  for (const project of ['team', 'other']) await made('/projects', { project_name: project })
  for (const [name, project, role] of [
    ['owner', 'team', 1],
    ['keeper', 'team', 4],
    ['neighbour', 'other', 1],
  ] as const) {
    await made('/users', { username: name, email: `${name}@example.com`, realname: name, password: 'Secret-12345' })
    await made(`/projects/${project}/members`, { role_id: role, member_user: { username: name } })
  }
})
afterAll(async () => {
  await plane?.close()
  await origin?.close()
  await inside?.[Symbol.asyncDispose]()
})

const customer = (url: string, name = 'acme') => ({ name, url, username: 'from-atoll', secret: 'Hush-hush-1', expires_at: '2099-01-01' })

test('are the business of a project’s administrators: others are refused, and strangers learn nothing', async () => {
  const body = customer('https://registry.invalid')
  expect((await ask('POST', CUSTOMERS, body, who('keeper'))).status).toBe(403)
  const [hidden, absent] = await Promise.all([
    ask('GET', CUSTOMERS, undefined, who('neighbour')),
    ask('GET', CUSTOMERS.replace('team', 'nobody'), undefined, who('neighbour')),
  ])
  expect(hidden.status).toBe(absent.status)
  expect((await hidden.text()).replaceAll('team', 'nobody')).toBe(await absent.text())

  const created = await ask('POST', CUSTOMERS, body, who('owner'))
  expect(created.status).toBe(201)
  expect(await created.json()).toMatchObject({
    name: 'acme',
    project: 'team',
    expired: false,
    status: 'unknown',
    rule: { filters: [{ type: 'name', value: 'team/**' }] },
  })
  expect((await ask('POST', CUSTOMERS, body, who('owner'))).status).toBe(409)
  const all = await (await ask('GET', CUSTOMERS, undefined, who('owner'))).text()
  expect(all).toContain('acme')
  expect(all).not.toContain('Hush')
  // The administrator of the system sees them among all endpoints; the owner of the project has no view of those.
  expect(await (await ask('GET', '/api/v2.0/registries')).text()).toContain('team/acme')
  expect((await ask('GET', '/api/v2.0/registries', undefined, who('owner'))).status).toBe(403)
  expect((await ask('POST', CUSTOMERS, { ...body, name: 'b', repositories: 'other/**' }, who('owner'))).status).toBe(400)
})

test('keep their project: no rule makes more of them, and no project is deleted under them', async () => {
  const [listed] = (await (await ask('GET', CUSTOMERS)).json()) as { endpoint_id: number; rule: { id: number } }[]
  const { endpoint_id: id, rule } = listed ?? { endpoint_id: 0, rule: { id: 0 } }
  const wider = {
    name: 'team/acme',
    dest_registry: { id },
    filters: [{ type: 'name', value: '**' }],
    trigger: { type: 'manual' },
    enabled: true,
    override: true,
  }
  expect((await ask('PUT', `/api/v2.0/replication/policies/${rule.id}`, wider)).status).toBe(200)
  expect((await (await ask('GET', `/api/v2.0/replication/policies/${rule.id}`)).json()) as object).toMatchObject({
    filters: [
      { type: 'name', value: 'team/**' },
      { type: 'name', value: '**' },
    ],
  })
  for (const value of ['other/**', 't?am2/*', 'team']) {
    const beside = { ...wider, filters: [{ type: 'name', value }] }
    const refused = await ask('PUT', `/api/v2.0/replication/policies/${rule.id}`, beside)
    expect(refused.status, value).toBe(400)
    expect(await refused.text()).toContain(`${value} lets nothing of it through`)
    expect((await ask('POST', '/api/v2.0/replication/policies', { ...beside, name: 'beside' })).status).toBe(400)
  }
  expect((await ask('POST', '/api/v2.0/replication/policies', { name: 'back', src_registry: { id } })).status).toBe(400)
  expect((await ask('POST', '/api/v2.0/projects', { project_name: 'proxied', registry_id: id })).status).toBe(400)
  expect((await ask('DELETE', '/api/v2.0/projects/team')).status).toBe(412)
})

test('are asked at public addresses only, unless the system’s administrator allows more', async () => {
  const url = inside.url.href
  expect((await ask('POST', CUSTOMERS, customer(url, 'inside'), who('owner'))).status).toBe(201)
  const pinged = await ask('POST', `${CUSTOMERS}/inside/ping`, {}, who('owner'))
  expect(pinged.status).toBe(400)
  expect(await pinged.text()).toMatch(/connection: 127\.0\.0\.1 is a private address/)
  await ask('POST', `${CUSTOMERS}/inside/deliveries`, {}, who('owner'))
  await until('the look at the endpoint has failed, too', async () => {
    const { status } = (await (await ask('GET', `${CUSTOMERS}/inside`)).json()) as { status: string }
    return status === 'unhealthy'
  })
  expect(inside.lines, 'nobody was asked').toEqual([])
})

test('get nothing after their last day, and it is said', async () => {
  const one = `${CUSTOMERS}/acme`
  expect((await ask('PATCH', one, { expires_at: '2020-01-01T00:00:00Z' }, who('owner'))).status).toBe(200)
  const refused = await ask('POST', `${one}/deliveries`, {}, who('owner'))
  expect(refused.status).toBe(403)
  const sentence = 'team/acme was to be used until 2020-01-01T00:00:00.000Z, and nothing is sent there since. Set a new end when there is one.'
  expect(await refused.text()).toContain(sentence)
  // The rule itself, started by the system's administrator.
  const { rule } = (await (await ask('GET', one)).json()) as { rule: { id: number } }
  const started = await ask('POST', '/api/v2.0/replication/executions', { policy_id: rule.id })
  expect(started.status, await started.text()).toBe(201)
  await until('its execution has failed, and says why', async () => {
    const { last, status, status_text } = (await (await ask('GET', one)).json()) as {
      last: { status: string; text: string } | null
      status: string
      status_text: string
    }
    return last?.status === 'Failed' && last.text.includes(sentence) && status === 'unhealthy' && status_text === sentence
  })
  expect(await (await ask('PATCH', one, { expires_at: null }, who('owner'))).json()).toMatchObject({
    expired: false,
    expires_at: null,
    status: 'unknown',
  })
})

test('are reported on to their project, and all endpoints to the system’s administrator alone', async () => {
  const { endpoint_id: id } = (await (await ask('GET', `${CUSTOMERS}/acme`)).json()) as { endpoint_id: number }
  const all = `/api/atoll/v1/endpoints/${id}/deliveries?format=csv`
  expect((await ask('GET', all, undefined, who('owner'))).status).toBe(403)
  expect((await ask('GET', `${CUSTOMERS}/acme/deliveries`, undefined, who('keeper'))).status).toBe(403)
  expect((await ask('GET', all.replace(`${id}`, '999'))).status).toBe(404)
  for (const [path, name] of [
    [all, ADMIN],
    [`${CUSTOMERS}/acme/deliveries?format=csv`, who('owner')],
  ] as const) {
    const answer = await ask('GET', path, undefined, name)
    expect(answer.headers.get('content-type')).toBe('text/csv; charset=utf-8')
    expect(await answer.text()).toBe('repository,destination,tag,digest,delivered_at,bytes,now,digest_there,why\r\n')
  }
})

test('go with their rule', async () => {
  expect((await ask('DELETE', `${CUSTOMERS}/acme`, undefined, who('owner'))).status).toBe(204)
  expect(await (await ask('GET', '/api/v2.0/replication/policies?name=acme')).json()).toEqual([])
  expect((await ask('GET', `${CUSTOMERS}/acme`, undefined, who('owner'))).status).toBe(404)
})

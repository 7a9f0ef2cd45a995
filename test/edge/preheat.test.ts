import { afterAll, beforeAll, expect, test } from 'vitest'
import { ADMIN_PASSWORD, type AtollProcess, startAtoll } from '../support/atoll.ts'
import { pushImage, randomImage } from '../support/images.ts'
import { until } from '../support/until.ts'

const authorization = `Basic ${Buffer.from(`admin:${ADMIN_PASSWORD}`).toString('base64')}`
let atoll: AtollProcess

beforeAll(async () => {
  atoll = await startAtoll()
}, 60_000)
afterAll(async () => {
  await atoll?.[Symbol.asyncDispose]()
})

async function ask(method: string, path: string, json?: unknown): Promise<Response> {
  return await fetch(`http://${atoll.origin}/api/v2.0${path}`, {
    method,
    headers: { authorization, ...(json !== undefined && { 'content-type': 'application/json' }) },
    ...(json !== undefined && { body: JSON.stringify(json) }),
  })
}

async function get<T>(path: string): Promise<T> {
  return (await (await ask('GET', path)).json()) as T
}

test('Harbor’s preheating warms an edge: now, and with each push', { timeout: 120_000 }, async () => {
  const push = async (repository: string, tag: string) =>
    await pushImage({ url: new URL(`http://${atoll.origin}`), repository, headers: { authorization } }, randomImage({ layers: [40_000] }), tag)
  await push('library/app', 'v1')
  await push('library/app', 'dev')
  const I = '/p2p/preheat/instances'
  expect((await ask('POST', I, { name: 'far', endpoint: 'https://edge.example.com', enabled: true })).status).toBe(400)
  const edge = { name: 'here', endpoint: `http://${atoll.edge}`, vendor: 'atoll-edge', auth_mode: 'NONE', enabled: true, default: true }
  expect((await ask('POST', I, edge)).status).toBe(201)
  expect((await ask('POST', I, edge)).status).toBe(409)
  expect((await ask('POST', `${I}/ping`, { endpoint: edge.endpoint })).status).toBe(200)
  const { id } = await get<{ id: number }>(`${I}/here`)

  const P = '/projects/library/preheat/policies'
  const filters = JSON.stringify([
    { type: 'repository', value: '**' },
    { type: 'tag', value: 'v*' },
  ])
  const policy = { name: 'warm', provider_id: id, filters, trigger: '{"type":"event_based"}', enabled: true }
  expect((await ask('POST', P, { ...policy, filters: '[{"type":"tag","value":"{a,b"}]' })).status).toBe(400)
  expect((await ask('POST', P, { ...policy, trigger: '{"type":"scheduled"}' })).status).toBe(400)
  expect((await ask('POST', P, policy)).status).toBe(201)

  const started = await ask('POST', `${P}/warm`)
  expect(started.status).toBe(201)
  const at = started.headers.get('location')?.replace('/api/v2.0', '') ?? ''
  await until('the run ends', async () => (await get<{ status: string }>(at)).status === 'Success')
  expect(await get(at)).toMatchObject({ trigger: 'MANUAL', vendor_type: 'P2P_PREHEAT', metrics: { task_count: 1, success_task_count: 1 } })
  const [task] = await get<{ id: number; extra_attrs: object }[]>(`${at}/tasks`)
  expect(task?.extra_attrs).toMatchObject({ artifact: 'library/app:v1' })
  expect(await (await ask('GET', `${at}/tasks/${task?.id}/logs`)).text()).toContain('"event":"done"')

  await push('library/app', 'v2')
  const runs = async () => await get<{ id: number; trigger: string; status: string }[]>(`${P}/warm/executions`)
  await until('a push begins a run, and it ends', async () =>
    (await runs()).some(({ trigger, status }) => trigger === 'EVENT' && status === 'Success'),
  )
  expect(await runs()).toHaveLength(2)

  expect((await ask('DELETE', `${I}/here`)).status).toBe(412)
  expect((await ask('DELETE', `${P}/warm`)).status).toBe(200)
  expect((await ask('DELETE', `${I}/here`)).status).toBe(200)
})

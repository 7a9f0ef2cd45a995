import { afterAll, beforeAll, expect, test } from 'vitest'
import { openTestOrigin, PASSWORD, type TestOrigin } from '../testing/origin.ts'

const ADMIN = `admin:${PASSWORD}`
const DAY_S = 86_400

let origin: TestOrigin
const ask = async (method: string, path: string, json?: unknown, credentials = ADMIN) => {
  const answer = await origin.ask(method, `/api/v2.0${path}`, { credentials, ...(json !== undefined && { json }) })
  const text = await answer.text()
  return { status: answer.status, body: text === '' ? undefined : JSON.parse(text) }
}
const robot = (name: string, duration: number | undefined) => ({
  name,
  level: 'project',
  ...(duration !== undefined && { duration }),
  permissions: [
    {
      kind: 'project',
      namespace: 'ours',
      access: ['create', 'read', 'list', 'update'].map((action) => ({ resource: 'robot', action })),
    },
  ],
})
const makerOf = async (name: string, duration: number) => {
  const { status, body } = await ask('POST', '/robots', robot(name, duration))
  expect(status).toBe(201)
  return { id: body.id as number, credentials: `${body.name}:${body.secret}`, expiresAt: body.expires_at as number }
}

beforeAll(async () => {
  origin = await openTestOrigin()
  await ask('POST', '/projects', { project_name: 'ours' })
})
afterAll(() => origin.close())

test('a robot gives no robot a longer life than its own, neither itself nor another nor a new one', async () => {
  const maker = await makerOf('maker', 10)
  const other = await ask('POST', '/robots', robot('other', 5))
  const refused = { status: 403, body: { errors: [{ code: 'FORBIDDEN', message: expect.stringContaining('a longer life than his own') }] } }
  // Without a duration it is the system's: thirty days.
  for (const duration of [-1, 11, undefined]) {
    expect({ duration, ...(await ask('POST', '/robots', robot('heir', duration), maker.credentials)) }).toMatchObject({ duration, ...refused })
  }
  for (const [id, name] of [
    [maker.id, 'maker'],
    [other.body.id, 'other'],
  ] as const) {
    for (const duration of [-1, 11]) {
      expect({ name, duration, ...(await ask('PUT', `/robots/${id}`, robot(name, duration), maker.credentials)) }).toMatchObject(refused)
    }
  }
  for (const expires_at of [-1, maker.expiresAt + 60, undefined]) {
    const asked = { name: 'heir', expires_at, access: [{ resource: 'robot', action: 'read' }] }
    expect(await ask('POST', '/projects/ours/robots', asked, maker.credentials)).toMatchObject(refused)
  }
  expect((await ask('GET', `/robots/${maker.id}`)).body).toMatchObject({ duration: 10, expires_at: maker.expiresAt })

  expect((await ask('POST', '/robots', robot('heir', 9), maker.credentials)).status).toBe(201)
  expect((await ask('PUT', `/robots/${other.body.id}`, robot('other', 9), maker.credentials)).status).toBe(200)
  const asked = { name: 'old-heir', expires_at: maker.expiresAt - DAY_S, access: [{ resource: 'robot', action: 'read' }] }
  expect((await ask('POST', '/projects/ours/robots', asked, maker.credentials)).status).toBe(201)
})

test('a robot whose life is longer may be changed, if not in that; people and robots without an end give any', async () => {
  const maker = await makerOf('short', 10)
  const endless = await makerOf('endless', -1)
  const change = { ...robot('endless', -1), description: 'changed' }
  expect((await ask('PUT', `/robots/${endless.id}`, change, maker.credentials)).status).toBe(200)
  expect((await ask('POST', '/robots', robot('heir-of-endless', -1), endless.credentials)).status).toBe(201)
  expect((await ask('PUT', `/robots/${maker.id}`, robot('short', -1))).status).toBe(200)
})

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openTestOrigin, PASSWORD, type TestOrigin } from '../testing/origin.ts'

const ADMIN = `admin:${PASSWORD}`
const PEOPLE = 'Passw0rd-1'

describe('robots of a project at their old address', () => {
  let origin: TestOrigin
  const ask = async (method: string, path: string, json?: unknown, credentials = ADMIN) => {
    const answer = await origin.ask(method, `/api/v2.0${path}`, { credentials, ...(json !== undefined && { json }) })
    const text = await answer.text()
    return { status: answer.status, headers: answer.headers, body: text === '' ? undefined : JSON.parse(text) }
  }

  beforeAll(async () => {
    origin = await openTestOrigin()
    for (const name of ['ours', 'theirs']) await ask('POST', '/projects', { project_name: name })
    for (const [name, role] of [
      ['keeper', 4],
      ['dev', 2],
    ] as const) {
      await ask('POST', '/users', { username: name, password: PEOPLE, email: `${name}@example.com`, realname: name })
      await ask('POST', '/projects/ours/members', { role_id: role, member_user: { username: name } })
    }
  })
  afterAll(async () => {
    await origin.close()
  })

  test('are made, shown, disabled, enabled and taken away, and log in meanwhile', async () => {
    const made = await ask('POST', '/projects/ours/robots', {
      name: 'ci',
      description: 'builds',
      expires_at: -1,
      access: [
        { resource: '/project/1/repository', action: 'pull' },
        { resource: 'repository', action: 'push' },
      ],
    })
    expect(made).toMatchObject({ status: 201, body: { name: 'robot$ours+ci', expires_at: -1, secret: expect.stringMatching(/.{16}/) } })
    const { id, secret } = made.body
    const path = made.headers.get('location')?.replace('/api/v2.0', '') ?? ''
    expect(path).toMatch(new RegExp(`^/projects/\\d+/robots/${id}$`))
    const login = async () => (await origin.ask('GET', '/service/token?service=atoll', { credentials: `robot$ours+ci:${secret}` })).status
    expect(await login()).toBe(200)
    expect((await ask('GET', path)).body).toMatchObject({
      id,
      name: 'robot$ours+ci',
      level: 'project',
      duration: -1,
      permissions: [
        {
          kind: 'project',
          namespace: 'ours',
          access: [
            { resource: 'repository', action: 'pull' },
            { resource: 'repository', action: 'push' },
          ],
        },
      ],
    })
    expect((await ask('GET', '/projects/ours/robots?q=name=ci')).body).toMatchObject([{ id }])
    expect((await ask('GET', '/projects/ours/robots')).headers.get('x-total-count')).toBe('1')
    expect((await ask('GET', `/robots/${id}`)).body).toEqual((await ask('GET', path)).body)

    expect((await ask('PUT', path, { disable: true })).status).toBe(200)
    expect(await login()).toBe(401)
    expect((await ask('PUT', path, {})).status).toBe(200)
    expect(await login()).toBe(200)
    expect((await ask('DELETE', path)).status).toBe(200)
    expect((await ask('GET', path)).status).toBe(404)
    expect(await login()).toBe(401)
  })

  test('end when they are told to', async () => {
    const end = Math.floor(origin.clock.now() / 1000) + 3 * 86_400
    const made = await ask('POST', '/projects/ours/robots', { name: 'short', expires_at: end, access: [{ resource: 'repository', action: 'pull' }] })
    expect(made.body).toMatchObject({ expires_at: end })
    expect((await ask('GET', `/projects/ours/robots/${made.body.id}`)).body).toMatchObject({ duration: 3 })
    for (const expires_at of [1, -2, end + 0.5]) {
      expect(
        (await ask('POST', '/projects/ours/robots', { name: 'never', expires_at, access: [{ resource: 'repository', action: 'pull' }] })).status,
      ).toBe(400)
    }
  })

  test('are nobody’s who may not, and are not found through another project', async () => {
    const access = [{ resource: 'repository', action: 'pull' }]
    const { body } = await ask('POST', '/projects/theirs/robots', { name: 'other', access })
    const system = await ask('POST', '/robots', {
      name: 'all',
      level: 'system',
      duration: -1,
      permissions: [{ kind: 'project', namespace: '*', access }],
    })
    for (const id of [body.id, system.body.id]) {
      for (const method of ['GET', 'PUT', 'DELETE']) {
        const json = method === 'PUT' ? { disable: true } : undefined
        expect({ method, ...(await ask(method, `/projects/ours/robots/${id}`, json)) }).toMatchObject({ method, status: 404 })
        expect((await ask(method, `/projects/theirs/robots/${id}`, json, `keeper:${PEOPLE}`)).status).toBe(404)
      }
    }
    expect((await ask('POST', '/projects/ours/robots', { name: 'mine', access }, `keeper:${PEOPLE}`)).status).toBe(201)
    expect((await ask('POST', '/projects/ours/robots', { name: 'mine', access }, `keeper:${PEOPLE}`)).status).toBe(409)
    for (const [method, path] of [
      ['GET', ''],
      ['POST', ''],
      ['DELETE', `/${body.id}`],
    ] as const) {
      const json = method === 'POST' ? { name: 'x', access } : undefined
      if (method !== 'GET') expect((await ask(method, `/projects/ours/robots${path}`, json, `dev:${PEOPLE}`)).status).toBe(403)
      expect((await origin.ask(method, `/api/v2.0/projects/ours/robots${path}`, json && { json })).status).toBe(401)
    }
    // Nobody gives a robot more than he holds, nor outside of the project.
    for (const resource of ['member', '/project/2/member']) {
      const answer = await ask('POST', '/projects/ours/robots', { name: 'more', access: [{ resource, action: 'create' }] }, `dev:${PEOPLE}`)
      expect(answer.status).toBe(403)
    }
  })
})

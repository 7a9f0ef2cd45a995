import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MESH } from '../../mesh/enrolment.ts'
import { openTestOrigin, PASSWORD, TestEdge, type TestOrigin } from '../testing/origin.ts'

const ADMIN = `admin:${PASSWORD}`
const people = { guest: 'guest:Harbour54321', maintainer: 'maintainer:Harbour54321', stranger: 'stranger:Harbour54321' }

let origin: TestOrigin

beforeAll(async () => {
  origin = await openTestOrigin()
  const made = async (path: string, json: object) => expect((await origin.ask('POST', path, { credentials: ADMIN, json })).status).toBe(201)
  for (const credentials of Object.values(people)) {
    const [username = '', password = ''] = credentials.split(':')
    await made('/api/v2.0/users', { username, password, email: `${username}@example.com`, realname: username })
  }
  await made('/api/v2.0/registries', { name: 'corp', type: 'docker-registry', url: 'https://registry.corp.example:5000' })
  const registries = (await (await origin.ask('GET', '/api/v2.0/registries', { credentials: ADMIN })).json()) as { id: number; name: string }[]
  const id = registries.find(({ name }) => name === 'corp')?.id
  await made('/api/v2.0/projects', { project_name: 'inner', public: false, registry_id: id })
  await made('/api/v2.0/projects/inner/members', { role_id: 3, member_user: { username: 'guest' } })
  await made('/api/v2.0/projects/inner/members', { role_id: 4, member_user: { username: 'maintainer' } })
})
afterAll(() => origin?.close())

const path = (rules: string) => `/api/atoll/v1/projects/inner/${rules}`
const rules = { deny: ['evil/**'] }

describe('the rules of a project', () => {
  it.each([
    ['an administrator', ADMIN, 200],
    ['a maintainer', people.maintainer, 200],
    ['a guest', people.guest, 403],
    ['a stranger', people.stranger, 403],
    ['nobody', undefined, 401],
  ])('are %s’s to change, or not', async (_who, credentials, status) => {
    const given = { ...(credentials !== undefined && { credentials }) }
    expect((await origin.ask('PUT', path('upstream-rules'), { ...given, json: rules })).status).toBe(status)
    expect((await origin.ask('DELETE', path('upstream-rules'), given)).status).toBe(status === 200 ? 204 : status)
  })

  it.each([
    ['upstream-rules', { deny: ['Not a pattern'] }],
    ['upstream-rules', { deny: 'library/*' }],
    ['upstream-rules', { minimum_age_days: 1.5 }],
    ['upstream-rules', { unknown: true }],
    ['mirror', { hosts: ['https://docker.io/'] }],
    ['warming', { platforms: ['linux'] }],
    ['grace', { seconds: -1 }],
    ['grace', { seconds: 31 * 86_400 }],
  ])('%s cannot be %j', async (name, json) => {
    expect((await origin.ask('PUT', path(name), { credentials: ADMIN, json })).status).toBe(400)
  })

  it('are in the documents that edges get', async () => {
    const edge = await TestEdge.enrolled(origin)
    const document = async (path: string) => decodeJws(await (await edge.ask('GET', path)).text())
    await origin.ask('PUT', path('upstream-rules'), { credentials: ADMIN, json: rules })
    expect(await document(MESH.project('inner'))).toMatchObject({ rules: { allow: [], deny: ['evil/**'], minimumAgeDays: 0, exempt: [] } })
    await origin.ask('PUT', path('warming'), { credentials: ADMIN, json: { patterns: ['web/*'] } })
    expect(await document(MESH.project('inner'))).toMatchObject({ warming: { patterns: ['web/*'], edges: [], platforms: [] } })
    expect(await document(MESH.mirrors)).toMatchObject({ hosts: { 'registry.corp.example:5000': ['inner'] }, warmed: ['inner'] })
    await origin.ask('PUT', path('grace'), { credentials: ADMIN, json: { seconds: 0, public_afterwards: true } })
    expect(await document(MESH.project('inner'))).toMatchObject({ grace: { ms: 0, publicAfterwards: true } })
    await origin.ask('PUT', path('grace'), { credentials: ADMIN, json: { public_afterwards: true } })
    expect(await document(MESH.project('inner'))).toMatchObject({ grace: { publicAfterwards: true } })
    for (const name of ['upstream-rules', 'warming', 'grace']) await origin.ask('DELETE', path(name), { credentials: ADMIN })
    for (const name of ['rules', 'warming', 'grace']) expect(await document(MESH.project('inner'))).not.toHaveProperty(name)
    expect(await document(MESH.mirrors)).toMatchObject({ warmed: [] })
  })
})

function decodeJws(jws: string): object {
  return JSON.parse(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString()) as object
}

it('who sees all projects hears that there is none, and nobody else', async () => {
  const put = async (credentials: string) =>
    (await origin.ask('PUT', '/api/atoll/v1/projects/nonesuch/synchronous', { credentials, json: {} })).status
  expect([await put(ADMIN), await put(people.stranger)]).toEqual([404, 403])
})

it('which registries are mirrored is shown as far as one may know the projects', async () => {
  const shown = async (credentials: string) => (await (await origin.ask('GET', '/api/atoll/v1/mirrors', { credentials })).json()) as object
  const by = (...projects: string[]) => ({ projects, plain_http: false })
  const common = { 'docker.io': by('dockerhub-proxy'), 'quay.io': by('quay-proxy') }
  const all = { ...common, 'registry.corp.example:5000': by('inner') }
  expect(await shown(ADMIN)).toEqual(all)
  expect(await shown(people.guest)).toEqual(all)
  expect(await shown(people.stranger)).toEqual(common)
  expect((await origin.ask('GET', '/api/atoll/v1/mirrors')).status).toBe(401)
})

import { afterAll, beforeAll, expect, it } from 'vitest'
import { openTestOrigin, PASSWORD, type TestOrigin } from '../../testing/origin.ts'

const ADMIN = `admin:${PASSWORD}`

let origin: TestOrigin
beforeAll(async () => {
  origin = await openTestOrigin()
})
afterAll(() => origin.close())

it.each([
  ['POST', '/api/v2.0/projects'],
  ['PUT', '/api/v2.0/configurations'],
  ['PATCH', '/api/v2.0/robots/1'],
  ['DELETE', '/api/v2.0/projects/library'],
  ['POST', '/api/v2.0/nothing-here'],
  ['POST', '/api/atoll/v1/keys'],
])('a page of another site changes nothing by what its visitor’s browser remembers: %s %s', async (method, path) => {
  for (const credentials of [ADMIN, 'admin:wrong', undefined]) {
    const answer = await origin.ask(method, path, { headers: { 'sec-fetch-site': 'cross-site' }, ...(credentials && { credentials }) })
    const { errors } = (await answer.json()) as { errors: { code: string }[] }
    expect([answer.status, errors[0]?.code]).toEqual([403, path.startsWith('/api/v2.0') ? 'FORBIDDEN' : 'DENIED'])
  }
})

it('who reads, our own page, and clients that are no browsers go on', async () => {
  const status = async (method: string, path: string, site?: string) =>
    (await origin.ask(method, path, { credentials: ADMIN, ...(site !== undefined && { headers: { 'sec-fetch-site': site } }) })).status
  for (const method of ['GET', 'HEAD']) expect(await status(method, '/api/v2.0/projects?project_name=library', 'cross-site')).toBe(200)
  for (const site of ['same-origin', 'same-site', 'none', undefined]) expect(await status('POST', '/api/atoll/v1/keys', site)).toBe(201)
})

import { afterEach, beforeEach, expect, it } from 'vitest'
import { until } from '../../test/support/until.ts'
import { openTestOrigin, PASSWORD, type TestOrigin } from '../testing/origin.ts'

const ADMIN = `admin:${PASSWORD}`

let origin: TestOrigin
beforeEach(async () => {
  origin = await openTestOrigin()
})
afterEach(() => origin.close())

interface Entry {
  readonly username: string
  readonly operation: string
  readonly operation_result: boolean
}

const entries = async (): Promise<Entry[]> => {
  const answer = await origin.ask('GET', '/api/v2.0/auditlog-exts?q=resource_type%3Duser&page_size=100', { credentials: ADMIN })
  const all = (await answer.json()) as Entry[]
  return all
    .filter(({ operation }) => operation === 'login' || operation === 'logout')
    .map(({ username, operation, operation_result }) => ({ username, operation, operation_result }))
    .reverse()
}

it('the audit log tells who has begun and ended a session, and of whose secret was tried in vain', async () => {
  const login = (principal: string, password: string) => origin.ask('POST', '/c/login', { form: { principal, password } })
  const right = await login('admin', PASSWORD)
  expect(right.status).toBe(200)
  const cookie = right.headers.get('set-cookie')?.split(';')[0] ?? ''
  expect((await origin.ask('GET', '/c/log_out', { cookie })).status).toBe(200)
  for (const name of ['admin', 'admin', 'nobody']) expect((await login(name, 'wrong')).status).toBe(401)
  expect((await origin.ask('GET', '/api/v2.0/users/current', { credentials: 'admin:wrong too' })).status).toBe(401)
  const failed = () => entries().then((all) => all.filter(({ operation_result }) => !operation_result))
  await until('the guesses are written down', async () => (await failed()).length > 0)
  const all = await entries()
  expect(all.filter(({ operation_result }) => operation_result)).toEqual([
    { username: 'admin', operation: 'login', operation_result: true },
    { username: 'admin', operation: 'logout', operation_result: true },
  ])
  for (const entry of await failed()) expect(entry).toEqual({ username: 'admin', operation: 'login', operation_result: false })
  expect(JSON.stringify(all)).not.toMatch(/wrong|nobody/)
})

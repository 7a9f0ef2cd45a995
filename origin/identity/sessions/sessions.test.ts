import { afterEach, beforeEach, expect, it } from 'vitest'
import { openTestOrigin, PASSWORD, type TestOrigin } from '../../testing/origin.ts'

const HALF_MS = 30 * 60_000

let origin: TestOrigin
beforeEach(async () => {
  origin = await openTestOrigin()
})
afterEach(() => origin.close())

const begin = async (): Promise<string> =>
  (await origin.ask('POST', '/c/login', { form: { principal: 'admin', password: PASSWORD } })).headers.get('set-cookie') ?? ''

it.each(['/api/v2.0/users/current', '/api/atoll/v1/keys'])(
  'a browser keeps the cookie of a session for as long as the session was extended: %s',
  async (path) => {
    const begun = await begin()
    expect(begun).toContain('; Max-Age=3600;')
    const [cookie = ''] = begun.split(';')
    const use = async () => {
      const { status, headers } = await origin.ask('GET', path, { cookie })
      return { status, set: headers.get('set-cookie') }
    }
    expect(await use()).toEqual({ status: 200, set: null })
    origin.clock.ahead += HALF_MS + 1000
    expect(await use()).toEqual({ status: 200, set: begun })
    expect(await use()).toEqual({ status: 200, set: null })
    origin.clock.ahead += HALF_MS + 1000
    expect(await use()).toEqual({ status: 200, set: begun })
  },
)

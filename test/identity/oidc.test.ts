import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { originApp } from '../../origin/app.ts'
import { OidcPeople } from '../../origin/identity/oidc/people.ts'
import { CONTRACT_PRESENT, Contract } from '../../origin/testing/contract.ts'
import { openTestOrigin, PASSWORD, type TestOrigin } from '../../origin/testing/origin.ts'
import { Browser } from '../support/browser.ts'
import { CLIENT_ID, type OpenIdPerson, OpenIdProvider } from '../support/openid.ts'

const BASE = 'http://origin.test'
const ADMIN = `admin:${PASSWORD}`

describe.skipIf(!CONTRACT_PRESENT)('people of a real OpenID provider', () => {
  let provider: OpenIdProvider
  let origin: TestOrigin
  let ask: Contract['ask']
  const people = new Map<string, OpenIdPerson>([
    ['sub-ada', { name: 'Ada Lovelace', groups: ['developers', 'everybody'] }],
    ['sub-bob', { name: 'bob', groups: ['registry-admins', 'everybody'] }],
  ])

  beforeAll(async () => {
    provider = await OpenIdProvider.start({ registry: BASE, clientSecret: 'client-s3cret', people })
    origin = await openTestOrigin()
    ask = new Contract(origin).ask
    await ask('PUT /configurations', '/configurations', 200, {
      auth_mode: 'oidc_auth',
      oidc_name: 'test',
      oidc_endpoint: provider.issuer,
      oidc_client_id: CLIENT_ID,
      oidc_client_secret: 'client-s3cret',
      oidc_scope: 'openid,profile,email,offline_access',
      oidc_groups_claim: 'groups',
      oidc_group_filter: '^(developers|registry-)',
      oidc_admin_group: 'registry-admins',
      oidc_verify_cert: true,
      oidc_logout: true,
    })
  })
  afterAll(async () => {
    await origin?.close()
    await provider?.[Symbol.asyncDispose]()
  })

  function browser(): Browser {
    const app = originApp(origin.origin)
    return new Browser(async (request) =>
      new URL(request.url).host === 'origin.test' ? await app(request, { remoteAddress: '192.0.2.9' }) : await fetch(request),
    )
  }

  const atProvider = (tab: Browser, subject: string) => provider.login(tab, BASE, subject)

  const current = async (tab: Browser) => await tab.go(`${BASE}/api/v2.0/users/current`)

  test('are asked for a name the first time, and are in the groups that the provider says', { timeout: 60_000 }, async () => {
    const tab = browser()
    const arrived = await atProvider(tab, 'sub-ada')
    expect({ status: arrived.status, location: arrived.headers.get('location') }).toEqual({
      status: 302,
      location: '/oidc-onboard?username=Ada_Lovelace',
    })
    expect((await current(tab)).status).toBe(401)
    const onboard = (username: string) =>
      tab.go(`${BASE}/c/oidc/onboard`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ username }) })
    expect((await onboard('admin')).status).toBe(409)
    for (const unfit of ['a b', 'ada\u200b', 'ada\u202e', 'a<b']) expect((await onboard(unfit)).status, unfit).toBe(400)
    const said = tab.cookie('origin.test', 'oidc_newcomer')
    expect((await onboard('ada')).status).toBe(200)
    expect((await onboard('ada2')).status).toBe(401)
    // What the provider said then is of no use any more, to whoever kept it.
    const kept = new Request(`${BASE}/c/oidc/onboard`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', cookie: `oidc_newcomer=${said}` },
      body: JSON.stringify({ username: 'ada3' }),
    })
    const replayed = await originApp(origin.origin)(kept, { remoteAddress: '192.0.2.10' })
    expect([replayed.status, replayed.headers.getSetCookie().some((cookie) => cookie.startsWith('sid='))]).toEqual([401, false])
    const user = await current(tab)
    expect(await user.json()).toMatchObject({
      username: 'ada',
      realname: 'Ada Lovelace',
      sysadmin_flag: false,
      oidc_user_meta: { secret: expect.stringMatching(/./) },
    })
    const groups = (await ask('GET /usergroups', '/usergroups', 200)).body as { group_name: string; group_type: number }[]
    expect(groups.map(({ group_name, group_type }) => `${group_type} ${group_name}`)).toEqual(['3 developers'])

    // The second time nobody asks.
    const again = browser()
    expect((await atProvider(again, 'sub-ada')).headers.get('location')).toBe('/')
    expect(await (await current(again)).json()).toMatchObject({ username: 'ada' })
  })

  test('by a page that asks for the name, and says what is wrong with it', { timeout: 60_000 }, async () => {
    people.set('sub-eve', { name: 'eve"><script>', groups: [] })
    const tab = browser()
    const sent = await provider.login(tab, BASE, 'sub-eve', '?redirect_url=%2Fharbor%2Fprojects')
    const page = await tab.go(new URL(sent.headers.get('location') ?? '', BASE))
    expect([page.status, page.headers.get('content-security-policy')]).toEqual([200, expect.stringContaining("form-action 'self'")])
    const text = await page.text()
    expect(text).toContain('action="/c/oidc/onboard"')
    expect(text).not.toContain('<script>')
    const send = async (username: string, headers = {}) =>
      await tab.go(`${BASE}/c/oidc/onboard`, { method: 'POST', headers, body: new URLSearchParams({ username }) })
    const taken = await send('admin')
    expect([taken.status, await taken.text()]).toEqual([409, expect.stringContaining('The user name admin is taken; choose another.')])
    const odd = await send('a "b')
    expect([odd.status, await odd.text()]).toEqual([400, expect.stringContaining('value="a &quot;b"')])
    expect((await send('eve', { 'sec-fetch-site': 'cross-site' })).status).toBe(403)
    const made = await send('eve')
    expect([made.status, made.headers.get('location')]).toEqual([303, '/harbor/projects'])
    expect(await (await current(tab)).json()).toMatchObject({ username: 'eve' })
    const late = await send('eve2')
    expect([late.status, await late.text()]).toEqual([401, expect.stringContaining('Begin it again.')])
  })

  test('by auto onboarding, and as administrators by their group', { timeout: 60_000 }, async () => {
    await ask('PUT /configurations', '/configurations', 200, { oidc_auto_onboard: true })
    const tab = browser()
    expect((await atProvider(tab, 'sub-bob')).headers.get('location')).toBe('/')
    expect(await (await current(tab)).json()).toMatchObject({ username: 'bob', admin_role_in_auth: true })
    people.set('sub-bob', { name: 'bob', groups: [] })
    await atProvider(browser(), 'sub-bob')
    expect(await (await current(tab)).json()).toMatchObject({ username: 'bob', admin_role_in_auth: false })
  })

  test('who logs in for the first time in several windows at once has one account', { timeout: 60_000 }, async () => {
    people.set('sub-jan', { name: 'jan', groups: [] })
    const arrived = await Promise.all([1, 2, 3, 4].map(async () => await atProvider(browser(), 'sub-jan')))
    expect(arrived.map(({ status, headers }) => [status, headers.get('location')])).toEqual(Array.from({ length: 4 }, () => [302, '/']))
  })

  test('a session changes nothing without its CSRF token, and ends at both places', { timeout: 60_000 }, async () => {
    const tab = browser()
    await atProvider(tab, 'sub-ada')
    const seen = await current(tab)
    const { user_id: id } = (await seen.json()) as { user_id: number }
    const token = seen.headers.get('x-harbor-csrf-token') ?? ''
    const change = (headers: Record<string, string>) =>
      tab.go(`${BASE}/api/v2.0/users/${id}/cli_secret`, {
        method: 'PUT',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ secret: 'Cli-s3cret-1' }),
      })
    expect((await change({})).status).toBe(403)
    expect((await change({ 'x-harbor-csrf-token': `${token.slice(1)}A` })).status).toBe(403)
    expect((await change({ 'x-harbor-csrf-token': token })).status).toBe(200)

    const out = await tab.go(`${BASE}/c/log_out`)
    expect(out.status).toBe(302)
    expect(out.headers.get('location')).toMatch(new RegExp(`^${provider.issuer}/session/end\\?.*id_token_hint=`))
    expect((await current(tab)).status).toBe(401)
    expect(tab.has('origin.test', 'sid')).toBe(false)
  })

  test('a CLI secret logs in, until the provider does not know its owner any more', { timeout: 60_000 }, async () => {
    const status = async (secret: string) => (await origin.ask('GET', '/api/v2.0/users/current', { credentials: `ada:${secret}` })).status
    expect(await status('Cli-s3cret-1')).toBe(200)
    expect(await status('Cli-s3cret-2')).toBe(401)
    expect((await origin.ask('GET', '/service/token?service=atoll', { credentials: 'ada:Cli-s3cret-1' })).status).toBe(200)
    const session = await browser().go(`${BASE}/c/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ principal: 'ada', password: 'Cli-s3cret-1' }),
    })
    expect([session.status, await session.text(), session.headers.get('set-cookie')]).toEqual([
      401,
      expect.stringContaining('A CLI secret is for clients'),
      null,
    ])
    await ask('PUT /users/{user_id}/cli_secret', '/users/1/cli_secret', 412, { secret: 'Cli-s3cret-1' })
    origin.clock.ahead += 10 * 60_000
    expect(await status('Cli-s3cret-1')).toBe(200)
    const found = (await ask('GET /users/search', '/users/search?username=ada', 200)).body as { user_id: number; username: string }[]
    const id = found.find(({ username }) => username === 'ada')?.user_id
    await ask('PUT /users/{user_id}/cli_secret', `/users/${id}/cli_secret`, 200, { secret: 'Cli-s3cret-2' })
    expect(await status('Cli-s3cret-1')).toBe(401)
    expect(await status('Cli-s3cret-2')).toBe(200)

    // That we are not known to the provider is no fault of hers.
    const settings = async (json: object) => await ask('PUT /configurations', '/configurations', 200, json)
    await settings({ oidc_client_secret: 'another' })
    origin.clock.ahead += 10 * 60_000
    expect(await status('Cli-s3cret-2')).toBe(503)
    await settings({ oidc_client_secret: 'client-s3cret' })
    expect(await status('Cli-s3cret-2')).toBe(200)

    // Where nobody is asked about any more, nobody's secret is right, however lately it was.
    await settings({ auth_mode: 'db_auth' })
    expect(await status('Cli-s3cret-2')).toBe(401)
    await settings({ auth_mode: 'oidc_auth' })
    expect(await status('Cli-s3cret-2')).toBe(200)

    people.delete('sub-ada')
    origin.clock.ahead += 10 * 60_000
    expect(await status('Cli-s3cret-2')).toBe(401)
    expect(origin.lines.join('')).not.toMatch(/s3cret/)
  })

  test('an answer of the provider that was lost ends no account; its person logs in by the browser once', { timeout: 60_000 }, async () => {
    await atProvider(browser(), 'sub-bob')
    const found = (await ask('GET /users/search', '/users/search?username=bob', 200)).body as { user_id: number }[]
    await ask('PUT /users/{user_id}/cli_secret', `/users/${found[0]?.user_id}/cli_secret`, 200, { secret: 'Cli-s3cret-4' })
    const answer = async () => await origin.ask('GET', '/api/v2.0/users/current', { credentials: 'bob:Cli-s3cret-4' })
    origin.clock.ahead += 10 * 60_000
    provider.mute = true
    expect((await answer()).status).toBe(503)
    provider.mute = false
    const lost = await answer()
    expect({ status: lost.status, text: await lost.text() }).toEqual({ status: 503, text: expect.stringContaining('log in by the browser once') })
    await atProvider(browser(), 'sub-bob')
    expect((await answer()).status).toBe(200)
  })

  test('many logins at once ask the provider once: it takes a refresh token once, and ends everything for whoever shows it again', {
    timeout: 60_000,
  }, async () => {
    const { db, live, secrets, log } = origin.origin.services
    const process = () => new OidcPeople(db, live, secrets, log)
    const [one, other] = [process(), process()]
    for (let round = 1; round <= 3; round++) {
      origin.clock.ahead += 10 * 60_000
      const asked = provider.issued.length
      const logins = Array.from({ length: 16 }, (_, n) => (n % 2 === 0 ? one : other).login('bob', 'Cli-s3cret-4'))
      expect(new Set(await Promise.all(logins))).toEqual(new Set(['bob']))
      // An access token and a refresh token.
      expect(provider.issued.length - asked).toBe(2)
    }
  })

  test('nobody comes in by a callback that was not begun here', async () => {
    const tab = browser()
    expect((await tab.go(`${BASE}/c/oidc/callback?code=x&state=y`)).status).toBe(401)
    await tab.go(`${BASE}/c/oidc/login`)
    expect((await tab.go(`${BASE}/c/oidc/callback?code=x&state=y`)).status).toBe(401)
    expect((await tab.go(`${BASE}/c/oidc/callback?code=x&state=y&iss=${provider.issuer}`)).status).toBe(401)
  })

  test('a login leads back to where it was begun, and nowhere else', async () => {
    const arrived = await provider.login(browser(), BASE, 'sub-bob', '?redirect_url=%2Fharbor%2Fprojects%3Fpage%3D2')
    expect([arrived.status, arrived.headers.get('location')]).toEqual([302, '/harbor/projects?page=2'])
    expect((await browser().go(`${BASE}/c/oidc/login?redirect_url=%2F%2Fevil.example`)).status).toBe(400)
  })

  test('a ping tells whether there is a provider', async () => {
    await ask('POST /system/oidc/ping', '/system/oidc/ping', 200, { url: provider.issuer })
    await ask('POST /system/oidc/ping', '/system/oidc/ping', 400, { url: 'http://127.0.0.1:1' })
    await ask('POST /system/oidc/ping', '/system/oidc/ping', 400, { url: 'gopher://x' })
    await ask('POST /system/oidc/ping', '/system/oidc/ping', 401, { url: provider.issuer }, '')
  })

  test('local accounts log in by a form, and a wrong password does not', async () => {
    const tab = browser()
    const login = (password: string) =>
      tab.go(`${BASE}/c/login`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({ principal: 'admin', password }),
      })
    expect((await login('wrong')).status).toBe(401)
    expect((await login(PASSWORD)).status).toBe(200)
    expect(await (await current(tab)).json()).toMatchObject({ username: 'admin' })
    expect(ADMIN).toContain('admin')
    expect((await tab.go(`${BASE}/c/log_out`)).status).toBe(200)
    expect((await current(tab)).status).toBe(401)
  })
})

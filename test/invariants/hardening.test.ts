import { once } from 'node:events'
import { connect } from 'node:net'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ADMIN_PASSWORD, type AtollProcess, startAtoll } from '../support/atoll.ts'
import { Browser } from '../support/browser.ts'
import { basic, Tenant } from '../support/tenant.ts'

const ADMIN = { username: 'admin', password: ADMIN_PASSWORD }
const MIB = 1024 * 1024
/** What a body may cost before it is refused: what is read, what is thrown away so that its sender sees the answer, and the system's buffers. */
const READ_LIMIT = 32 * MIB

describe('an origin that is attacked', () => {
  let origin: AtollProcess

  beforeAll(async () => {
    origin = await startAtoll({ role: 'origin', env: { ATOLL_EXTERNAL_URL: 'https://registry.example.com' } })
    const tenant = new Tenant(origin)
    await tenant.project('team', { public: false })
    await tenant.user('mia', 'Passw0rd-of-mia')
  }, 60_000)
  afterAll(async () => {
    await origin?.[Symbol.asyncDispose]()
  })

  const url = (path: string) => `http://${origin.origin}${path}`

  it.each([
    ['POST', '/c/login', 'application/x-www-form-urlencoded'],
    ['POST', '/c/oidc/onboard', 'application/json'],
    ['POST', '/service/token', 'application/x-www-form-urlencoded'],
    ['POST', '/api/v2.0/users', 'application/json'],
    ['PUT', '/api/v2.0/configurations', 'application/json'],
    ['POST', '/api/v2.0/projects/team/webhook/policies', 'application/json'],
    ['POST', '/api/v2.0/no/such/path', 'application/json'],
    ['POST', '/api/atoll/v1/edges', 'application/json'],
    ['PUT', '/api/atoll/v1/projects/team/warming', 'application/json'],
    ['POST', '/api/atoll/v1/mesh/enrol', 'application/json'],
    ['PUT', '/v2/team/app/manifests/v1', 'application/vnd.oci.image.manifest.v1+json'],
    ['POST', '/nowhere', 'text/plain'],
  ])(
    '%s %s reads no body without an end',
    async (method, path, type) => {
      for (const credentials of ['', `Authorization: ${basic(ADMIN)}\r\n`]) {
        const [host, port] = origin.origin.split(':')
        const socket = connect(Number(port), host)
        await once(socket, 'connect')
        let said = ''
        let written = 0
        socket.on('data', (chunk) => {
          said += chunk.toString('latin1')
        })
        const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
        socket.on('error', () => undefined)
        socket.write(`${method} ${path} HTTP/1.1\r\nHost: a\r\n${credentials}Content-Type: ${type}\r\nTransfer-Encoding: chunked\r\n\r\n`)
        // As JSON or a form that only its end would make wrong.
        const piece = Buffer.from(`10000\r\n${'['.repeat(0x10000)}\r\n`)
        while (!socket.destroyed && written < READ_LIMIT + MIB) {
          written += piece.length
          if (!socket.write(piece)) await Promise.race([once(socket, 'drain').catch(() => undefined), closed])
        }
        await closed
        expect(written, `${method} ${path}`).toBeLessThanOrEqual(READ_LIMIT)
        if (said !== '') expect(Number(said.slice(9, 12))).toBeGreaterThanOrEqual(400)
        if (said !== '') expect(Number(said.slice(9, 12))).toBeLessThan(500)
      }
      expect((await fetch(url('/livez'))).status).toBe(200)
    },
    60_000,
  )

  it('takes a body of the API in chunks as it takes one of a length, and no more of it', async () => {
    const authorization = `Basic ${Buffer.from(`admin:${ADMIN_PASSWORD}`).toString('base64')}`
    const send = (pieces: number, piece: string) =>
      fetch(`http://${origin.origin}/api/v2.0/projects`, {
        method: 'POST',
        headers: { authorization, 'content-type': 'application/json' },
        body: Readable.toWeb(Readable.from(Array(pieces).fill(Buffer.from(piece)))),
        duplex: 'half',
      } as RequestInit)
    const whole = JSON.stringify({ project_name: 'in-chunks' })
    expect((await send(1, whole)).status).toBe(201)
    expect((await send(1, whole.slice(1))).status).toBe(400)
    expect((await send(40, 'x'.repeat(64 * 1024))).status).toBe(413)
  })

  it('says on every answer that browsers must not guess, frame or run it, and only by https', async () => {
    const tab = await fetch(url('/api/v2.0/systeminfo'))
    const answers = [
      tab,
      await fetch(url('/v2/')),
      await fetch(url('/service/token')),
      await fetch(url('/nowhere')),
      await fetch(url('/api/v2.0/nowhere')),
      await fetch(url('/api/v2.0/projects/team'), { headers: { authorization: basic(ADMIN) } }),
      await fetch(url('/c/login'), { method: 'POST', body: new URLSearchParams({ principal: 'x', password: 'y' }) }),
      await fetch(url('/livez')),
    ]
    for (const answer of answers) {
      await answer.arrayBuffer()
      expect(Object.fromEntries(answer.headers), answer.url).toMatchObject({
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'content-security-policy': expect.stringContaining("default-src 'none'"),
        'referrer-policy': 'no-referrer',
        'strict-transport-security': expect.stringMatching(/^max-age=\d{8}/),
      })
      expect(answer.headers.get('server')).toBeNull()
      expect(answer.headers.get('x-powered-by')).toBeNull()
    }
    const page = await fetch(url('/api/v2.0/docs/'))
    // Only its looks are written into it.
    expect(page.headers.get('content-security-policy')).toMatch(/script-src 'self'(;|$)/)
  })

  it('does not tell who has an account here', async () => {
    const said = async (ask: (username: string) => Promise<Response>) => {
      const answers = await Promise.all(['mia', 'nobody-of-this-name', 'robot$nobody'].map(ask))
      return await Promise.all(
        answers.map(
          async (answer) => `${answer.status} ${(await answer.text()).replaceAll(/"[\w-]{36}"/g, '')} ${answer.headers.get('www-authenticate')}`,
        ),
      )
    }
    const ways: ((username: string) => Promise<Response>)[] = [
      (username) => fetch(url('/api/v2.0/users/current'), { headers: { authorization: basic({ username, password: 'wrong' }) } }),
      (username) => fetch(url('/service/token'), { headers: { authorization: basic({ username, password: 'wrong' }) } }),
      (username) =>
        fetch(url('/service/token'), { method: 'POST', body: new URLSearchParams({ grant_type: 'password', username, password: 'wrong' }) }),
      (username) => fetch(url('/c/login'), { method: 'POST', body: new URLSearchParams({ principal: username, password: 'wrong' }) }),
      (username) => fetch(url('/v2/'), { headers: { authorization: basic({ username, password: 'wrong' }) } }),
    ]
    for (const ask of ways) {
      const [known, unknown, robot] = await said(ask)
      expect(unknown).toBe(known)
      expect(robot).toBe(known)
      expect(known).toMatch(/^401 /)
    }
    // Nor which projects there are.
    const hidden = await Promise.all(['team', 'none'].map(async (name) => await (await fetch(url(`/v2/${name}/app/manifests/v1`))).text()))
    expect(hidden[1]?.replaceAll('none', 'team')).toBe(hidden[0])
  })

  it('takes a browser’s change only from a page of ours', async () => {
    const tab = new Browser()
    await tab.go(url('/c/login'), { method: 'POST', body: new URLSearchParams({ principal: 'admin', password: ADMIN_PASSWORD }) })
    const forged = [
      { method: 'POST', path: '/api/v2.0/labels', body: '{"name":"forged","scope":"g"}', type: 'application/json' },
      { method: 'POST', path: '/api/v2.0/labels', body: '{"name":"forged","scope":"g"}', type: 'text/plain' },
      { method: 'POST', path: '/api/v2.0/labels', body: 'name=forged', type: 'application/x-www-form-urlencoded' },
      { method: 'DELETE', path: '/api/v2.0/projects/team' },
      { method: 'POST', path: '/api/atoll/v1/edges', body: '{"name":"forged","region":"x"}', type: 'text/plain' },
      { method: 'DELETE', path: '/api/atoll/v1/projects/team/warming' },
      { method: 'PUT', path: '/api/atoll/v1/projects/team/warming', body: '{}', type: 'application/json' },
    ]
    for (const { method, path, body, type } of forged) {
      const answer = await tab.go(url(path), {
        method,
        headers: { origin: 'https://evil.example.com', ...(type !== undefined && { 'content-type': type }) },
        ...(body !== undefined && { body }),
      })
      expect({ path, type, status: answer.status }).toEqual({ path, type, status: 403 })
    }
    // Nor does another site log him in, as somebody else: it is asked before the password.
    const form = { principal: 'mia', password: 'Passw0rd-of-mia' }
    const login = async (headers: Record<string, string>) => {
      const answer = await fetch(url('/c/login'), { method: 'POST', headers, body: new URLSearchParams(form) })
      return { headers, status: answer.status, session: answer.headers.get('set-cookie') !== null }
    }
    for (const headers of [
      { origin: 'https://evil.example.com' },
      { origin: 'null' },
      { origin: 'https://registry.example.com.evil.example' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site', origin: 'https://registry.example.com' },
    ] as Record<string, string>[]) {
      expect(await login(headers)).toEqual({ headers, status: 403, session: false })
    }
    for (const headers of [
      { origin: 'https://registry.example.com' },
      { origin: `http://${origin.origin}` },
      { 'sec-fetch-site': 'same-origin', origin: 'https://behind-a-proxy.example.com' },
      { 'sec-fetch-site': 'none' },
    ] as Record<string, string>[]) {
      expect(await login(headers)).toEqual({ headers, status: 200, session: true })
    }
    const csrf = async (path: string, cookie?: string) =>
      (await fetch(url(path), cookie === undefined ? {} : { headers: { cookie } })).headers.get('x-harbor-csrf-token')
    for (const path of ['/api/v2.0/ping', '/api/v2.0/health', '/api/v2.0/systeminfo', '/api/v2.0/projects']) {
      expect(await csrf(path, 'sid=hers')).toMatch(/^.{43}$/)
      expect(await csrf(path)).toBeNull()
    }
    // A session is for the API: what machines use takes none.
    expect((await tab.go(url('/v2/'))).status).toBe(401)
    const set = (
      await fetch(url('/c/login'), { method: 'POST', body: new URLSearchParams({ principal: 'mia', password: 'Passw0rd-of-mia' }) })
    ).headers.get('set-cookie')
    expect(set).toMatch(/HttpOnly/i)
    expect(set).toMatch(/SameSite=(Lax|Strict)/i)
    expect(set).toMatch(/Secure/i)
  })

  it('sends nothing to an address within for somebody who is no administrator', async () => {
    const tenant = new Tenant(origin)
    await tenant.call('POST', '/api/v2.0/projects/team/members', { role_id: 1, member_user: { username: 'mia' } })
    const mia = { username: 'mia', password: 'Passw0rd-of-mia' }
    const within = [
      '127.0.0.1',
      '127.1',
      '0x7f000001',
      '2130706433',
      '0177.0.0.1',
      '0.0.0.0',
      '[::1]',
      '[::ffff:127.0.0.1]',
      '[::ffff:7f00:1]',
      '169.254.169.254',
      '10.0.0.1',
      '[fd00::1]',
      '[64:ff9b::7f00:1]',
      '[2002:7f00:1::]',
      '100.64.0.1',
    ]
    for (const host of within) {
      const policy = { name: host, enabled: true, event_types: ['PUSH_ARTIFACT'], targets: [{ type: 'http', address: `http://${host}:8080/` }] }
      const answer = await origin.api('POST', '/api/v2.0/projects/team/webhook/policies', policy, mia)
      expect({ host, status: answer.status, said: await answer.text() }).toMatchObject({
        host,
        status: 400,
        said: expect.stringContaining('private'),
      })
    }
    for (const address of ['file:///etc/passwd', 'gopher://example.com', 'http://me:you@example.com/', 'javascript:alert(1)', '//example.com', '']) {
      const policy = { name: 'x', enabled: true, event_types: ['PUSH_ARTIFACT'], targets: [{ type: 'http', address }] }
      expect((await origin.api('POST', '/api/v2.0/projects/team/webhook/policies', policy, mia)).status).toBe(400)
    }
    // Everything else that takes an address is for administrators.
    const forbidden: [string, string, object][] = [
      ['POST', '/api/v2.0/registries', { name: 'x', type: 'harbor', url: 'http://127.0.0.1' }],
      ['POST', '/api/v2.0/registries/ping', { type: 'harbor', url: 'http://127.0.0.1' }],
      ['POST', '/api/v2.0/ldap/ping', { ldap_url: 'ldap://127.0.0.1' }],
      ['POST', '/api/v2.0/system/oidc/ping', { url: 'http://127.0.0.1' }],
      ['PUT', '/api/v2.0/configurations', { oidc_endpoint: 'http://127.0.0.1' }],
      ['POST', '/api/v2.0/p2p/preheat/instances/ping', { endpoint: 'http://127.0.0.1' }],
      ['POST', '/api/v2.0/p2p/preheat/instances', { name: 'x', endpoint: 'http://127.0.0.1', vendor: 'atoll-edge' }],
    ]
    for (const [method, path, body] of forbidden)
      expect({ path, status: (await origin.api(method, path, body, mia)).status }).toEqual({ path, status: 403 })
    // And an administrator cannot make the origin send tokens to what is no edge of ours.
    const preheat = await origin.api('POST', '/api/v2.0/p2p/preheat/instances', {
      name: 'x',
      endpoint: 'http://127.0.0.1:1',
      vendor: 'atoll-edge',
      enabled: true,
    })
    expect(preheat.status).toBe(400)
  })
})

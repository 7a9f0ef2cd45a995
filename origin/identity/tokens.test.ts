import { decodeJwt, exportSPKI, importJWK, type JWK, SignJWT, UnsecuredJWT } from 'jose'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type AccessToken, signAccessToken } from '../../mesh/tokens.ts'
import { addMember, listMembers, removeMember } from '../../schema/members.ts'
import { createProject } from '../../schema/projects.ts'
import { createRobot, deleteRobot, updateRobot } from '../../schema/robots.ts'
import { createUser, deleteUser, setPasswordHash, updateUser } from '../../schema/users.ts'
import { openTestOrigin, PASSWORD, TestEdge, type TestOrigin } from '../testing/origin.ts'
import { KEY_LEAD_MS, KEY_OVERLAP_MS } from './key-ring.ts'

const ADMIN = `admin:${PASSWORD}`

let origin: TestOrigin
beforeEach(async () => {
  origin = await openTestOrigin()
})
afterEach(() => origin.close())

interface TokenBody {
  readonly token: string
  readonly access_token: string
  readonly expires_in: number
  readonly issued_at: string
}

async function tokenFor(scope: string, credentials?: string): Promise<string> {
  const response = await origin.ask('GET', `/service/token?service=atoll&scope=${scope}`, credentials === undefined ? {} : { credentials })
  expect(response.status).toBe(200)
  return ((await response.json()) as TokenBody).token
}

async function statusOf(path: string, credentials?: string, method = 'GET'): Promise<number> {
  return (await origin.ask(method, path, credentials === undefined ? {} : { credentials })).status
}

/** A user who may push to a private project. */
async function developer() {
  const { db, passwords } = origin.origin.services
  const user = await createUser(db, { username: 'ada', passwordHash: await passwords.hash('ada’s password') }, 'user:1')
  const project = await createProject(db, { name: 'team', ownerId: 1, public: false }, 'user:1')
  await addMember(db, { projectId: project.id, kind: 'user', subjectId: user.id, role: 2 }, 'user:1')
  return { user, project }
}

describe('the token service', () => {
  it('answers as Docker’s does', async () => {
    const response = await origin.ask(
      'GET',
      '/service/token?service=atoll&account=admin&scope=repository:library/app:pull,push&scope=repository:library/b:delete',
      {
        credentials: ADMIN,
      },
    )
    expect(response.headers.get('cache-control')).toBe('no-store')
    const body = (await response.json()) as TokenBody
    expect(body.access_token).toBe(body.token)
    expect(body.expires_in).toBe(300)
    expect(Date.parse(body.issued_at)).not.toBeNaN()
    expect(decodeJwt(body.token)).toMatchObject({
      iss: 'atoll',
      aud: 'atoll',
      sub: 'user:1',
      access: [
        { type: 'repository', name: 'library/app', actions: ['pull', 'push'] },
        { type: 'repository', name: 'library/b', actions: ['delete'] },
      ],
    })
  })

  it('puts into a token what may be done now, and nothing else', async () => {
    const access = (token: string) => decodeJwt(token).access
    expect(access(await tokenFor('repository:library/app:pull,push'))).toEqual([{ type: 'repository', name: 'library/app', actions: ['pull'] }])
    expect(access(await tokenFor('repository:nothing/app:*'))).toEqual([])
    expect(access(await tokenFor('repository:dockerhub-proxy/library/alpine:pull,push', ADMIN))).toEqual([
      { type: 'repository', name: 'dockerhub-proxy/library/alpine', actions: ['pull'] },
    ])
    expect(access(await tokenFor('repository:library/UPPER:pull%20nonsense%20repository::pull', ADMIN))).toEqual([])
    expect(access(await tokenFor('repository:library/app:*', ADMIN))).toEqual([
      { type: 'repository', name: 'library/app', actions: ['pull', 'push', 'delete'] },
    ])
  })

  it('takes an OAuth form', async () => {
    const ask = (form: Record<string, string>) => origin.ask('POST', '/service/token', { form })
    const response = await ask({
      grant_type: 'password',
      username: 'admin',
      password: PASSWORD,
      service: 'atoll',
      scope: 'repository:library/app:pull',
    })
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({ token_type: 'Bearer', expires_in: 300, scope: 'repository:library/app:pull' })
    expect((await ask({ grant_type: 'password', username: 'admin', password: 'wrong' })).status).toBe(401)
    expect((await ask({ grant_type: 'refresh_token', refresh_token: 'x' })).status).toBe(401)
    expect((await ask({ grant_type: 'magic' })).status).toBe(400)
    expect((await ask({ scope: 'x'.repeat(100_000) })).status).toBe(413)
  })

  it('refuses wrong passwords in its protocol’s shape, the same for known and unknown names', async () => {
    for (const credentials of ['admin:wrong', 'nobody:wrong', 'robot$nobody:wrong', 'robot$no+body:wrong', ':', 'admin:']) {
      const response = await origin.ask('GET', '/service/token', { credentials })
      expect(response.status).toBe(401)
      expect(response.headers.get('www-authenticate')).toContain('Basic')
      expect(await response.json()).toEqual({ errors: [{ code: 'UNAUTHORIZED', message: 'The user name or the password is wrong.' }] })
    }
    for (const credentials of ['Basic !!!', 'Basic bm9jb2xvbg==', 'Bearer x', 'Digest x'])
      expect(await statusOf('/service/token', credentials)).toBe(401)
  })

  it('tells a robot that it is disabled or has expired, if its secret is right', async () => {
    const { db, robotSecrets } = origin.origin.services
    const { secret, hash } = await robotSecrets.create()
    const expiresAt = origin.clock.now() + 3_600_000
    const robot = await createRobot(db, { name: 'ci', secretHash: hash, duration: 1, expiresAt, permissions: [], creator: 'user:1' }, 'user:1')
    const message = async (password: string) => {
      const response = await origin.ask('GET', '/service/token', { credentials: `robot$ci:${password}` })
      return response.status === 200 ? 'good' : ((await response.json()) as { errors: { message: string }[] }).errors[0]?.message
    }
    expect(await message(secret)).toBe('good')
    await updateRobot(db, robot.id, { disabled: true }, 'user:1')
    expect(await message(secret)).toContain('disabled')
    expect(await message('wrong')).toBe('The user name or the password is wrong.')
    await updateRobot(db, robot.id, { disabled: false }, 'user:1')
    origin.clock.ahead = 3_600_001
    expect(await message(secret)).toContain('expired')
    await deleteRobot(db, robot.id, 'user:1')
    expect(await message(secret)).toBe('The user name or the password is wrong.')
  })

  it('gives no token that outlives the robot', async () => {
    const { db, robotSecrets } = origin.origin.services
    const { secret, hash } = await robotSecrets.create()
    const expiresAt = origin.clock.now() + 60_000
    await createRobot(db, { name: 'ci', secretHash: hash, duration: 1, expiresAt, permissions: [], creator: 'user:1' }, 'user:1')
    const token = await tokenFor('', `robot$ci:${secret}`)
    expect((decodeJwt(token).exp ?? 0) * 1000).toBeLessThanOrEqual(expiresAt)
  })
})

describe('a right that is taken away', () => {
  it('is gone at the next request, whatever the token says', async () => {
    const { db, passwords } = origin.origin.services
    const { user, project } = await developer()
    await setPasswordHash(db, user.id, await passwords.hash('first'), 'user:1')
    const token = await tokenFor('repository:team/app:pull,push', 'ada:first')
    expect(await statusOf('/v2/team/app/manifests/latest', `Bearer ${token}`)).toBe(404)
    const [member] = (await listMembers(db, project.id, { name: 'ada' }, { page: 1, pageSize: 1 })).items
    await removeMember(db, project.id, member?.id ?? 0, 'user:1')
    expect(await statusOf('/v2/team/app/manifests/latest', `Bearer ${token}`)).toBe(403)
    expect(await statusOf('/v2/library/app/manifests/latest', `Bearer ${await tokenFor('repository:library/app:pull', 'ada:first')}`)).toBe(404)
    await updateUser(db, user.id, { disabled: true }, 'user:1')
    expect(await statusOf('/v2/', `Bearer ${token}`)).toBe(401)
    await updateUser(db, user.id, { disabled: false }, 'user:1')
    expect(await statusOf('/v2/', `Bearer ${token}`)).toBe(200)
    expect(await statusOf('/v2/', 'ada:first')).toBe(200)
    await setPasswordHash(db, user.id, await passwords.hash('second'), 'user:1')
    expect(await statusOf('/v2/', 'ada:first')).toBe(401)
    expect(await statusOf('/v2/', `Bearer ${token}`)).toBe(401)
    expect(await statusOf('/v2/', 'ada:second')).toBe(200)
    await deleteUser(db, user.id, 'user:1')
    expect(await statusOf('/v2/', 'ada:second')).toBe(401)
    expect(await statusOf('/v2/', `Bearer ${token}`)).toBe(401)
    await createUser(db, { username: 'ada', passwordHash: await passwords.hash('third') }, 'user:1')
    expect(await statusOf('/v2/', `Bearer ${token}`)).toBe(401)
  })
})

describe('/v2', () => {
  it('does not tell a stranger a private project from one that is not there', async () => {
    await developer()
    const { db, passwords } = origin.origin.services
    await createUser(db, { username: 'eve', passwordHash: await passwords.hash('evil') }, 'user:1')
    const seen = async (name: string, credentials?: string) => {
      const response = await origin.ask('GET', `/v2/${name}/app/manifests/latest`, credentials === undefined ? {} : { credentials })
      const text = `${response.status} ${response.headers.get('www-authenticate')} ${await response.text()}`
      return text.replaceAll(name, '*')
    }
    expect(await seen('team')).toBe(await seen('gone'))
    expect(await seen('team')).toContain('401 Bearer realm="http://origin.test/service/token",service="atoll",scope="repository:*/app:pull"')
    expect(await seen('team', 'eve:evil')).toBe(await seen('gone', 'eve:evil'))
    expect(await seen('team', 'eve:evil')).toContain('403')
    expect(await seen('team', 'eve:evil')).toContain('requested access to the resource is denied')
    const token = await tokenFor('repository:team/app:pull', 'eve:evil')
    expect(await seen('team', `Bearer ${token}`)).toContain('403')
  })

  it('wants a token that was made for this, and says for what to ask', async () => {
    const token = await tokenFor('repository:library/app:pull', ADMIN)
    expect(await statusOf('/v2/library/app/tags/list', `Bearer ${token}`)).toBe(404)
    const push = await origin.ask('POST', '/v2/library/app/blobs/uploads/', { credentials: `Bearer ${token}` })
    expect(push.status).toBe(401)
    expect(push.headers.get('www-authenticate')).toContain('scope="repository:library/app:pull,push",error="insufficient_scope"')
    expect(await statusOf('/v2/library/other/tags/list', `Bearer ${token}`)).toBe(401)
    expect(await statusOf('/v2/_catalog', `Bearer ${token}`)).toBe(401)
    expect(await statusOf('/v2/_catalog', `Bearer ${await tokenFor('registry:catalog:*', ADMIN)}`)).toBe(200)
    expect(await statusOf('/v2/_catalog')).toBe(401)
  })

  it('lets nobody use a token to reach the API', async () => {
    const token = await tokenFor('repository:library/app:pull', ADMIN)
    expect(await statusOf('/api/atoll/v1/edges', `Bearer ${token}`)).toBe(401)
    expect(await statusOf('/service/token', `Bearer ${token}`)).toBe(401)
  })

  it('takes a host from nobody that is none', async () => {
    const app = (headers: Record<string, string>) => origin.origin.services.baseUrl(new Request('http://127.0.0.1:8080/v2/', { headers }))
    expect(app({ host: 'registry.example.com:5000' })).toBe('http://registry.example.com:5000')
    expect(app({ host: '[::1]:8080' })).toBe('http://[::1]:8080')
    expect(app({ host: 'evil.com/path?"', 'x-forwarded-proto': 'javascript' })).toBe('http://127.0.0.1:8080')
    expect(app({ host: 'a"b' })).toBe('http://127.0.0.1:8080')
    expect(app({ host: 'registry.example.com', 'x-forwarded-proto': 'https' })).toBe('https://registry.example.com')
  })
})

describe('forged tokens', () => {
  const claims = () => {
    const now = Math.floor(origin.clock.now() / 1000)
    return new SignJWT({ access: [{ type: 'repository', name: 'library/app', actions: ['pull', 'push'] }] })
      .setIssuer('atoll')
      .setAudience('atoll')
      .setSubject('user:1')
      .setIssuedAt(now)
      .setExpirationTime(now + 300)
      .setJti('forged')
  }

  it('without a signature are refused', async () => {
    const now = Math.floor(origin.clock.now() / 1000)
    const token = new UnsecuredJWT({ access: [] })
      .setIssuer('atoll')
      .setAudience('atoll')
      .setSubject('user:1')
      .setIssuedAt(now)
      .setExpirationTime(now + 300)
      .setJti('x')
      .encode()
    expect(await statusOf('/v2/', `Bearer ${token}`)).toBe(401)
  })

  it('signed with what is public are refused', async () => {
    const jwk = origin.origin.keys.jwks.keys[0] as JWK
    const { kid = '' } = jwk
    const spki = await exportSPKI((await importJWK(jwk, 'EdDSA', { extractable: true })) as CryptoKey)
    for (const secret of [jwk.x ?? '', spki, JSON.stringify(jwk)]) {
      const token = await claims().setProtectedHeader({ alg: 'HS256', typ: 'at+jwt', kid }).sign(new TextEncoder().encode(secret))
      expect(await statusOf('/v2/', `Bearer ${token}`)).toBe(401)
    }
  })

  it('by another key, under our key’s name, an unknown one or their own, are refused', async () => {
    const edge = await TestEdge.enrolled(origin)
    const { kid } = origin.origin.keys.signing
    for (const header of [{ kid }, { kid: 'unknown' }, { kid: edge.kid }, { kid: edge.kid, jwk: edge.publicKey }]) {
      const token = await claims()
        .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', ...header })
        .sign(edge.privateKey)
      expect(await statusOf('/v2/', `Bearer ${token}`)).toBe(401)
    }
  })

  it('that our key signed as something else, for somebody else, or long ago are refused', async () => {
    const { signing } = origin.origin.keys
    const now = origin.clock.now()
    const good: AccessToken = {
      issuer: 'atoll',
      audience: 'atoll',
      subject: 'user:1',
      access: [],
      issuedAt: now,
      expiresAt: now + 300_000,
      id: 'one',
      credentialVersion: 1,
    }
    expect(await statusOf('/v2/', `Bearer ${await signAccessToken(good, signing)}`)).toBe(200)
    for (const change of [
      { issuer: 'other' },
      { credentialVersion: 2 },
      { audience: 'other' },
      { expiresAt: now - 61_000 },
      { subject: 'user:99' },
      { subject: 'edge:x' },
      { subject: '' },
    ]) {
      expect(await statusOf('/v2/', `Bearer ${await signAccessToken({ ...good, ...change }, signing)}`)).toBe(401)
    }
    for (const typ of ['JWT', 'atoll-proof+jwt', 'atoll-policy+jws', undefined]) {
      const token = await claims()
        .setProtectedHeader({ alg: 'EdDSA', kid: signing.kid, ...(typ !== undefined && { typ }) })
        .sign(signing.privateKey)
      expect(await statusOf('/v2/', `Bearer ${token}`)).toBe(401)
    }
    for (const token of ['', 'x', 'a.b.c', `${'x'.repeat(20_000)}.y.z`]) expect(await statusOf('/v2/', `Bearer ${token}`)).toBe(401)
  })

  it('end when they expire, also those that were seen before', async () => {
    const token = await tokenFor('repository:library/app:pull', ADMIN)
    expect(await statusOf('/v2/', `Bearer ${token}`)).toBe(200)
    origin.clock.ahead = 361_000
    expect(await statusOf('/v2/', `Bearer ${token}`)).toBe(401)
  })
})

describe('signing keys', () => {
  it('are rotated with an overlap: old tokens stay good, until their key is taken out', async () => {
    const { keys } = origin.origin
    const before = await tokenFor('repository:library/app:pull', ADMIN)
    const old = keys.signing.kid
    await keys.rotate('user:1')
    // Published first, so that everybody knows it when it signs.
    expect(keys.signing.kid).toBe(old)
    expect(keys.jwks.keys).toHaveLength(2)
    origin.clock.ahead = KEY_LEAD_MS
    expect(keys.signing.kid).not.toBe(old)
    expect(await statusOf('/v2/', `Bearer ${before}`)).toBe(200)
    const published = (await (await origin.ask('GET', '/.well-known/jwks.json')).json()) as { keys: JWK[] }
    expect(published.keys.map(({ kid }) => kid)).toContain(old)
    expect(published.keys.every((key) => !('d' in key))).toBe(true)
    const after = await tokenFor('repository:library/app:pull', ADMIN)
    expect(await statusOf('/v2/', `Bearer ${after}`)).toBe(200)
    expect(await keys.withdraw(old, 'user:1')).toBe(true)
    expect(await statusOf('/v2/', `Bearer ${before}`)).toBe(401)
    expect(await statusOf('/v2/', `Bearer ${after}`)).toBe(200)
  })

  it('get a new key when theirs is old, and lose it when all that it signed is over', async () => {
    const { keys } = origin.origin
    const lifetime = 90 * 86_400_000
    const [first] = keys.jwks.keys
    await keys.tend(lifetime)
    expect(keys.jwks.keys).toHaveLength(1)
    origin.clock.ahead = lifetime
    await Promise.all([keys.tend(lifetime), keys.tend(lifetime)])
    expect(keys.jwks.keys).toHaveLength(2)
    origin.clock.ahead += KEY_LEAD_MS
    await keys.tend(lifetime)
    expect(await keys.list()).toMatchObject([
      { kid: first?.kid, signs: false, retiredAt: expect.any(Number) },
      { signs: true, retiredAt: undefined },
    ])
    origin.clock.ahead += KEY_OVERLAP_MS
    await keys.tend(lifetime)
    expect(keys.jwks.keys.map(({ kid }) => kid)).not.toContain(first?.kid)
    expect(keys.jwks.keys).toHaveLength(1)
  })

  it('go on with a new key at once when the only one is withdrawn, by an administrator alone', async () => {
    const token = await tokenFor('repository:library/app:pull', ADMIN)
    const path = `/api/atoll/v1/keys/${origin.origin.keys.signing.kid}`
    expect((await origin.ask('DELETE', path)).status).toBe(401)
    expect((await origin.ask('DELETE', path, { credentials: ADMIN })).status).toBe(204)
    expect((await origin.ask('DELETE', path, { credentials: ADMIN })).status).toBe(404)
    expect(await statusOf('/v2/', `Bearer ${token}`)).toBe(401)
    expect(await statusOf('/v2/', `Bearer ${await tokenFor('repository:library/app:pull', ADMIN)}`)).toBe(200)
    expect((await origin.ask('POST', '/api/atoll/v1/keys', { credentials: ADMIN })).status).toBe(201)
    expect(await (await origin.ask('GET', '/api/atoll/v1/keys', { credentials: ADMIN })).json()).toMatchObject([{ signs: true }, { signs: false }])
  })
})

describe('guessing', () => {
  it('is stopped for an account at an address, and nowhere else', async () => {
    const attempt = async (credentials: string, address: string) => (await origin.ask('GET', '/service/token', { credentials, address })).status
    const together = await Promise.all(Array.from({ length: 30 }, (_, index) => attempt(`admin:guess ${index}`, '198.51.100.7')))
    expect(together.filter((status) => status === 401)).toHaveLength(10)
    expect(together.filter((status) => status === 429)).toHaveLength(20)
    expect(await attempt(ADMIN, '198.51.100.7')).toBe(429)
    expect(await attempt(ADMIN, '198.51.100.8')).toBe(200)
    origin.clock.ahead = 301_000
    expect(await attempt(ADMIN, '198.51.100.7')).toBe(200)
  })

  it('meets no password that is remembered from somebody else’s login', async () => {
    const attempt = async (credentials: string, address: string) => (await origin.ask('GET', '/service/token', { credentials, address })).status
    for (let index = 0; index < 10; index++) expect(await attempt(`admin:guess ${index}`, '198.51.100.7')).toBe(401)
    expect(await attempt(ADMIN, '198.51.100.8')).toBe(200)
    expect(await attempt(ADMIN, '198.51.100.7')).toBe(429)
    expect(await attempt(ADMIN, '198.51.100.8')).toBe(200)
  })
})

describe('the log', () => {
  it('holds no secret, whatever went through', async () => {
    const { robotSecrets, db } = origin.origin.services
    const { secret, hash } = await robotSecrets.create()
    await createRobot(db, { name: 'ci', secretHash: hash, duration: -1, permissions: [], creator: 'user:1' }, 'user:1')
    const token = await tokenFor('repository:library/app:pull', ADMIN)
    const edge = await TestEdge.enrolled(origin)
    const proof = await edge.proof('GET', '/v2/')
    await tokenFor('', `robot$ci:${secret}`)
    await statusOf('/v2/', `Bearer ${token}`)
    await statusOf('/v2/', `Atoll-Edge ${proof}`)
    await statusOf('/service/token?password=in-the-query', 'admin:a wrong password')
    await origin.ask('POST', '/service/token', { form: { grant_type: 'password', username: 'admin', password: PASSWORD } })
    origin.origin.services.log.info({ headers: { authorization: `Bearer ${token}` }, password: PASSWORD, body: { secret } }, 'careless')
    const log = origin.lines.join('')
    expect(log).toContain('careless')
    for (const forbidden of [PASSWORD, secret, token, proof, 'a wrong password', 'in-the-query', btoa(ADMIN)]) expect(log).not.toContain(forbidden)
  })
})

import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { beforeAll, describe, expect, it } from 'vitest'
import { type SigningKey, signRequest } from './signing.ts'
import { type AccessToken, covers, parseScopes, signAccessToken, verifyAccessToken } from './tokens.ts'

const now = Date.UTC(2026, 0, 1)
const token: AccessToken = {
  issuer: 'https://origin',
  audience: 'atoll',
  subject: 'user:3',
  access: [{ type: 'repository', name: 'team/app', actions: ['pull'] }],
  issuedAt: now,
  expiresAt: now + 300_000,
  id: 'one',
}

describe('access tokens', () => {
  let key: SigningKey
  let expected: { issuer: string; audience: string; jwks: { keys: import('jose').JWK[] } }

  beforeAll(async () => {
    const pair = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true })
    key = { kid: 'k1', privateKey: pair.privateKey }
    expected = { issuer: token.issuer, audience: token.audience, jwks: { keys: [{ ...(await exportJWK(pair.publicKey)), kid: 'k1' }] } }
  })

  it('come back as they were signed', async () => {
    expect(await verifyAccessToken(await signAccessToken(token, key), expected, now + 1000)).toEqual(token)
  })

  it('are refused when expired, and when meant for another audience or issuer', async () => {
    const signed = await signAccessToken(token, key)
    await expect(verifyAccessToken(signed, expected, token.expiresAt + 61_000)).rejects.toThrow()
    await expect(verifyAccessToken(signed, { ...expected, audience: 'other' }, now)).rejects.toThrow()
    await expect(verifyAccessToken(signed, { ...expected, issuer: 'other' }, now)).rejects.toThrow()
  })

  it('cannot be unsigned, or signed with what everybody can read', async () => {
    const [, payload] = (await signAccessToken(token, key)).split('.')
    const none = `${btoa(JSON.stringify({ alg: 'none', typ: 'at+jwt' })).replace(/=+$/, '')}.${payload}.`
    await expect(verifyAccessToken(none, expected, now)).rejects.toThrow()
    const hmac = await new SignJWT({})
      .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt', kid: 'k1' })
      .setIssuer(token.issuer)
      .setAudience(token.audience)
      .setSubject('user:1')
      .setIssuedAt(now / 1000)
      .setExpirationTime(now / 1000 + 300)
      .setJti('x')
      .sign(new TextEncoder().encode(expected.jwks.keys[0]?.x ?? ''))
    await expect(verifyAccessToken(hmac, expected, now)).rejects.toThrow()
  })

  it('cannot be replaced by another thing that the same key signed', async () => {
    const proof = await signRequest({ method: 'GET', url: 'https://origin/v2/' }, { id: token.issuer, key }, now, 'n')
    await expect(verifyAccessToken(proof, expected, now)).rejects.toThrow()
  })
})

describe('scopes', () => {
  it('are read from several parameters and from one with spaces', () => {
    expect(parseScopes(['repository:a/b:pull,push repository:localhost:5000/c:pull', 'registry:catalog:*'])).toEqual([
      { type: 'repository', name: 'a/b', actions: ['pull', 'push'] },
      { type: 'repository', name: 'localhost:5000/c', actions: ['pull'] },
      { type: 'registry', name: 'catalog', actions: ['*'] },
    ])
    expect(parseScopes(['repository(plugin):a/b:pull'])).toEqual([{ type: 'repository', name: 'a/b', actions: ['pull'] }])
  })

  it('that make no sense give nothing', () => {
    expect(parseScopes(['', 'repository', 'repository:a', 'repository:a:', ':a:pull', 'repository::pull', 'repository:a:PULL'])).toEqual([])
  })

  it('cover what they name and nothing else', () => {
    const access = parseScopes(['repository:a/b:pull', 'repository:c:*'])
    expect(covers(access, { type: 'repository', name: 'a/b', action: 'pull' })).toBe(true)
    expect(covers(access, { type: 'repository', name: 'a/b', action: 'push' })).toBe(false)
    expect(covers(access, { type: 'repository', name: 'a', action: 'pull' })).toBe(false)
    expect(covers(access, { type: 'repository', name: 'c', action: 'delete' })).toBe(true)
  })
})

import { createLocalJWKSet, type JWK, type JWTPayload, jwtVerify, SignJWT } from 'jose'
import type { SubjectId } from '../policy/facts.ts'
import type { SigningKey } from './signing.ts'

// Access tokens for /v2 (Docker's token authentication). An origin signs them for itself and its edges; an edge signs some that are good at itself only.
// A token says who; what that one may do is decided anew at each request, so that a right taken away does not live on in a token.

/** One entry of the `access` claim. Actions are as clients ask for them: `pull`, `push`, `delete`, `*`. */
export interface TokenAccess {
  readonly type: string
  readonly name: string
  readonly actions: readonly string[]
}

export interface AccessToken {
  /** The origin's issuer, or the id of the edge that signed it. */
  readonly issuer: string
  /** The service of the origin; for an edge's own tokens, its id. */
  readonly audience: string
  readonly subject: SubjectId
  readonly access: readonly TokenAccess[]
  /** Milliseconds since the epoch. */
  readonly issuedAt: number
  readonly expiresAt: number
  readonly id: string
  /** Of the secret that it was given for; absent for the anonymous, who have none. */
  readonly credentialVersion?: number
}

/** Keeps a request's proof, or a policy document, from passing for a token. */
const TOKEN_TYPE = 'at+jwt'
/** The claim with the version of the credential. */
const CREDENTIAL = 'cred'
/** How far the clocks of who signs and who verifies may be apart, in seconds. */
const CLOCK_TOLERANCE_S = 60

export async function signAccessToken(token: AccessToken, key: SigningKey): Promise<string> {
  return await new SignJWT({ access: token.access, ...(token.credentialVersion !== undefined && { [CREDENTIAL]: token.credentialVersion }) })
    .setProtectedHeader({ alg: 'EdDSA', typ: TOKEN_TYPE, kid: key.kid })
    .setIssuer(token.issuer)
    .setAudience(token.audience)
    .setSubject(token.subject)
    .setIssuedAt(Math.floor(token.issuedAt / 1000))
    .setExpirationTime(Math.floor(token.expiresAt / 1000))
    .setJti(token.id)
    .sign(key.privateKey)
}

/** `now` is milliseconds since the epoch. @throws jose's errors when it is forged, expired, or for somebody else */
export async function verifyAccessToken(
  token: string,
  expected: { readonly issuer: string; readonly audience: string; readonly jwks: { readonly keys: readonly JWK[] } },
  now: number,
): Promise<AccessToken> {
  const { payload } = await jwtVerify(token, createLocalJWKSet({ keys: [...expected.jwks.keys] }), {
    algorithms: ['EdDSA'],
    typ: TOKEN_TYPE,
    issuer: expected.issuer,
    audience: expected.audience,
    clockTolerance: CLOCK_TOLERANCE_S,
    currentDate: new Date(now),
    requiredClaims: ['sub', 'exp', 'iat', 'jti'],
  })
  return {
    issuer: expected.issuer,
    audience: expected.audience,
    subject: payload.sub ?? '',
    access: accessOf(payload),
    issuedAt: (payload.iat ?? 0) * 1000,
    expiresAt: (payload.exp ?? 0) * 1000,
    id: payload.jti ?? '',
    ...(typeof payload[CREDENTIAL] === 'number' && { credentialVersion: payload[CREDENTIAL] }),
  }
}

/** Whether the token was made for this. */
export function covers(access: readonly TokenAccess[], wanted: { readonly type: string; readonly name: string; readonly action: string }): boolean {
  return access.some(
    (entry) => entry.type === wanted.type && entry.name === wanted.name && (entry.actions.includes(wanted.action) || entry.actions.includes('*')),
  )
}

const SCOPE = /^([a-z0-9]+)(?:\([a-z0-9]+\))?:(.+):([a-z*]+(?:,[a-z*]+)*)$/

/**
 * What clients put into `scope`: `repository:team/app:pull,push`, several of them by several parameters or by spaces.
 * What cannot be understood is passed over, as Docker's own service does: the token is then good for less.
 */
export function parseScopes(scopes: readonly string[]): TokenAccess[] {
  return scopes
    .flatMap((scope) => scope.split(' '))
    .flatMap((scope) => {
      const [, type, name, actions] = SCOPE.exec(scope) ?? []
      return type === undefined || name === undefined || actions === undefined ? [] : [{ type, name, actions: [...new Set(actions.split(','))] }]
    })
}

function accessOf(payload: JWTPayload): TokenAccess[] {
  return Array.isArray(payload.access) ? payload.access.filter(isAccess) : []
}

function isAccess(value: unknown): value is TokenAccess {
  if (typeof value !== 'object' || value === null) return false
  const { type, name, actions } = value as Partial<Record<keyof TokenAccess, unknown>>
  return typeof type === 'string' && typeof name === 'string' && Array.isArray(actions) && actions.every((action) => typeof action === 'string')
}

import { hash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Holder } from '../../mesh/caller.ts'
import { type AccessToken, signAccessToken, type TokenAccess, verifyAccessToken } from '../../mesh/tokens.ts'
import { ANONYMOUS } from '../../policy/facts.ts'
import type { Clock } from '../../registry/clock.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import type { KeyRing } from './key-ring.ts'

/** Verified tokens that are remembered. Verifying one takes 0.2 ms, finding one again next to nothing. */
const REMEMBERED = 20_000
/** A token with 20 scopes has some 3 kB; nobody's is longer than this. */
const TOKEN_LIMIT = 16 * 1024
/** How far a remembered token's clock may be behind; the same as verifying allows. */
const TOLERANCE_MS = 60_000

export interface IssuerOptions {
  readonly keys: KeyRing
  readonly clock: Pick<Clock, 'now'>
  readonly newId: () => string
  /** The `iss` of our tokens: of a pair of sites, the same at both. */
  readonly issuer: () => string
  /** Their `aud`. */
  readonly service: string
  /** Seconds. */
  readonly lifetime: number
}

export interface IssuedToken {
  readonly token: string
  /** Milliseconds since the epoch. */
  readonly issuedAt: number
  /** Seconds. */
  readonly expiresIn: number
}

/** Makes access tokens, and knows its own when it sees them again. */
export class Issuer {
  readonly #options: IssuerOptions
  readonly #verified = new LRUCache<string, AccessToken>({ max: REMEMBERED })
  #under: object | undefined

  constructor(options: IssuerOptions) {
    this.#options = options
  }

  get issuer(): string {
    return this.#options.issuer()
  }

  get service(): string {
    return this.#options.service
  }

  /** `holder` undefined: for the anonymous. */
  async issue(holder: Holder | undefined, access: readonly TokenAccess[]): Promise<IssuedToken> {
    const { keys, clock, newId, service, lifetime } = this.#options
    const issuedAt = clock.now()
    const { principal, credentialVersion } = holder ?? { principal: ANONYMOUS }
    // A robot's token does not live longer than the robot.
    const expiresAt = Math.min(issuedAt + lifetime * 1000, principal.expiresAt ?? Number.POSITIVE_INFINITY)
    const token = await signAccessToken(
      {
        issuer: this.issuer,
        audience: service,
        subject: principal.id,
        access,
        issuedAt,
        expiresAt,
        id: newId(),
        ...(credentialVersion !== undefined && { credentialVersion }),
      },
      keys.signing,
    )
    return { token, issuedAt, expiresIn: Math.max(1, Math.floor((expiresAt - issuedAt) / 1000)) }
  }

  /** @throws RegistryError UNAUTHORIZED when it is not ours, or expired */
  async verify(token: string): Promise<AccessToken> {
    const { keys, clock, service } = this.#options
    if (token.length > TOKEN_LIMIT) throw invalid()
    if (this.#under !== keys.jwks) {
      // A key that was taken out takes what it signed along.
      this.#verified.clear()
      this.#under = keys.jwks
    }
    const now = clock.now()
    const digest = hash('sha256', token, 'base64')
    const known = this.#verified.get(digest)
    if (known !== undefined) {
      if (now < known.expiresAt + TOLERANCE_MS) return known
      this.#verified.delete(digest)
      throw invalid()
    }
    try {
      const verified = await verifyAccessToken(token, { issuer: this.issuer, audience: service, jwks: keys.jwks }, now)
      this.#verified.set(digest, verified)
      return verified
    } catch (cause) {
      throw invalid(cause)
    }
  }
}

function invalid(cause?: unknown): RegistryError {
  return new RegistryError('UNAUTHORIZED', 'The token is not valid here, or no longer. Get a new one.', undefined, { cause })
}

import { decodeJwt, errors } from 'jose'
import { LRUCache } from 'lru-cache'
import type { KnownEdge } from '../mesh/documents.ts'
import { type AccessToken, signAccessToken, type TokenAccess, verifyAccessToken } from '../mesh/tokens.ts'
import { ANONYMOUS } from '../policy/facts.ts'
import type { Granted } from './away/grants.ts'
import { ANONYMOUS_TOKEN_MS, GRANT_TOKEN_MS, TICKET_MS, TOKENS_IN_MEMORY } from './limits.ts'
import type { OriginClient } from './origin-client.ts'

export interface TokensOptions {
  /** For who we are and for the origin's public keys: a token is verified without asking anybody. */
  readonly origin: OriginClient
  readonly newId: () => string
}

export interface SignedToken {
  readonly token: string
  /** Milliseconds since the epoch. */
  readonly issuedAt: number
  /** Seconds. */
  readonly expiresIn: number
}

/** Tokens that an edge accepts: those its origin signed, and those it signed itself. */
export class Tokens {
  readonly #options: TokensOptions
  readonly #verified = new LRUCache<string, AccessToken>({ max: TOKENS_IN_MEMORY })
  #under: object | undefined

  constructor(options: TokensOptions) {
    this.#options = options
  }

  /** Who the token is for, and what; undefined: it is expired, forged, or for somebody else. @throws RegistryError UNAVAILABLE before the enrolment */
  async verify(token: string): Promise<AccessToken | undefined> {
    const { origin } = this.#options
    const now = origin.now()
    if (this.#under !== origin.jwks) {
      // A key that was taken out takes what it signed along.
      this.#verified.clear()
      this.#under = origin.jwks
    }
    const known = this.#verified.get(token)
    if (known !== undefined && known.expiresAt > now) return known
    const verified = await this.#verify(token, now)
    if (verified !== undefined) this.#verified.set(token, verified)
    return verified
  }

  /** A token for an anonymous client: it is good at this edge, and nowhere else. */
  async signAnonymous(access: readonly TokenAccess[]): Promise<SignedToken> {
    return await this.#sign({ subject: ANONYMOUS.id, access }, ANONYMOUS_TOKEN_MS)
  }

  /** A token for somebody whom the origin has given one before, while it is away: it is good at this edge, and nowhere else. */
  async signAway(granted: Granted, access: readonly TokenAccess[]): Promise<SignedToken> {
    return await this.#sign({ ...granted, access }, GRANT_TOKEN_MS)
  }

  /** A ticket for somebody who is sent to another edge: good there, and nowhere else. */
  async signTicket(what: Pick<AccessToken, 'subject' | 'access' | 'credentialVersion'>, edge: string): Promise<SignedToken> {
    return await this.#sign(what, TICKET_MS, edge)
  }

  /** The same as `verify`, for what another edge has signed for us; it may be a ticket, and must not be taken for anything else. */
  async verifyTicket(token: string, edges: readonly Pick<KnownEdge, 'id' | 'publicKey'>[]): Promise<AccessToken | undefined> {
    const { origin } = this.#options
    const issuer = issuerOf(token)
    const edge = issuer === origin.member.enrolment.id ? undefined : edges.find(({ id }) => id === issuer)
    if (edge === undefined) return await this.verify(token)
    const expected = { issuer: edge.id, audience: origin.member.enrolment.id, jwks: { keys: [edge.publicKey] } }
    return await accepted(() => verifyAccessToken(token, expected, origin.now()))
  }

  async #sign(what: Pick<AccessToken, 'subject' | 'access' | 'credentialVersion'>, life: number, audience?: string): Promise<SignedToken> {
    const { enrolment, key } = this.#options.origin.member
    const issuedAt = this.#options.origin.now()
    const id = this.#options.newId()
    const token = await signAccessToken(
      { ...what, issuer: enrolment.id, audience: audience ?? enrolment.id, issuedAt, expiresAt: issuedAt + life, id },
      key,
    )
    return { token, issuedAt, expiresIn: life / 1000 }
  }

  async #verify(token: string, now: number): Promise<AccessToken | undefined> {
    const { origin } = this.#options
    const { enrolment, key } = origin.member
    if (issuerOf(token) === enrolment.id) {
      return await accepted(() => verifyAccessToken(token, { issuer: enrolment.id, audience: enrolment.id, jwks: { keys: [key.publicKey] } }, now))
    }
    const ofOrigin = () => verifyAccessToken(token, { issuer: enrolment.issuer, audience: enrolment.service, jwks: origin.jwks }, now)
    try {
      return await ofOrigin()
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) return undefined
    }
    // The origin may have a new key. Whether it has is asked seldom: anybody can make up a key's name.
    try {
      await origin.refreshKeys()
    } catch {
      return undefined
    }
    return await accepted(ofOrigin)
  }
}

async function accepted(verify: () => Promise<AccessToken>): Promise<AccessToken | undefined> {
  try {
    return await verify()
  } catch {
    return undefined
  }
}

/** What the token says of itself: only used to choose the keys that it must stand up to. */
function issuerOf(token: string): string | undefined {
  try {
    return decodeJwt(token).iss
  } catch {
    return undefined
  }
}

import { createHash, createHmac, randomBytes } from 'node:crypto'
import { inGoodStanding } from '../../../mesh/caller.ts'
import { RegistryError } from '../../../registry/spec/errors.ts'
import { sameSecret } from '../../../runtime/credentials/same.ts'
import type { Database } from '../../../schema/database.ts'
import { createSession, deleteSession, extendSession, findSession, type Session } from '../../../schema/sessions.ts'
import type { LiveSettings } from '../../config/live.ts'
import type { Account } from '../accounts.ts'
import { cookieOf, setCookie } from '../cookies.ts'
import type { Facts } from '../facts.ts'

/** Harbor's names, which its portal and its clients know. */
export const SESSION_COOKIE = 'sid'
export const CSRF_HEADER = 'X-Harbor-CSRF-Token'

const MINUTE_MS = 60_000
/** What changes nothing needs no proof that the page is ours (RFC 9110, 9.2.1). */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS'])

export interface SessionsOptions {
  readonly db: Database
  readonly facts: Facts
  readonly live: LiveSettings
  /** Of CSRF tokens: derived from the secret key, so that every process knows them. */
  readonly key: Buffer
}

/** Logins by browser: a cookie that scripts cannot read, and a token that a page of another site cannot know. */
export class Sessions {
  readonly #options: SessionsOptions

  constructor(options: SessionsOptions) {
    this.#options = options
  }

  /** A Set-Cookie for a new login. */
  async begin(account: Account, secure: boolean, sealedIdToken?: string): Promise<string> {
    const { db } = this.#options
    const value = randomBytes(32).toString('base64url')
    const lifetime = (await this.#options.live.get('session_timeout')) * MINUTE_MS
    await createSession(db, {
      hash: hashOf(value),
      userId: Number(account.principal.id.slice('user:'.length)),
      credentialVersion: account.credentialVersion,
      sealedIdToken: sealedIdToken ?? null,
      expiresAt: db.clock.now() + lifetime,
    })
    return setCookie(SESSION_COOKIE, value, { secure, maxAge: Math.round(lifetime / 1000) })
  }

  /** Who this browser logged in as; undefined: it sends no session that is good. @throws RegistryError DENIED (403) without the CSRF token where it is needed, UNAUTHORIZED for an account that is disabled */
  async authenticate(request: Request): Promise<Account | undefined> {
    const { db, facts, live } = this.#options
    const value = cookieOf(request, SESSION_COOKIE)
    const session = value === undefined ? undefined : await findSession(db, hashOf(value))
    if (value === undefined || session === undefined) return undefined
    const account = await facts.account(`user:${session.userId}`)
    if (account === undefined || account.credentialVersion !== session.credentialVersion) return undefined
    if (!SAFE.has(request.method) && !this.#proves(value, request.headers.get(CSRF_HEADER))) {
      throw new RegistryError('DENIED', `A change by a browser's session needs the header ${CSRF_HEADER}, as any GET of the API gives it.`)
    }
    inGoodStanding(account.principal, db.clock.now())
    // Whoever goes on working stays logged in; a write for each request would be one too many.
    const lifetime = (await live.get('session_timeout')) * MINUTE_MS
    if (session.expiresAt - db.clock.now() < lifetime / 2) await extendSession(db, session.hash, db.clock.now() + lifetime)
    return account
  }

  /** What a page of ours sends along with changes; undefined: there is no session. */
  csrfToken(request: Request): string | undefined {
    const value = cookieOf(request, SESSION_COOKIE)
    return value === undefined ? undefined : this.#csrf(value)
  }

  /** Ends it; what it was, for ending the provider's own. */
  async end(request: Request): Promise<Session | undefined> {
    const value = cookieOf(request, SESSION_COOKIE)
    if (value === undefined) return undefined
    const session = await findSession(this.#options.db, hashOf(value))
    if (session !== undefined) await deleteSession(this.#options.db, session.hash)
    return session
  }

  #csrf(value: string): string {
    return createHmac('sha256', this.#options.key).update(value).digest('base64url')
  }

  #proves(value: string, given: string | null): boolean {
    return sameSecret(this.#csrf(value), given ?? '')
  }
}

const hashOf = (value: string): string => createHash('sha256').update(value).digest('base64url')

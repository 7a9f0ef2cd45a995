import { createHash, createHmac, randomBytes } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { inGoodStanding } from '../../../mesh/caller.ts'
import { numberOf } from '../../../policy/subjects.ts'
import { RegistryError } from '../../../registry/spec/errors.ts'
import { sameSecret } from '../../../runtime/credentials/same.ts'
import type { Database } from '../../../schema/database.ts'
import { createSession, deleteSession, extendSession, findSession, type Session } from '../../../schema/sessions.ts'
import type { LiveSettings } from '../../config/live.ts'
import type { Account } from '../accounts.ts'
import { cookieOf, setCookie } from '../cookies.ts'
import type { Facts } from '../facts.ts'
import { changes } from './other-sites.ts'

/** Harbor's names, which its portal and its clients know. */
export const SESSION_COOKIE = 'sid'
export const CSRF_HEADER = 'X-Harbor-CSRF-Token'

/** How long the browser is to keep the cookie of a session that this request has extended, in seconds: on the request, as its address is. */
const EXTENDED = Symbol('for how many seconds a session goes on')

const MINUTE_MS = 60_000
/** How long it is believed that a directory knows somebody, and of how many. */
const KNOWN_FOR_MS = 60_000
const KNOWN = 10_000

export interface SessionsOptions {
  readonly db: Database
  readonly facts: Facts
  readonly live: LiveSettings
  /** Of CSRF tokens: derived from the secret key, so that every process knows them. */
  readonly key: Buffer
  /** Whether those who keep somebody's password elsewhere still know him. */
  readonly stillKnown: (name: string) => Promise<boolean>
}

/** Logins by browser: a cookie that scripts cannot read, and a token that a page of another site cannot know. */
export class Sessions {
  readonly #options: SessionsOptions
  readonly #known = new LRUCache<string, { readonly at: number; readonly known: Promise<boolean> }>({ max: KNOWN })

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
      userId: numberOf(account.principal.id),
      credentialVersion: account.credentialVersion,
      sealedIdToken: sealedIdToken ?? null,
      expiresAt: db.clock.now() + lifetime,
    })
    return setCookie(SESSION_COOKIE, value, { secure, maxAge: Math.round(lifetime / 1000) })
  }

  /** A Set-Cookie for the answer to a request that extended its session: or else the browser forgets what goes on here. undefined: it extended none. */
  extension(request: Request, secure: boolean): string | undefined {
    const maxAge: unknown = Reflect.get(request, EXTENDED)
    const value = cookieOf(request, SESSION_COOKIE)
    return typeof maxAge === 'number' && value !== undefined ? setCookie(SESSION_COOKIE, value, { secure, maxAge }) : undefined
  }

  /** Who this browser logged in as; undefined: it sends no session that is good. @throws RegistryError DENIED (403) without the CSRF token where it is needed, UNAUTHORIZED for an account that is disabled */
  async authenticate(request: Request): Promise<Account | undefined> {
    const { db, facts, live } = this.#options
    const value = cookieOf(request, SESSION_COOKIE)
    const session = value === undefined ? undefined : await findSession(db, hashOf(value))
    if (value === undefined || session === undefined) return undefined
    const account = await facts.account(`user:${session.userId}`)
    if (account === undefined || account.credentialVersion !== session.credentialVersion) return undefined
    if (changes(request) && !this.#proves(value, request.headers.get(CSRF_HEADER))) {
      throw new RegistryError('DENIED', `A change by a browser's session needs the header ${CSRF_HEADER}, as any GET of the API gives it.`)
    }
    inGoodStanding(account.principal, db.clock.now())
    if (account.secretHash === undefined && !(await this.#stillKnown(account))) {
      await deleteSession(db, session.hash)
      return undefined
    }
    // Whoever goes on working stays logged in; a write for each request would be one too many.
    const lifetime = (await live.get('session_timeout')) * MINUTE_MS
    if (session.expiresAt - db.clock.now() < lifetime / 2) {
      await extendSession(db, session.hash, db.clock.now() + lifetime)
      Reflect.set(request, EXTENDED, Math.round(lifetime / 1000))
    }
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

  /** Whether a directory still knows somebody, as of a moment ago. */
  async #stillKnown({ principal }: Account): Promise<boolean> {
    const now = this.#options.db.clock.now()
    const asked = this.#known.get(principal.id)
    if (asked !== undefined && Math.abs(now - asked.at) < KNOWN_FOR_MS) return await asked.known
    const known = this.#options.stillKnown(principal.name)
    this.#known.set(principal.id, { at: now, known })
    // A question that failed is no answer to keep.
    known.catch(() => this.#known.delete(principal.id))
    return await known
  }

  #csrf(value: string): string {
    return createHmac('sha256', this.#options.key).update(value).digest('base64url')
  }

  #proves(value: string, given: string | null): boolean {
    return sameSecret(this.#csrf(value), given ?? '')
  }
}

const hashOf = (value: string): string => createHash('sha256').update(value).digest('base64url')

import { dropOldest } from '../oldest.ts'
import { RegistryError } from '../spec/errors.ts'
import { basic, type CredentialSource, type TokenOptions } from './authorizer.ts'
import { readJson } from './bodies.ts'
import { upstreamError, upstreamInvalid } from './errors.ts'
import type { Reply, Transport } from './transport.ts'

/** Where a registry's tokens come from: the `realm` and `service` of its challenge. */
export interface TokenService {
  readonly realm: URL
  readonly service?: string
}

interface Held {
  readonly token: string
  /** Milliseconds since the epoch. */
  readonly expires: number
}

/** distribution's token specification: without `expires_in` a token lives for a minute. */
const DEFAULT_LIFE_S = 60
const LIFE_LIMIT_S = 24 * 3600
const USABLE = /^[\x21-\x7e]{1,16384}$/

/** What tokens are got with: a name and a password, a refresh token, or neither: anonymously. */
export interface TokenProof {
  readonly credentials?: CredentialSource | undefined
  readonly refreshToken?: (() => Promise<string>) | undefined
}

/** Whom the token service knows itself to be talking to: it goes by this name in what it says of clients. */
const CLIENT_ID = 'atoll'

/** Tokens for one registry and one account: asked for once, kept until shortly before they expire. */
export class Tokens {
  readonly #transport: Transport
  readonly #proof: TokenProof
  readonly #held = new Map<string, Held>()
  readonly #asking = new Map<string, Promise<Held>>()

  constructor(transport: Transport, proof: TokenProof) {
    this.#transport = transport
    this.#proof = proof
  }

  /**
   * A token for these scopes. However many ask at once, the service is asked once.
   * `refused`: a token that the registry did not take; if it is the one we hold, another is fetched.
   */
  async get(service: TokenService, scopes: readonly string[], options: TokenOptions = {}): Promise<string> {
    options.signal?.throwIfAborted()
    const key = JSON.stringify([service.realm.href, service.service, ...scopes])
    const held = this.#held.get(key)
    if (held && held.token !== options.refused && held.expires > this.#transport.clock.now()) {
      this.#held.delete(key)
      this.#held.set(key, held)
      return held.token
    }
    let asking = this.#asking.get(key)
    if (!asking) {
      // Whoever came first may leave: the others still want it, so it goes by its own deadlines alone.
      asking = this.#fetch(service, scopes).finally(() => this.#asking.delete(key))
      this.#asking.set(key, asking)
      asking.then(
        (token) => this.#keep(key, token),
        () => undefined,
      )
    }
    return (await unlessAborted(asking, options.signal)).token
  }

  #keep(key: string, token: Held): void {
    this.#held.delete(key)
    this.#held.set(key, token)
    dropOldest(this.#held, this.#transport.limits.tokens)
  }

  async #fetch(service: TokenService, scopes: readonly string[]): Promise<Held> {
    const transport = this.#transport
    const asked = transport.clock.now()
    const { reply, who } = await this.#ask(service, scopes)
    const { url } = reply
    if (reply.status !== 200) {
      await reply.discard()
      if (reply.status === 400 || reply.status === 401 || reply.status === 403) {
        throw new RegistryError(
          'DENIED',
          `${url.host} gives no token${scopes.length === 0 ? '' : ` for ${scopes.join(' ')}`}: it does not accept ${who}.`,
          {
            upstream: url.host,
            status: reply.status,
          },
        )
      }
      throw upstreamError({ ...reply, now: transport.clock.now() }, '', 'a token')
    }
    const document = await readJson(reply, transport, transport.limits.tokenBytes)
    const token = document.token ?? document.access_token
    if (typeof token !== 'string' || !USABLE.test(token)) throw upstreamInvalid(url, 'hands out a token that is none.')
    const life = typeof document.expires_in === 'number' && document.expires_in > 0 ? Math.min(document.expires_in, LIFE_LIMIT_S) : DEFAULT_LIFE_S
    // Half its life is enough of a margin for tokens that hardly live longer than ours.
    const margin = Math.min(transport.limits.tokenMarginMs, (life * 1000) / 2)
    return { token, expires: asked + life * 1000 - margin }
  }

  /** `who` says in an error what was not accepted. */
  async #ask({ realm, service }: TokenService, scopes: readonly string[]): Promise<{ readonly reply: Reply; readonly who: string }> {
    const transport = this.#transport
    const { refreshToken } = this.#proof
    if (refreshToken !== undefined) {
      const form = new URLSearchParams({ grant_type: 'refresh_token', client_id: CLIENT_ID, refresh_token: await refreshToken() })
      if (service !== undefined) form.set('service', service)
      if (scopes.length > 0) form.set('scope', scopes.join(' '))
      const body = new TextEncoder().encode(form.toString())
      const headers = { Accept: 'application/json', 'Content-Type': 'application/x-www-form-urlencoded' }
      return { reply: await transport.send({ method: 'POST', url: realm, headers, body, repeatable: true }), who: 'the token it is asked with' }
    }
    const url = new URL(realm)
    if (service !== undefined) url.searchParams.set('service', service)
    url.searchParams.delete('scope')
    for (const scope of scopes) url.searchParams.append('scope', scope)
    const credentials = await this.#proof.credentials?.()
    const reply = await transport.send({
      method: 'GET',
      url,
      headers: { Accept: 'application/json' },
      repeatable: true,
      ...(credentials && { authorize: async () => ({ Authorization: basic(credentials) }) }),
    })
    return { reply, who: credentials === undefined ? 'anonymous access' : `the user name or password of ${JSON.stringify(credentials.username)}` }
  }
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}

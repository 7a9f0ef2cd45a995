import { RegistryError } from '../spec/errors.ts'
import { basic, type Credentials, type TokenOptions } from './authorizer.ts'
import { readJson } from './bodies.ts'
import { upstreamError, upstreamInvalid } from './errors.ts'
import type { Transport } from './transport.ts'

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

/** Tokens for one registry and one account: asked for once, kept until shortly before they expire. */
export class Tokens {
  readonly #transport: Transport
  readonly #credentials: Credentials | undefined
  readonly #held = new Map<string, Held>()
  readonly #asking = new Map<string, Promise<Held>>()

  constructor(transport: Transport, credentials: Credentials | undefined) {
    this.#transport = transport
    this.#credentials = credentials
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
    const oldest = this.#held.keys().next()
    if (this.#held.size > this.#transport.limits.tokens && !oldest.done) this.#held.delete(oldest.value)
  }

  async #fetch(service: TokenService, scopes: readonly string[]): Promise<Held> {
    const transport = this.#transport
    const url = new URL(service.realm)
    if (service.service !== undefined) url.searchParams.set('service', service.service)
    url.searchParams.delete('scope')
    for (const scope of scopes) url.searchParams.append('scope', scope)
    const credentials = this.#credentials
    const asked = transport.clock.now()
    const reply = await transport.send({
      method: 'GET',
      url,
      headers: { Accept: 'application/json' },
      repeatable: true,
      ...(credentials && { authorize: async () => ({ Authorization: basic(credentials) }) }),
    })
    if (reply.status !== 200) {
      await reply.discard()
      if (reply.status === 400 || reply.status === 401 || reply.status === 403) {
        const who = credentials === undefined ? 'anonymous access' : `the user name or password of ${JSON.stringify(credentials.username)}`
        throw new RegistryError('DENIED', `${url.host} refuses a token for ${scopes.join(' ')}: it does not accept ${who}.`, {
          upstream: url.host,
          status: reply.status,
        })
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
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}

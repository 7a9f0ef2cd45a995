import { LRUCache } from 'lru-cache'
import { MESH } from '../mesh/enrolment.ts'
import { orAborted } from '../registry/fill/wait.ts'
import { firstError } from '../registry/remote/errors.ts'
import { type Authorizer, bearerAuthorizer, type TokenOptions } from '../registry/remote/index.ts'
import { RegistryError } from '../registry/spec/errors.ts'
import { RETRY_AFTER_S, TOKENS_IN_MEMORY, UPSTREAM_TOKEN_ANSWER_MS, UPSTREAM_TOKEN_MARGIN_MS } from './limits.ts'
import type { OriginClient } from './origin-client.ts'

interface UpstreamToken {
  readonly token: string
  /** Milliseconds since the epoch, by the origin's clock. */
  readonly expiresAt: number
}

/** The upstream knows no tokens: whoever wants something of it asks the origin, which has the password. */
export class PasswordsOnly extends Error {
  override readonly name = 'PasswordsOnly'
}

/** Short tokens of one project's upstream, fetched from the origin: the password stays there. */
export class UpstreamTokens {
  readonly #origin: OriginClient
  readonly #project: string
  readonly #known = new LRUCache<string, UpstreamToken>({ max: TOKENS_IN_MEMORY })
  readonly #asking = new Map<string, Promise<UpstreamToken>>()

  constructor(origin: OriginClient, project: string) {
    this.#origin = origin
    this.#project = project
  }

  /** `refused`: the upstream did not take that one. However many ask at once, the origin is asked once. @throws PasswordsOnly; RegistryError UNAVAILABLE */
  async token(scope: string, { refused, signal }: TokenOptions = {}): Promise<string> {
    const known = this.#known.get(scope)
    if (known !== undefined && known.token !== refused && known.expiresAt - UPSTREAM_TOKEN_MARGIN_MS > this.#origin.now()) return known.token
    const asking = this.#asking.get(scope) ?? this.#ask(scope).finally(() => this.#asking.delete(scope))
    this.#asking.set(scope, asking)
    return (await orAborted(asking, signal)).token
  }

  /** It belongs to no caller, and ends by its own deadline. */
  async #ask(scope: string): Promise<UpstreamToken> {
    const json = { project: this.#project, scope }
    const { status, headers, text } = await this.#origin.ask('POST', MESH.upstreamTokens, { json, timeout: UPSTREAM_TOKEN_ANSWER_MS })
    if (status === 401) throw new PasswordsOnly('the upstream knows no tokens')
    if (status !== 200) throw relayed(status, headers, text)
    const given = JSON.parse(text) as UpstreamToken
    this.#known.set(scope, given)
    return given
  }

  authorizer(): Authorizer {
    return bearerAuthorizer((scopes, options) => this.token(scopes.join(' '), options))
  }
}

/** Why there is none, as the origin says it: it has asked the upstream. */
function relayed(status: number, headers: Headers, text: string): RegistryError {
  const message = firstError(text).message || 'The origin has no token of the upstream for this edge now.'
  if (status === 403) return new RegistryError('DENIED', message)
  if (status === 502) return new RegistryError('UPSTREAM_INVALID', message)
  const after = { headers: { 'Retry-After': headers.get('Retry-After') ?? String(RETRY_AFTER_S) } }
  return new RegistryError(status === 429 ? 'TOOMANYREQUESTS' : 'UNAVAILABLE', message, { status }, after)
}

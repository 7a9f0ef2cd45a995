import { decodeJwt } from 'jose'
import { parseScopes } from '../../mesh/tokens.ts'
import { type Clock, inTime } from '../../registry/clock.ts'
import { type Authorizer, bearerOf } from '../../registry/remote/authorizer.ts'
import { Client } from '../../registry/remote/client.ts'
import { DEFAULT_LIMITS, openSession, vendorOf } from '../../registry/remote/index.ts'
import { Transport } from '../../registry/remote/transport.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import type { Database } from '../../schema/database.ts'
import { type Endpoint, findEndpointById } from '../../schema/endpoints.ts'
import { findProjectByName } from '../../schema/projects.ts'
import type { FetchFor } from '../proxy-caches.ts'
import { endpointCredentials } from '../proxy-caches.ts'
import type { Secrets } from '../services.ts'
import { UPSTREAM_ANSWER_MS, UPSTREAM_TOKEN_MS } from './limits.ts'

export interface UpstreamTokensOptions {
  readonly db: Database
  readonly secrets: Secrets
  readonly fetchFor: FetchFor
  readonly clock: Clock
}

export interface UpstreamToken {
  readonly token: string
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
  /** Where the upstream's API is. */
  readonly url: string
}

interface Known {
  readonly version: number
  readonly client: Client
  readonly authorizer: Authorizer
}

/** Short tokens of upstreams for edges, so that the endpoint's password stays here. */
export class UpstreamTokens {
  readonly #options: UpstreamTokensOptions
  readonly #known = new Map<number, Known>()

  constructor(options: UpstreamTokensOptions) {
    this.#options = options
  }

  /**
   * A token to pull one repository of the project's upstream. `scope` is in the upstream's words: `repository:library/nginx:pull`.
   * @throws RegistryError NAME_UNKNOWN, DENIED, UNAUTHORIZED (this upstream knows no tokens), and what asking the upstream throws
   */
  async get(project: string, scope: string): Promise<UpstreamToken> {
    const [wanted, ...more] = parseScopes([scope])
    if (wanted?.type !== 'repository' || more.length > 0 || wanted.actions.some((action) => action !== 'pull')) {
      throw new RegistryError('DENIED', 'An edge gets tokens to pull one repository of the upstream, and no others.')
    }
    const { db } = this.#options
    const cache = await findProjectByName(db, project)
    const endpoint = cache === undefined || cache.endpointId === null ? undefined : await findEndpointById(db, cache.endpointId)
    if (endpoint === undefined) throw new RegistryError('NAME_UNKNOWN', `${project} is no proxy cache.`)
    const { client, authorizer } = await this.#open(endpoint)
    const found = await inTime(this.#options.clock, UPSTREAM_ANSWER_MS, this.#ask(client, authorizer, scope))
    if (found === 'late') throw new RegistryError('UNAVAILABLE', `${client.base.host} gives no token in time.`, { upstream: client.base.host })
    return found
  }

  async #ask(client: Client, authorizer: Authorizer, scope: string): Promise<UpstreamToken> {
    const asked = { method: 'GET', url: client.base, scopes: [scope] }
    let token = bearerOf(await authorizer.headers(asked))
    if (token === undefined) {
      // The upstream says at its door where its tokens come from.
      const reply = await client.send({ method: 'GET', url: '/v2/', scopes: [scope], repeatable: true })
      await reply.discard()
      token = bearerOf(await authorizer.headers(asked))
    }
    if (token === undefined) throw new RegistryError('UNAUTHORIZED', 'This upstream knows no tokens: pull through the origin.')
    return { token, expiresAt: expiryOf(token) ?? this.#options.clock.now() + UPSTREAM_TOKEN_MS, url: client.base.href }
  }

  async #open(endpoint: Endpoint): Promise<Known> {
    const known = this.#known.get(endpoint.id)
    if (known?.version === endpoint.updatedAt) return known
    const { secrets, fetchFor, clock } = this.#options
    const vendor = vendorOf(endpoint.type)
    const transport = new Transport({ fetch: fetchFor(endpoint), clock, limits: DEFAULT_LIMITS, random: Math.random })
    const typed = new URL(endpoint.url)
    const base = vendor.base(typed)
    const { authorizer } = openSession({ vendor, typed, base, credentials: await endpointCredentials(endpoint, secrets), transport })
    const client = new Client({ base, vendor, transport, authorizer })
    const opened = { version: endpoint.updatedAt, client, authorizer }
    this.#known.set(endpoint.id, opened)
    return opened
  }
}

/** What the token says of itself, where it is a JWT. It is the upstream's: nothing here depends on its being true. */
function expiryOf(token: string): number | undefined {
  try {
    const { exp } = decodeJwt(token)
    return exp === undefined ? undefined : exp * 1000
  } catch {
    return undefined
  }
}

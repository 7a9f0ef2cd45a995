import { type AuthorizationRequest, type Authorizer, basic, bearerOf, type Credentials } from './authorizer.ts'
import type { Challenge } from './challenge.ts'
import { upstreamInvalid } from './errors.ts'
import { type TokenService, Tokens } from './tokens.ts'
import type { Transport } from './transport.ts'

export interface ChallengeAuthorizerOptions {
  /** Without them: anonymous. */
  readonly credentials?: Credentials | undefined
  /** Hosts that may be shown the credentials besides the registry's own and its relatives. */
  readonly tokenHosts?: readonly string[]
}

/**
 * Does what the registry's challenge asks for: tokens (distribution's token specification) or basic authentication. It remembers
 * the challenge, so that the next repository's token is asked for without provoking another 401.
 */
export class ChallengeAuthorizer implements Authorizer {
  readonly #credentials: Credentials | undefined
  readonly #tokenHosts: readonly string[]
  readonly #tokens: Tokens
  #learned: { readonly scheme: 'basic' } | { readonly scheme: 'bearer'; readonly service: TokenService } | undefined

  constructor(transport: Transport, { credentials, tokenHosts = [] }: ChallengeAuthorizerOptions) {
    this.#credentials = credentials
    this.#tokenHosts = tokenHosts
    this.#tokens = new Tokens(transport, credentials)
  }

  async headers({ scopes, signal }: AuthorizationRequest): Promise<Readonly<Record<string, string>>> {
    const learned = this.#learned
    if (learned?.scheme === 'bearer') return { Authorization: `Bearer ${await this.#tokens.get(learned.service, scopes, { signal })}` }
    if (learned?.scheme === 'basic' && this.#credentials) return { Authorization: basic(this.#credentials) }
    return {}
  }

  async challenged(request: AuthorizationRequest, challenges: readonly Challenge[], sent: Readonly<Record<string, string>>): Promise<boolean> {
    const bearer = challenges.find(({ scheme, parameters }) => scheme === 'bearer' && parameters.has('realm'))
    if (bearer) {
      const service = this.#tokenService(request.url, bearer)
      await this.#tokens.get(service, request.scopes, { refused: bearerOf(sent), signal: request.signal })
      this.#learned = { scheme: 'bearer', service }
      return true
    }
    if (this.#credentials && challenges.some(({ scheme }) => scheme === 'basic')) {
      this.#learned = { scheme: 'basic' }
      return sent.Authorization === undefined
    }
    return false
  }

  #tokenService(registry: URL, { parameters }: Challenge): TokenService {
    const realm = URL.parse(parameters.get('realm') ?? '')
    if (realm === null || (realm.protocol !== 'https:' && realm.protocol !== 'http:') || realm.username !== '' || realm.password !== '') {
      throw upstreamInvalid(registry, 'names no address where tokens are handed out.')
    }
    if (registry.protocol === 'https:' && realm.protocol === 'http:') {
      throw upstreamInvalid(registry, 'wants its tokens fetched without encryption, which is refused.')
    }
    if (this.#credentials && !this.#tokenHosts.includes(realm.host) && !areRelatives(registry.hostname, realm.hostname)) {
      throw upstreamInvalid(
        registry,
        `wants our credentials sent to ${realm.host}. If that is right, name this host among the endpoint's token hosts.`,
      )
    }
    const service = parameters.get('service')
    return { realm, ...(service !== undefined && { service }) }
  }
}

/**
 * Whether a registry and a token service are of one house: the same host, or hosts of one domain, as registry-1.docker.io and
 * auth.docker.io are, or registry.gitlab.com and gitlab.com. Without this, any registry could ask for the password to be sent anywhere.
 */
export function areRelatives(registry: string, tokenService: string): boolean {
  if (registry === tokenService) return true
  const domain = registry.slice(registry.indexOf('.') + 1)
  return isOwnDomain(domain) && !/^[\d.]+$/.test(domain) && (tokenService === domain || tokenService.endsWith(`.${domain}`))
}

/** Not a suffix under which anyone can have a name: `com`, `co.uk`. */
function isOwnDomain(domain: string): boolean {
  const [top = '', second = '', ...rest] = domain.split('.').reverse()
  return second !== '' && (rest.length > 0 || !(top.length === 2 && second.length <= 3))
}

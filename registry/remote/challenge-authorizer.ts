import { RegistryError } from '../spec/errors.ts'
import { type AuthorizationRequest, type Authorizer, basic, bearerOf, type CredentialSource, type Credentials } from './authorizer.ts'
import { type Challenge, parseChallenges } from './challenge.ts'
import { upstreamInvalid } from './errors.ts'
import { type TokenService, Tokens } from './tokens.ts'
import type { Transport } from './transport.ts'

/** What a registry asks of those who come: known, the first request already carries it. */
export type LearnedChallenge =
  | { readonly scheme: 'basic' }
  | { readonly scheme: 'bearer'; readonly realm: string; readonly service?: string | undefined }

/** Keeps it for the next start. Nothing secret is in it. */
export interface ChallengeMemory {
  /** undefined: nothing is kept, or nothing of use. Never rejects. */
  load(): Promise<LearnedChallenge | undefined>
  save(learned: LearnedChallenge): void
}

export interface ChallengeAuthorizerOptions {
  /** A name and a password, or where to get those of now. Without them: anonymous. */
  readonly credentials?: Credentials | CredentialSource | undefined
  /** In place of a name and a password: a token to get tokens with (distribution's OAuth2 specification). */
  readonly refreshToken?: (() => Promise<string>) | undefined
  /** Hosts that may be shown the credentials besides the registry's own and its relatives. */
  readonly tokenHosts?: readonly string[]
  readonly memory?: ChallengeMemory | undefined
  /** Where it is asked for its challenge. */
  readonly askAt: URL
  /** Whether it is asked before the first request of whoever has credentials; if not, that request provokes a challenge, and so does each that goes beside it. */
  readonly asksFirst?: boolean | undefined
}

type Learned = { readonly scheme: 'basic' } | { readonly scheme: 'bearer'; readonly service: TokenService }

/**
 * Does what the registry's challenge asks for: tokens (distribution's token specification) or basic authentication. It remembers
 * the challenge, so that the next repository's token is asked for without provoking another 401.
 */
export class ChallengeAuthorizer implements Authorizer {
  readonly #credentials: CredentialSource | undefined
  /** Whether somebody is named, and not just anybody. */
  readonly #named: boolean
  readonly #tokenHosts: readonly string[]
  readonly #tokens: Tokens
  readonly #memory: ChallengeMemory | undefined
  readonly #transport: Transport
  readonly #askAt: URL
  readonly #asksFirst: boolean
  #asking: Promise<void> | undefined
  #learned: Learned | undefined
  #recalled: Promise<LearnedChallenge | undefined> | undefined

  constructor(transport: Transport, { credentials, refreshToken, tokenHosts = [], memory, askAt, asksFirst = false }: ChallengeAuthorizerOptions) {
    this.#credentials = typeof credentials === 'object' ? async () => credentials : credentials
    this.#named = credentials !== undefined || refreshToken !== undefined
    this.#tokenHosts = tokenHosts
    this.#tokens = new Tokens(transport, { credentials: this.#credentials, refreshToken })
    this.#memory = memory
    this.#transport = transport
    this.#askAt = askAt
    this.#asksFirst = asksFirst
  }

  async headers(request: AuthorizationRequest): Promise<Readonly<Record<string, string>>> {
    if (this.#learned) return await this.#prove(this.#learned, request)
    const recalled = await this.#recall(request.url)
    if (recalled === undefined) return await this.#asked(request)
    try {
      const headers = await this.#prove(recalled, request)
      this.#learned ??= recalled
      return headers
    } catch (error) {
      if (request.signal?.aborted) throw error
      // What was true before the last start need not be true now: the registry will say.
      this.#recalled = Promise.resolve(undefined)
      return {}
    }
  }

  async challenged(request: AuthorizationRequest, challenges: readonly Challenge[], sent: Readonly<Record<string, string>>): Promise<boolean> {
    const service = this.#bearerOf(challenges, request.url)
    if (service) {
      await this.#tokens.get(service, request.scopes, { refused: bearerOf(sent), signal: request.signal })
      this.#learn({ scheme: 'bearer', service })
      return true
    }
    if (this.#credentials && challenges.some(({ scheme }) => scheme === 'basic')) {
      this.#learn({ scheme: 'basic' })
      return sent.Authorization === undefined
    }
    return false
  }

  /** What the registry says that it wants, once for all that ask at the same time. */
  async #asked(request: AuthorizationRequest): Promise<Readonly<Record<string, string>>> {
    if (!this.#asksFirst || !this.#named) return {}
    this.#asking ??= this.#ask().catch((error: unknown) => {
      // Whoever is asked next finds out, with a deadline of its own.
      this.#asking = undefined
      if (!(error instanceof RegistryError)) throw error
    })
    await this.#asking
    return this.#learned === undefined ? {} : await this.#prove(this.#learned, request)
  }

  async acquaint(signal?: AbortSignal): Promise<void> {
    if (this.#learned === undefined && (await this.#recall(this.#askAt)) === undefined) await this.#ask(signal)
  }

  async #ask(signal?: AbortSignal): Promise<void> {
    const url = this.#askAt
    const reply = await this.#transport.send({ method: 'GET', url, repeatable: true, signal })
    await reply.discard()
    if (reply.status !== 401 || !reply.direct) return
    const challenges = parseChallenges(reply.headers.get('www-authenticate'))
    const bearer = this.#bearerOf(challenges, url)
    if (bearer) this.#learn({ scheme: 'bearer', service: bearer })
    else if (this.#credentials && challenges.some(({ scheme }) => scheme === 'basic')) this.#learn({ scheme: 'basic' })
  }

  #bearerOf(challenges: readonly Challenge[], registry: URL): TokenService | undefined {
    const bearer = challenges.find(({ scheme, parameters }) => scheme === 'bearer' && parameters.has('realm'))
    return bearer && this.#tokenService(registry, bearer.parameters.get('realm') ?? '', bearer.parameters.get('service'))
  }

  async #prove(learned: Learned, { scopes, signal }: AuthorizationRequest): Promise<Readonly<Record<string, string>>> {
    if (learned.scheme === 'bearer') return { Authorization: `Bearer ${await this.#tokens.get(learned.service, scopes, { signal })}` }
    return this.#credentials ? { Authorization: basic(await this.#credentials()) } : {}
  }

  #learn(learned: Learned): void {
    const before = this.#learned
    this.#learned = learned
    if (before && JSON.stringify(before) === JSON.stringify(learned)) return
    const { realm, service } = learned.scheme === 'bearer' ? learned.service : {}
    this.#memory?.save(realm === undefined ? { scheme: 'basic' } : { scheme: 'bearer', realm: realm.href, service })
  }

  /** What was learned before the last start, as far as it still holds to the rules. */
  async #recall(registry: URL): Promise<Learned | undefined> {
    this.#recalled ??= this.#memory?.load()
    const kept = await this.#recalled
    if (kept === undefined) return undefined
    if (kept.scheme === 'basic') return kept
    const { realm, service } = kept
    try {
      return { scheme: 'bearer', service: this.#tokenService(registry, realm, service) }
    } catch {
      // The registry is asked instead, and what is wrong is said when it says the same.
      return undefined
    }
  }

  #tokenService(registry: URL, address: string, service: string | undefined): TokenService {
    const realm = URL.parse(address)
    if (realm === null || (realm.protocol !== 'https:' && realm.protocol !== 'http:') || realm.username !== '' || realm.password !== '') {
      throw upstreamInvalid(registry, 'names no address where tokens are handed out.')
    }
    if (registry.protocol === 'https:' && realm.protocol === 'http:') {
      throw upstreamInvalid(registry, 'wants its tokens fetched without encryption, which is refused.')
    }
    if (this.#named && !this.#tokenHosts.includes(realm.host) && !areRelatives(registry.hostname, realm.hostname)) {
      throw upstreamInvalid(
        registry,
        `wants our credentials sent to ${realm.host}, a host of another house, where they do not go. Its token service must be a host of the registry's own domain.`,
      )
    }
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

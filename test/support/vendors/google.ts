import { createVerify, type KeyObject, randomBytes } from 'node:crypto'
import type { Clock } from '../../../registry/clock.ts'
import { basicOf, bearerOf, type Handler, json, repositoryIn } from './world.ts'

export interface GoogleOptions {
  readonly clock: Clock
  readonly host: string
  readonly email: string
  readonly publicKey: KeyObject
  readonly keyId: string
  readonly tokenUri: string
  readonly forward: Handler
}

/** Google's token service and registry by their documentation: RFC 7523 assertions are verified with the account's public key, and access tokens live for an hour. */
export class GoogleServer {
  readonly #options: GoogleOptions
  readonly #accessTokens = new Map<string, number>()
  readonly #registryTokens = new Map<string, { readonly expires: number; readonly scopes: readonly string[] }>()
  /** Assertions that were taken: none is taken twice. */
  readonly assertions: string[] = []

  constructor(options: GoogleOptions) {
    this.#options = options
  }

  readonly tokens: Handler = async (request) => {
    const form = new URLSearchParams(await request.text())
    const refuse = (description: string) => json({ error: 'invalid_grant', error_description: description }, 400)
    if (form.get('grant_type') !== 'urn:ietf:params:oauth:grant-type:jwt-bearer') return refuse('grant_type')
    const assertion = form.get('assertion') ?? ''
    const problem = this.#assertionProblem(assertion)
    if (problem !== undefined) return refuse(problem)
    this.assertions.push(assertion)
    const token = `ya29.${randomBytes(60).toString('base64url')}`
    this.#accessTokens.set(token, this.#options.clock.now() + 3600_000)
    return json({ access_token: token, expires_in: 3599, token_type: 'Bearer' })
  }

  readonly registry: Handler = async (request) => {
    const { host, clock, forward } = this.#options
    const url = new URL(request.url)
    if (url.pathname === '/v2/token') {
      const login = basicOf(request)
      const expires = login?.name === 'oauth2accesstoken' ? this.#accessTokens.get(login.secret) : undefined
      if (expires === undefined || expires <= clock.now()) return json({ errors: [{ code: 'UNAUTHORIZED' }] }, 401)
      const token = randomBytes(60).toString('base64url')
      this.#registryTokens.set(token, { expires: Math.min(clock.now() + 300_000, expires), scopes: url.searchParams.getAll('scope') })
      return json({ token, expires_in: 300 })
    }
    const held = this.#registryTokens.get(bearerOf(request) ?? '')
    const repository = repositoryIn(url.pathname)
    const action = request.method === 'GET' || request.method === 'HEAD' ? 'pull' : 'push'
    const allowed = repository === undefined || held?.scopes.some((scope) => scope.startsWith(`repository:${repository}:`) && scope.includes(action))
    if (held === undefined || held.expires <= clock.now() || !allowed) {
      const scope = repository === undefined ? '' : `,scope="repository:${repository}:pull,push"`
      return json({ errors: [{ code: 'UNAUTHORIZED' }] }, 401, {
        'www-authenticate': `Bearer realm="https://${host}/v2/token",service="${host}"${scope}`,
      })
    }
    return await forward(request)
  }

  #assertionProblem(assertion: string): string | undefined {
    const { clock, email, publicKey, keyId, tokenUri } = this.#options
    const [head = '', body = '', signature = ''] = assertion.split('.')
    const read = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>
    const header = read(head)
    if (header.alg !== 'RS256' || header.kid !== keyId) return 'header'
    if (!createVerify('RSA-SHA256').update(`${head}.${body}`).verify(publicKey, Buffer.from(signature, 'base64url'))) return 'signature'
    const { iss, aud, iat, exp, scope } = read(body)
    const now = clock.now() / 1000
    if (iss !== email || aud !== tokenUri) return 'iss or aud'
    if (typeof iat !== 'number' || typeof exp !== 'number' || iat > now + 60 || exp <= now || exp - iat > 3600) return 'iat or exp'
    if (typeof scope !== 'string' || !scope.startsWith('https://www.googleapis.com/auth/')) return 'scope'
    return this.assertions.includes(assertion) ? 'used before' : undefined
  }
}

import { randomBytes } from 'node:crypto'
import type { Clock } from '../../../registry/clock.ts'
import { basicOf, bearerOf, type Handler, json, repositoryIn } from './world.ts'

export interface AcrOptions {
  readonly clock: Clock
  readonly host: string
  readonly tenant: string
  /** Tokens of Entra ID that it knows. */
  readonly entraTokens: readonly string[]
  readonly admin: { readonly name: string; readonly secret: string }
  readonly repositories: readonly string[]
  readonly forward: Handler
}

/** Makes a token that nobody signs: what matters here is what it says of itself. */
export function unsignedToken(claims: Record<string, unknown>): string {
  const part = (document: object) => Buffer.from(JSON.stringify(document)).toString('base64url')
  return `${part({ alg: 'RS256', typ: 'JWT' })}.${part(claims)}.${randomBytes(48).toString('base64url')}`
}

/** Azure's registry by its documentation: grant types, tenants, refresh tokens of three hours, `metadata_read` for lists of tags, and a catalog of its own. */
export class AcrServer {
  readonly #options: AcrOptions
  readonly #refreshTokens = new Map<string, number>()
  readonly #accessTokens = new Map<string, { readonly expires: number; readonly scopes: readonly string[] }>()
  exchanges = 0

  constructor(options: AcrOptions) {
    this.#options = options
  }

  /** One that `az acr login --expose-token` would print. */
  refreshToken(): string {
    const expires = this.#options.clock.now() + 3 * 3600_000
    const token = unsignedToken({
      iss: 'Azure Container Registry',
      aud: this.#options.host,
      grant_type: 'refresh_token',
      exp: Math.floor(expires / 1000),
    })
    this.#refreshTokens.set(token, expires)
    return token
  }

  readonly handler: Handler = async (request) => {
    const url = new URL(request.url)
    if (url.pathname === '/oauth2/exchange') return this.#exchange(request)
    if (url.pathname === '/oauth2/token') return this.#token(request, url)
    return this.#registry(request, url)
  }

  async #exchange(request: Request): Promise<Response> {
    const { host, tenant, entraTokens } = this.#options
    const form = new URLSearchParams(await request.text())
    const known = entraTokens.includes(form.get('access_token') ?? '')
    if (request.method !== 'POST' || form.get('grant_type') !== 'access_token')
      return json({ errors: [{ code: 'UNSUPPORTED', message: 'grant_type' }] }, 400)
    if (!known || form.get('service') !== host || form.get('tenant') !== tenant)
      return json({ errors: [{ code: 'UNAUTHORIZED', message: 'no' }] }, 401)
    this.exchanges++
    return json({ refresh_token: this.refreshToken() })
  }

  async #token(request: Request, url: URL): Promise<Response> {
    const { clock, host, admin } = this.#options
    const form = request.method === 'POST' ? new URLSearchParams(await request.text()) : url.searchParams
    const scopes = form.getAll('scope').flatMap((text) => text.split(' '))
    if (form.get('service') !== host) return json({ errors: [{ code: 'UNAUTHORIZED', message: 'service' }] }, 401)
    const login = basicOf(request)
    const refresh = this.#refreshTokens.get(form.get('refresh_token') ?? '')
    const allowed =
      request.method === 'POST'
        ? form.get('grant_type') === 'refresh_token' && refresh !== undefined && refresh > clock.now()
        : login?.name === admin.name && login.secret === admin.secret
    if (!allowed) return json({ errors: [{ code: 'UNAUTHORIZED', message: 'authentication required' }] }, 401)
    const token = randomBytes(60).toString('base64url')
    this.#accessTokens.set(token, { expires: clock.now() + 4500_000, scopes })
    return json({ access_token: token })
  }

  async #registry(request: Request, url: URL): Promise<Response> {
    const { clock, host, repositories, forward } = this.#options
    const held = this.#accessTokens.get(bearerOf(request) ?? '')
    const repository = repositoryIn(url.pathname)
    const needed = repository === undefined ? undefined : `repository:${repository}:`
    const action = url.pathname.includes('/tags/') ? 'metadata_read' : request.method === 'GET' || request.method === 'HEAD' ? 'pull' : 'push'
    const deleted = /^\/acr\/v1\/(.+)\/_tags\/(.+)$/.exec(url.pathname)
    if (deleted !== null && request.method === 'DELETE' && held?.scopes.includes(`repository:${deleted[1]}:delete`)) {
      const answer = await forward(new Request(new URL(`/v2/${deleted[1]}/manifests/${deleted[2]}`, url), { method: 'DELETE' }))
      return answer.ok ? new Response(null, { status: 202 }) : json({ errors: [{ code: 'TAG_UNKNOWN' }] }, 404)
    }
    const catalog = url.pathname === '/acr/v1/_catalog'
    const allowed = catalog
      ? held?.scopes.includes('registry:catalog:*')
      : needed === undefined || held?.scopes.some((scope) => scope.startsWith(needed) && scope.slice(needed.length).split(',').includes(action))
    if (held === undefined || held.expires <= clock.now() || !allowed) {
      return json({ errors: [{ code: 'UNAUTHORIZED', message: 'authentication required' }] }, 401, {
        'www-authenticate': `Bearer realm="https://${host}/oauth2/token",service="${host}"`,
      })
    }
    if (!catalog) return await forward(request)
    const last = url.searchParams.get('last') ?? ''
    const after = repositories.filter((name) => name > last).slice(0, Number(url.searchParams.get('n')))
    const more = after.length > 0 && after.at(-1) !== repositories.at(-1)
    const link = `</acr/v1/_catalog?last=${after.at(-1)}&n=${url.searchParams.get('n')}>; rel="next"`
    return json({ repositories: after.length === 0 ? null : after }, 200, more ? { link } : {})
  }
}

import { Hono } from 'hono'
import { steady } from '../registry/clock.ts'
import { errorAnswer } from '../registry/http/errors.ts'
import { RegistryError } from '../registry/spec/errors.ts'
import { WholeResponse } from '../runtime/http/whole-response.ts'
import type { ConnectionInfo } from '../runtime/http-server.ts'
import { tokenRoutes } from './identity/token-routes.ts'
import { UploadTickets } from './identity/upload-tickets.ts'
import { edgesApi } from './mesh/edges-api.ts'
import { keysApi } from './mesh/keys-api.ts'
import type { OpenOrigin } from './open.ts'
import { projectRulesApi } from './project-rules/routes.ts'
import { RequestIds } from './request-ids.ts'
import { v2Handler } from './v2.ts'

/** What every answer says, unless it says otherwise. */
export const SECURITY_HEADERS = {
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
} as const

/** Everything that an origin answers. */
export function originApp(origin: OpenOrigin): (request: Request, connection: ConnectionInfo) => Promise<Response> {
  const { services, callers, authorities, issuer, logins, keys, local, proxies, addresses, mesh, pulls } = origin
  const { log, clock } = services
  const ids = new RequestIds(services.newId)
  const requestId = (request: Request) => ids.of(request)
  const addressOf = (request: Request) => addresses.of(request)

  const tickets = new UploadTickets({ callers, issuer, facts: origin.facts, clock })
  const v2 = v2Handler({
    callers: tickets,
    knowledge: authorities,
    log,
    requestId,
    whole: (bytes, init) => new WholeResponse(bytes, init),
    baseUrl: services.baseUrl,
    service: issuer.service,
    local: (actor) => local.as(actor),
    ...(origin.nearest && { nearest: origin.nearest }),
    proxy: (project, request) => proxies.open(project, request),
    pulled: ({ principal }, pull, request) => pulls.note(principal.id, pull, addressOf(request)),
  })
  // A third of all that an origin loads, and no pull or push needs it: the first request for it brings it.
  let loaded: Promise<Hono> | undefined
  const api = () => {
    loaded ??= import('./api/harbor-api.ts').then(({ harborApi }) => new Hono().route('/api/v2.0', harborApi(services)))
    return loaded
  }
  const app = new Hono()
    .route('/', tokenRoutes({ callers, logins, issuer, knowledge: authorities, addressOf }))
    .all('/api/v2.0/*', async (c) => await (await api()).fetch(c.req.raw))
    .route('/', mesh.routes)
    .route('/', edgesApi(services, mesh.presence))
    .route('/', keysApi(services, keys))
    .route('/', projectRulesApi(services))
    .get('/.well-known/jwks.json', (c) => c.json(keys.jwks, 200, { 'Cache-Control': 'public, max-age=60' }))
    .get('/livez', (c) => c.text('ok'))
    .get('/readyz', async (c) => {
      const { healthy, components } = await services.health()
      return c.json({ ready: healthy, components }, healthy ? 200 : 503)
    })
    .notFound((c) =>
      errorAnswer(new RegistryError('UNSUPPORTED', 'There is nothing at this path.', undefined, { status: 404 }), c.req.raw, { log, requestId }),
    )
    .onError((error, c) => withLogin(errorAnswer(error, c.req.raw, { log, requestId })))

  return async (request, connection) => {
    const { remoteAddress } = connection
    const startedAt = steady(clock)
    addresses.note(request, connection)
    const path = pathOf(request)
    // What machines ask all day goes past the router of everything else.
    const response = path.startsWith('/v2/') || path === '/v2' ? await tickets.answer(request, await v2(request)) : await app.fetch(request)
    const id = ids.last(request)
    if (!response.headers.has('X-Request-Id')) response.headers.set('X-Request-Id', id)
    log.info(
      { requestId: id, method: request.method, path, status: response.status, ms: Math.round(steady(clock) - startedAt), from: remoteAddress },
      'answered',
    )
    return response
  }
}

/** Outside /v2 a refused login is asked for by Basic. */
function withLogin(response: Response): Response {
  if (response.status === 401 && !response.headers.has('WWW-Authenticate'))
    response.headers.set('WWW-Authenticate', 'Basic realm="Atoll", charset="UTF-8"')
  return response
}

/** Without its parameters: they may hold what does not belong into a log. */
function pathOf({ url }: Request): string {
  const start = url.indexOf('/', url.indexOf('://') + 3)
  const end = url.slice(start).search(/[?#]/)
  return end < 0 ? url.slice(start) : url.slice(start, start + end)
}

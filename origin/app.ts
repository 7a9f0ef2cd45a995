import { type Context, Hono } from 'hono'
import { ListTurns } from '../registry/delta/support.ts'
import { errorAnswer } from '../registry/http/errors.ts'
import { pathOf } from '../registry/http/path.ts'
import { RegistryError } from '../registry/spec/errors.ts'
import { type AdmissionLimits, admitted } from '../runtime/admission/admission.ts'
import { createChunker } from '../runtime/chunker.ts'
import { WholeResponse } from '../runtime/http/whole-response.ts'
import type { Exposition } from '../runtime/observe/metrics-page.ts'
import { type Handler, observed } from '../runtime/observe/observed.ts'
import { AnswerTimes } from '../runtime/observe/times.ts'
import { zstd } from '../runtime/zstd.ts'
import { REFUSED } from '../schema/audit/events.ts'
import { cause } from '../schema/cause.ts'
import { tellOfRequest } from './audit/answered-request.ts'
import { auditApi } from './audit/routes.ts'
import { customersApi } from './customers/routes.ts'
import { sessionRoutes } from './identity/sessions/routes.ts'
import { tokenRoutes } from './identity/token-routes.ts'
import { UploadTickets } from './identity/upload-tickets.ts'
import { edgesApi } from './mesh/edges-api.ts'
import { keysApi } from './mesh/keys-api.ts'
import type { OpenOrigin } from './open.ts'
import { projectRulesApi } from './project-rules/routes.ts'
import { quotasApi } from './quotas/routes.ts'
import { drApi } from './sites/api.ts'
import { elsewhere } from './sites/elsewhere.ts'
import { v2Handler } from './v2.ts'
import { webhooksApi } from './webhooks/routes.ts'

/** What every answer says, unless it says otherwise. */
export const SECURITY_HEADERS = {
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
} as const

/** Besides, where clients reach this registry by https: a year of nothing else (RFC 6797). */
export const STRICT_TRANSPORT = { 'Strict-Transport-Security': 'max-age=31536000' } as const

export interface OriginAppOptions {
  /** How much is transferred at once; without limits when absent. */
  readonly admission?: AdmissionLimits
  readonly times?: AnswerTimes
  /** Shown to this machine's own; undefined: elsewhere, or nowhere. */
  readonly page?: Exposition
  /** Whether this process is about to end. */
  readonly leaving?: () => boolean
}

/** Everything that an origin answers. */
export function originApp(origin: OpenOrigin, options: OriginAppOptions = {}): Handler {
  const { services, callers, authorities, issuer, logins, keys, local, proxies, addresses, mesh, pulls, identity } = origin
  const { log, clock } = services
  const requestId = (request: Request) => identity.name(request)
  const addressOf = (request: Request) => addresses.of(request)

  const tickets = new UploadTickets({ callers, issuer, facts: origin.facts, clock })
  const v2 = v2Handler({
    callers: tickets,
    knowledge: authorities,
    log,
    requestId,
    whole: (bytes, init) => new WholeResponse(bytes, init),
    delta: { createChunker, compression: zstd, turns: new ListTurns() },
    baseUrl: services.baseUrl,
    service: issuer.service,
    local: (actor, options) => origin.sites.synchronous(local.as(actor, options)),
    ...(origin.nearest && { nearest: origin.nearest }),
    proxy: (project, request) => proxies.open(project, request),
    pulled: ({ principal }, pull, request) => {
      // What an edge fetches is no pull: it tells by itself who pulls there.
      if (principal.kind !== 'edge') pulls.note(principal.id, pull, addressOf(request))
    },
    refused: async ({ principal: { id: actor } }, request, status) => {
      const { method } = request
      const path = pathOf(request)
      try {
        const projectId = (await authorities.project(path.split('/')[2] ?? ''))?.id
        await tellOfRequest(services.db, REFUSED, { actor, method, path, projectId, status })
      } catch (error) {
        // He is refused in any case.
        log.error({ err: error, actor, path }, 'a refusal could not be told to the audit log')
      }
    },
  })
  // A third of all that an origin loads, and no pull or push needs it: the first request for it brings it.
  let loaded: Promise<Hono> | undefined
  const api = () => {
    loaded ??= import('./api/harbor-api.ts').then(({ contractPath, harborApi }) =>
      new Hono({ getPath: contractPath }).route('/api/v2.0', harborApi(services)),
    )
    return loaded
  }
  const refused = (error: Error, c: Context) => withLogin(errorAnswer(error, c.req.raw, { log, requestId }))
  let openIdLoaded: Promise<Hono> | undefined
  const openId = () => {
    openIdLoaded ??= import('./identity/oidc/routes.ts').then(({ oidcRoutes }) => oidcRoutes({ ...services, facts: origin.facts }).onError(refused))
    return openIdLoaded
  }
  const app = new Hono()
    .route('/', tokenRoutes({ callers, logins, issuer, knowledge: authorities, addressOf }))
    .route('/', sessionRoutes({ logins, sessions: services.sessions, oidc: services.oidc, addressOf, baseUrl: services.baseUrl }))
    .get('/oidc-onboard', async (c) => await (await openId()).fetch(c.req.raw))
    .all('/c/oidc/*', async (c) => await (await openId()).fetch(c.req.raw))
    .all('/api/v2.0/*', async (c) => await (await api()).fetch(c.req.raw))
    .route('/', mesh.routes)
    .route('/', edgesApi(services, mesh.presence))
    .route('/', keysApi(services, keys))
    .route('/', origin.sites.routes)
    .route('/', drApi(services, origin.sites))
    .route('/', auditApi(services))
    .route('/', webhooksApi(services))
    .route('/', projectRulesApi(services))
    .route('/', quotasApi(services))
    .route('/', customersApi(services, origin.fetchFor))
    .get('/.well-known/jwks.json', (c) => c.json(keys.jwks, 200, { 'Cache-Control': 'public, max-age=60' }))
    .get('/livez', (c) => c.text('ok'))
    .get('/readyz', async (c) => {
      const { ready: able, components } = await services.health()
      const leaving = options.leaving?.() ?? false
      const ready = able && !leaving
      return c.json({ ready, components, ...(leaving && { leaving }) }, ready ? 200 : 503)
    })
    .notFound((c) =>
      errorAnswer(new RegistryError('UNSUPPORTED', 'There is nothing at this path.', undefined, { status: 404 }), c.req.raw, { log, requestId }),
    )
    .onError(refused)

  const answer: Handler = async (request, connection) => {
    addresses.note(request, connection)
    // Only changes are told of with where they come from; pulls tell that themselves.
    const changes = request.method !== 'GET' && request.method !== 'HEAD'
    return changes ? await cause.run({ address: addressOf(request) }, () => route(request)) : await route(request)
  }
  const { standing } = origin.sites.room
  const route = async (request: Request): Promise<Response> => {
    const path = pathOf(request)
    const refusal = elsewhere(standing, path)
    if (refusal !== undefined) return errorAnswer(refusal, request, { log, requestId })
    // What machines ask all day goes past the router of everything else.
    return path.startsWith('/v2/') || path === '/v2' ? await tickets.answer(request, await v2(request)) : extending(request, await app.fetch(request))
  }
  /** Whichever API it was that a session was used at. */
  const extending = (request: Request, response: Response): Response => {
    const cookie = services.sessions.extension(request, services.baseUrl(request).startsWith('https:'))
    if (cookie !== undefined) response.headers.append('Set-Cookie', cookie)
    return response
  }
  return observed(options.admission ? admitted(options.admission, clock, answer) : answer, {
    identity,
    log,
    level: 'info',
    times: options.times ?? new AnswerTimes(),
    ...(options.page && { page: options.page }),
  })
}

/** Outside /v2 a refused login is asked for by Basic. */
function withLogin(response: Response): Response {
  if (response.status === 401 && !response.headers.has('WWW-Authenticate'))
    response.headers.set('WWW-Authenticate', 'Basic realm="Atoll", charset="UTF-8"')
  return response
}

import { Hono } from 'hono'
import { ANONYMOUS } from '../policy/facts.ts'
import { restrict } from '../registry/access.ts'
import { errorAnswer } from '../registry/http/errors.ts'
import type { MakeWhole } from '../registry/http/exchange.ts'
import { resourceAt } from '../registry/http/route.ts'
import { registryRoutes } from '../registry/http/routes.ts'
import type { Log } from '../registry/log.ts'
import { RegistryError } from '../registry/spec/errors.ts'
import { type Caller, edgeGate } from './gate.ts'
import type { Mesh } from './mesh.ts'
import type { Sources } from './sources.ts'
import { type Login, tokenAnswer } from './token-service.ts'
import type { Tokens } from './tokens.ts'

export interface EdgeAppOptions {
  readonly mesh: Mesh
  readonly sources: Pick<Sources, 'open'>
  readonly tokens: Tokens
  readonly login: Login
  /** Where this edge is, as its enrolment says. */
  readonly region: () => string
  readonly version: string
  /** Where clients reach this edge; undefined: where each sent its request. */
  readonly url: string | undefined
  readonly newId: () => string
  readonly log: Log
  /** How answers are made whose whole body is in memory; as any other when absent. */
  readonly whole?: MakeWhole
}

/** Everything that an edge answers, in Node and in a Worker. `client` is the network address that a request came from, where it is known. */
export function edgeApp(options: EdgeAppOptions): (request: Request, client?: string) => Promise<Response> {
  const { mesh, sources, tokens, log, newId } = options
  const requestId = (request: Request) => request.headers.get('X-Request-Id')?.match(REQUEST_ID)?.[0] ?? newId()
  const challenge = challenges(options)

  const identify = async (request: Request, scope?: string): Promise<Caller> => {
    const header = request.headers.get('Authorization')
    if (header === null || header === '') return { principal: ANONYMOUS, access: undefined }
    const bearer = /^bearer +(\S+)$/i.exec(header)?.[1]
    const token = bearer === undefined ? undefined : await tokens.verify(bearer)
    const principal = token && (await principalOf(token.subject, mesh))
    if (token === undefined || principal === undefined) {
      throw unauthorized('The token is not valid here, or no longer. Get a new one.', challenge(request, scope, 'invalid_token'))
    }
    return { principal, access: token.access }
  }

  const app = new Hono<{ Bindings: { readonly client: string | undefined } }>()
    .route(
      '/',
      registryRoutes({
        log,
        requestId,
        ...(options.whole && { whole: options.whole }),
        ping: async (request) => {
          await mesh.settle()
          const { access } = await identify(request)
          if (access === undefined) throw unauthorized('authentication required', challenge(request))
        },
        open: async (request) => {
          await mesh.settle()
          const resource = resourceAt(new URL(request.url).pathname)
          const scope = resource !== undefined && 'name' in resource ? `repository:${resource.name}:pull` : undefined
          const caller = await identify(request, scope)
          if (resource?.kind === 'catalog' && !caller.access?.some(({ type, name }) => type === 'registry' && name === 'catalog')) {
            throw unauthorized('authentication required', challenge(request, 'registry:catalog:*'))
          }
          const gate = edgeGate({
            caller,
            facts: mesh.facts,
            now: () => mesh.origin.now(),
            challenge: (wanted, error) => challenge(request, wanted, error),
          })
          return restrict(sources.open(request.signal), gate)
        },
      }),
    )
    .on(['GET', 'POST'], '/service/token', async (c) => {
      await mesh.settle()
      return await tokenAnswer(c.req.raw, c.env.client, options)
    })
    .get('/livez', (c) => c.text('ok'))
    .get('/readyz', async (c) => {
      await mesh.settle()
      return mesh.origin.enrolled ? c.text('ok') : c.text('this edge is not enrolled yet', 503)
    })
    .get('/healthz', async (c) => {
      await mesh.settle()
      const { state, lag, cursor } = mesh.status()
      return c.json({ status: state, connected: state === 'connected', lag, cursor, region: options.region(), version: options.version })
    })
    .notFound((c) =>
      errorAnswer(new RegistryError('UNSUPPORTED', 'There is nothing at this path.', undefined, { status: 404 }), c.req.raw, { log, requestId }),
    )
    .onError((error, c) => errorAnswer(error, c.req.raw, { log, requestId }))

  return async (request, client) => warn(await app.fetch(request, { client }), mesh)
}

const REQUEST_ID = /^[\x21-\x7e]{1,128}$/

async function principalOf(subject: string, { facts }: Mesh) {
  return subject === ANONYMOUS.id ? ANONYMOUS : (await facts.principal(subject))?.facts
}

function unauthorized(message: string, header: string): RegistryError {
  return new RegistryError('UNAUTHORIZED', message, undefined, { headers: { 'WWW-Authenticate': header } })
}

/** Where a client of this request gets its tokens (RFC 6750, and Docker's token authentication). */
function challenges({ url, mesh }: EdgeAppOptions): (request: Request, scope?: string, error?: 'insufficient_scope' | 'invalid_token') => string {
  return (request, scope, error) => {
    const realm = `${url ?? baseOf(request)}/service/token`
    const { service } = mesh.origin.member.enrolment
    return [
      `Bearer realm="${realm}",service="${service}"`,
      ...(scope === undefined ? [] : [`scope="${scope}"`]),
      ...(error === undefined ? [] : [`error="${error}"`]),
    ].join(',')
  }
}

/** The host comes from the request itself and goes back to its sender alone. */
function baseOf(request: Request): string {
  const url = new URL(request.url)
  return request.headers.get('X-Forwarded-Proto') === 'https' ? `https://${url.host}` : url.origin
}

/** Says that an answer comes from an edge that has lost its origin (distribution-spec, "Warnings"; RFC 9111 once 5.5). */
function warn(response: Response, mesh: Mesh): Response {
  const { state, lag } = mesh.status()
  if (state === 'connected' || state === 'enrolling' || lag === null) return response
  const text = `299 - "This edge has not heard from its origin for ${Math.round(lag / 1000)} s: what it serves may have changed."`
  const headers = new Headers(response.headers)
  headers.append('Warning', text)
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers })
}

import { Hono } from 'hono'
import type { Caller } from '../mesh/caller.ts'
import { type Challenge, unauthorized } from '../mesh/challenge.ts'
import { catalogGate, gateOf } from '../mesh/gate.ts'
import { mountSource } from '../mesh/mount-source.ts'
import type { Pulled } from '../mesh/pulls.ts'
import { type Gate, restrict } from '../registry/access.ts'
import { errorAnswer } from '../registry/http/errors.ts'
import type { MakeWhole } from '../registry/http/exchange.ts'
import { pathOf } from '../registry/http/path.ts'
import type { Resource } from '../registry/http/route.ts'
import { registryHandler } from '../registry/http/routes.ts'
import type { Log } from '../registry/log.ts'
import { observePulls } from '../registry/observe.ts'
import type { Registry } from '../registry/registry.ts'
import { CreationTimes, ruled } from '../registry/rules/ruled.ts'
import { type Digest, parseDigest } from '../registry/spec/digests.ts'
import { RegistryError } from '../registry/spec/errors.ts'
import { isRepositoryName } from '../registry/spec/names.ts'
import { BasicLogins } from './basic-logins.ts'
import { Callers } from './callers.ts'
import { knowledgeOf } from './knowledge.ts'
import { SCOPES_OF_A_TOKEN } from './limits.ts'
import type { Mesh } from './mesh.ts'
import { type MirrorSettings, Mirrors, mirrored } from './mirror/mirrors.ts'
import type { NearestEdge } from './nearest/nearest.ts'
import { Guests } from './neighbours/guests.ts'
import { type Pushes, pushHandler } from './push-through/handler.ts'
import { ENROL_AGAIN } from './revoked.ts'
import type { Sources } from './sources.ts'
import { type Login, tokenAnswer } from './token-service.ts'
import type { Tokens } from './tokens.ts'
import { upstreamRulesOf } from './upstream-rules.ts'
import { Warmings } from './warm/warm-answer.ts'

export interface EdgeAppOptions {
  readonly mesh: Mesh
  readonly sources: Pick<Sources, 'open'>
  readonly tokens: Tokens
  readonly login: Login
  /** What clients mean that name images as Docker Hub does. */
  readonly mirror?: MirrorSettings
  /** Where requests that write go; refused when absent. */
  readonly pushes?: Pushes
  /** Logins that are remembered between requests; of this app alone when absent. */
  readonly basic?: BasicLogins
  /** Where this edge is, as its enrolment says. */
  readonly region: () => string
  readonly version: string
  /** Where clients reach this edge; undefined: where each sent its request. */
  readonly url: string | undefined
  readonly newId: () => string
  readonly log: Log
  /** Told of each manifest that somebody gets. */
  readonly pulled?: (pulled: Pulled) => void
  /** Told of each blob that another edge asks for: its source is to be asked, and no further edge. */
  readonly askedByNeighbour?: (digest: Digest) => void
  /** Sends clients to an edge nearer to them. */
  readonly nearest?: Pick<NearestEdge, 'towards'>
  /** Why nobody should be sent here, though everything is answered; undefined: all is well. */
  readonly unwell?: () => Promise<string | undefined>
  /** How answers are made whose whole body is in memory; as any other when absent. */
  readonly whole?: MakeWhole
}

/** Everything that an edge answers, in Node and in a Worker. `client` is the network address that a request came from, where it is known; `place` the edge or region near it. */
export function edgeApp(options: EdgeAppOptions): (request: Request, client?: string, place?: string) => Promise<Response> {
  const { mesh, sources, tokens, login, log, newId } = options
  const requestId = (request: Request) => request.headers.get('X-Request-Id')?.match(REQUEST_ID)?.[0] ?? newId()
  const challengeOf = challenges(options)
  const knowledge = knowledgeOf(mesh)
  const mirrors = new Mirrors(mesh.facts, options.mirror)
  const [rulesOf, times] = [upstreamRulesOf(mesh), new CreationTimes()]
  const warmings = new Warmings()
  const guests = new Guests(mesh)
  const callers = new Callers({ mesh, tokens, basic: options.basic ?? new BasicLogins(login, knowledge.now) })

  /** A login that failed gets the challenge too, so that clients know where a better one goes. */
  const identify = async (request: Request, client: string | undefined, scope?: string, challenge = challengeOf(request)): Promise<Caller> => {
    try {
      return await callers.identify(request, client)
    } catch (error) {
      if (!(error instanceof RegistryError) || error.code !== 'UNAUTHORIZED') throw error
      throw unauthorized(challenge, error.message, { ...(scope !== undefined && { scope }), error: 'invalid_token' })
    }
  }

  const near = (registry: Registry, caller: Caller, place: string | undefined, request: Request) =>
    (place === undefined ? undefined : options.nearest?.towards(registry, caller, place, request)) ?? registry
  const registryOf = (request: Request, gate: Gate, send = (registry: Registry) => registry, how: { readonly ahead?: boolean } = {}) =>
    restrict(send(ruled(sources.open(request.signal, how), rulesOf, times)), gate)

  /** Other edges get blobs by their digests; who of their clients may have them is for them to say, by the documents that we have as well. */
  const forNeighbour = async (request: Request, resource: Resource): Promise<Registry> => {
    await guests.admit(request)
    if (resource.kind !== 'blob' || (request.method !== 'GET' && request.method !== 'HEAD')) {
      throw new RegistryError('DENIED', 'An edge asks another one for blobs, and for nothing else.')
    }
    options.askedByNeighbour?.(parseDigest(resource.key))
    return sources.open(request.signal)
  }

  const v2 = (request: Request, client: string | undefined, place: string | undefined) =>
    registryHandler({
      log,
      requestId,
      ...(options.whole && { whole: options.whole }),
      ping: async () => {
        await mesh.settle()
        const { presented } = await identify(request, client)
        if (!presented) throw unauthorized(challengeOf(request), 'authentication required')
      },
      open: async (_request, resource) => {
        await mesh.settle()
        if (Guests.claims(request)) return await forNeighbour(request, resource)
        const name = 'name' in resource && isRepositoryName(resource.name) ? resource.name : undefined
        const here = name && (await mirrors.names(request, name))
        const [scope, ...instead] = (here ?? (name ? [name] : [])).slice(0, SCOPES_OF_A_TOKEN).map((each) => `repository:${each}:pull`)
        const challenge = () => ({ ...challengeOf(request)(), instead })
        const caller = await identify(request, client, scope, challenge)
        const gate = resource.kind === 'catalog' ? catalogGate(caller, knowledge, challenge) : gateOf(caller, knowledge, challenge)
        const registry = observePulls(
          registryOf(request, gate, (here) => near(here, caller, place, request)),
          (pull) => options.pulled?.({ subject: caller.principal.id, ...pull, ...(client !== undefined && { client }) }),
        )
        return name && here ? await mirrored(registry, name, here, gate) : registry
      },
    })(request)

  /** What keeps others from sending anybody here, though everything is answered. */
  const departing = async (): Promise<string | undefined> => {
    const unwell = await options.unwell?.()
    if (unwell !== undefined) return unwell
    return (await isDrained(mesh, log)) ? 'this edge is drained: its administrator wants nobody sent here' : undefined
  }

  const pushed =
    options.pushes &&
    pushHandler({
      pushes: options.pushes,
      mesh,
      gate: async (request, client) => gateOf(await identify(request, client), knowledge, challengeOf(request)),
      challengeOf,
      now: knowledge.now,
      log,
      requestId,
    })

  const app = new Hono<{ Bindings: { readonly client: string | undefined } }>()
    .on(['GET', 'POST'], '/service/token', async (c) => {
      await mesh.settle()
      return await tokenAnswer(c.req.raw, c.env.client, { ...options, knowledge, mirrors })
    })
    .post('/api/atoll/v1/warm', async (c) => {
      await mesh.settle()
      const { raw } = c.req
      const gate = async () => gateOf(await identify(raw, c.env.client), knowledge, challengeOf(raw))
      return await warmings.answer(raw, async () => registryOf(raw, await gate(), undefined, { ahead: true }))
    })
    .get('/livez', (c) => c.text('ok'))
    .get('/readyz', async (c) => {
      await mesh.settle()
      const reason = notReady(mesh) ?? (await departing())
      return reason === undefined ? c.text('ok') : c.text(reason, 503)
    })
    .get('/healthz', async (c) => {
      await mesh.settle()
      const { state, lag, cursor } = mesh.status()
      const draining = (await departing()) !== undefined
      return c.json({ status: state, connected: state === 'connected', draining, lag, cursor, region: options.region(), version: options.version })
    })
    .notFound((c) =>
      errorAnswer(new RegistryError('UNSUPPORTED', 'There is nothing at this path.', undefined, { status: 404 }), c.req.raw, { log, requestId }),
    )
    .onError((error, c) => errorAnswer(error, c.req.raw, { log, requestId }))

  return async (request, client, place) => {
    // As it came over the wire: a router that decodes paths finds /v2 where it is not.
    const path = pathOf(request)
    const registry = path.startsWith('/v2/') || path === '/v2'
    return warn(registry ? ((await pushed?.(request, client)) ?? (await v2(request, client, place))) : await app.fetch(request, { client }), mesh)
  }
}

/** What keeps this edge from serving anybody, for people and load balancers. */
function notReady(mesh: Mesh): string | undefined {
  if (!mesh.origin.enrolled) return 'this edge is not enrolled yet'
  if (mesh.status().state === 'revoked') return `this edge was revoked at its origin: ${ENROL_AGAIN}`
  return undefined
}

/** Whether the origin's administrator has taken this edge out of service. */
async function isDrained({ facts, origin }: Mesh, log: Log): Promise<boolean> {
  if (!origin.enrolled) return false
  const { id } = origin.member.enrolment
  try {
    return (await facts.edges())?.edges.find((edge) => edge.id === id)?.draining === true
  } catch (error) {
    log.debug({ error }, 'whether this edge is drained cannot be said now')
    return false
  }
}

const REQUEST_ID = /^[\x21-\x7e]{1,128}$/

/** Where a client of a request gets its tokens. */
function challenges({ url, mesh }: EdgeAppOptions): (request: Request) => Challenge {
  return (request) => () => ({
    realm: `${url ?? baseOf(request)}/service/token`,
    service: mesh.origin.member.enrolment.service,
    besides: mountSource(request),
  })
}

/** The host comes from the request itself and goes back to its sender alone. */
function baseOf(request: Request): string {
  const url = new URL(request.url)
  return request.headers.get('X-Forwarded-Proto') === 'https' ? `https://${url.host}` : url.origin
}

/** Says that an answer comes from an edge that has lost its origin, or that its origin has let go (distribution-spec, "Warnings"; RFC 9111 once 5.5). */
function warn(response: Response, mesh: Mesh): Response {
  const { state, lag } = mesh.status()
  if (state === 'connected' || state === 'enrolling' || lag === null) return response
  const why =
    state === 'revoked'
      ? `was revoked at its origin: ${ENROL_AGAIN}.`
      : `has not heard from its origin for ${Math.round(lag / 1000)} s: what it serves may have changed.`
  const text = `299 - "This edge ${why}"`
  const headers = new Headers(response.headers)
  headers.append('Warning', text)
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers })
}

import { systemClock } from '../registry/clock.ts'
import { edgeApp } from './app.ts'
import { awayLogin } from './away/login.ts'
import { BasicLogins } from './basic-logins.ts'
import { knowledgeOf } from './knowledge.ts'
import { NearestEdge } from './nearest/nearest.ts'
import { HandOver } from './push-through/hand-over.ts'
import { SECURITY_HEADERS } from './security-headers.ts'
import { type Login, originLogin } from './token-service.ts'
import { Tokens } from './tokens.ts'
import { VERSION } from './version.ts'
import { bucketNameOf, type Env, placeOf, type RequestContext, transferLimitsOf, uploadLimitOf } from './worker/env.ts'
import { fixedLength } from './worker/fixed-length.ts'
import { LinkedMesh } from './worker/linked-mesh.ts'
import { workerLog } from './worker/log.ts'
import { regionRegistry } from './worker/region.ts'
import { NEWS_EVERY_MS } from './worker/space/limits.ts'
import { Spaces } from './worker/space/spaces.ts'
import { tellObject } from './worker/tell-object.ts'
import { Teller } from './worker/teller.ts'
import { Transfers } from './worker/transfers.ts'

export { FillObject as Fill } from './worker/fill-object.ts'
export { LinkObject as Link } from './worker/link-object.ts'
export { SpaceObject as Space } from './worker/space/space-object.ts'

/** What an isolate remembers from one request to the next. It dies with the isolate. */
interface Isolate {
  readonly mesh: LinkedMesh
  readonly tokens: Tokens
  readonly login: Login
  readonly basic: BasicLogins
  readonly teller: Teller
  readonly nearest: NearestEdge
  readonly spaces: Spaces
  readonly transfers: Transfers
}

const isolates = new WeakMap<Env, Isolate>()

function isolateOf(env: Env): Isolate {
  const known = isolates.get(env)
  if (known !== undefined) return known
  const mesh = new LinkedMesh({ env })
  const tokens = new Tokens({ origin: mesh.origin, newId: () => crypto.randomUUID() })
  const log = workerLog()
  const login = awayLogin({
    origin: originLogin(mesh.origin, (principal) => mesh.offer(principal), { mesh, clock: systemClock, log }),
    known: mesh.logins,
    mesh,
    tokens,
    knowledge: knowledgeOf(mesh),
    log,
  })
  const made = {
    mesh,
    login,
    tokens,
    basic: new BasicLogins(login, () => mesh.origin.now()),
    spaces: new Spaces(env, NEWS_EVERY_MS),
    transfers: new Transfers(transferLimitsOf(env), systemClock),
    nearest: new NearestEdge({ mesh, tokens, fetch: (url, init) => fetch(url, init), clock: systemClock, log: workerLog() }),
    teller: new Teller({
      send: (telling) => mesh.tell(telling),
      clock: systemClock,
      now: () => mesh.origin.now(),
      newId: () => crypto.randomUUID(),
      log: workerLog(),
    }),
  }
  isolates.set(env, made)
  return made
}

export default {
  async fetch(request: Request, env: Env, context: RequestContext): Promise<Response> {
    const { mesh, tokens, login, basic, teller, nearest, spaces, transfers } = isolateOf(env)
    const log = workerLog()
    const bucket = bucketNameOf(env, request)
    const handle = edgeApp({
      mesh,
      tokens,
      sources: { open: (signal, how) => regionRegistry({ ...how, env, bucket, mesh, spaces, log, given: (counts) => teller.count(counts) }, signal) },
      pulled: (pulled) => teller.note(pulled),
      nearest,
      mirror: { project: env.MIRROR_PROJECT || undefined, host: env.MIRROR_HOST || undefined },
      login,
      basic,
      pushes: new HandOver({
        origin: mesh.origin.url,
        uploads: new URL(env.UPLOADS_URL ?? env.ORIGIN_URL),
        limit: uploadLimitOf(env),
        fetch: (url, init) => fetch(url, init),
        mesh,
        clock: systemClock,
        done: (repository, entries) => tellObject(env, bucket, repository, entries),
        log,
      }),
      region: () => bucket,
      version: VERSION,
      url: env.EDGE_URL,
      newId: () => crypto.randomUUID(),
      log,
    })
    // Cloudflare sets it, whatever the client sends.
    const client = request.headers.get('CF-Connecting-IP') ?? undefined
    const answer = secured(fixedLength(await transfers.answer(request, client, () => handle(request, client, placeOf(env, request)))))
    context.waitUntil(teller.tell())
    context.waitUntil(spaces.tell())
    return answer
  },

  /** Wakes the link, so that an edge nobody uses keeps up with its origin. */
  async scheduled(_event: object, env: Env): Promise<void> {
    await isolateOf(env).mesh.settle()
  },
}

function secured(response: Response): Response {
  const headers = new Headers(response.headers)
  for (const [name, value] of Object.entries(SECURITY_HEADERS)) if (!headers.has(name)) headers.set(name, value)
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers })
}

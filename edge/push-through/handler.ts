import { decodeJwt, type JWTPayload } from 'jose'
import type { Challenge } from '../../mesh/challenge.ts'
import { unauthorized } from '../../mesh/challenge.ts'
import type { AccessAction, Gate } from '../../registry/access.ts'
import { errorAnswer } from '../../registry/http/errors.ts'
import { type Resource, resourceAt } from '../../registry/http/route.ts'
import type { Log } from '../../registry/log.ts'
import { parseRepositoryName } from '../../registry/spec/names.ts'
import type { Mesh } from '../mesh.ts'
import { revokedEdge } from '../revoked.ts'
import { originAway } from './forward.ts'

/** So many seconds old, a token of this edge's own says that the origin was away when it was asked for. */
const JUST_NOW_S = 10

/** What takes a push: in Node it passes through, in a Worker its uploads are handed over. */
export interface Pushes {
  /** The answer to a request that writes, whose sender may do so and is known to the origin. @throws RegistryError */
  answer(request: Request, resource: Resource): Promise<Response>
}

export interface PushHandlerOptions {
  readonly pushes: Pushes
  readonly mesh: Mesh
  /** The gate of this request, for its sender. @throws RegistryError UNAUTHORIZED with a challenge */
  readonly gate: (request: Request, client: string | undefined) => Promise<Gate>
  readonly challengeOf: (request: Request) => Challenge
  /** Milliseconds since the epoch, as the origin counts. */
  readonly now: () => number
  readonly log: Log
  readonly requestId: (request: Request) => string
}

/** Takes requests that write, and questions of who might write whether a blob is there; undefined, also later: this is none. What it returns never rejects. */
export function pushHandler(
  options: PushHandlerOptions,
): (request: Request, client: string | undefined) => Promise<Response | undefined> | undefined {
  return (request, client) => {
    const resource = resourceOf(request)
    if (resource === undefined) return undefined
    if (resource.kind === 'blob' && request.method === 'HEAD') return askOrigin(request, client, resource, options)
    const action = actionOf(resource, request.method)
    if (action === undefined) return undefined
    return answer(request, client, { resource, action }, options).catch((error: unknown) => errorAnswer(error, request, options))
  }
}

/**
 * Whoever pushes leaves out what he hears is there. Only the origin knows that it is still there, and keeps it for him from the moment he asks.
 * While it is away nothing can be pushed, and the edge answers like anybody else.
 */
async function askOrigin(
  request: Request,
  client: string | undefined,
  resource: Resource & { readonly name: string },
  { pushes, mesh, gate, log }: PushHandlerOptions,
): Promise<Response | undefined> {
  try {
    await mesh.settle()
    if (mesh.status().state !== 'connected' || claimsOf(request)?.iss === mesh.origin.member.enrolment.id) return undefined
    if (!(await (await gate(request, client)).allows(parseRepositoryName(resource.name), 'push'))) return undefined
    const answered = await pushes.answer(request, resource)
    if (answered.ok || answered.status === 404) return answered
    await answered.body?.cancel()
  } catch (error) {
    log.debug({ err: error }, 'whether a blob is at the origin is answered from here')
  }
  return undefined
}

async function answer(
  request: Request,
  client: string | undefined,
  { resource, action }: { resource: Resource; action: AccessAction },
  { pushes, mesh, gate, challengeOf, now }: PushHandlerOptions,
): Promise<Response> {
  await mesh.settle()
  const { state } = mesh.status()
  if (state === 'revoked') throw revokedEdge()
  if (state !== 'connected') throw originAway()
  const name = parseRepositoryName('name' in resource ? resource.name : '')
  await (await gate(request, client)).require(name, action)
  const scope = `repository:${name}:${action === 'push' ? 'pull,push' : action}`
  // What this edge signed itself, for instance while the origin was away, is worth nothing there.
  const { iss, iat = 0 } = claimsOf(request) ?? {}
  if (iss === mesh.origin.member.enrolment.id) {
    // Signed just now, since the origin did not answer: another would be no better, whatever we know of the origin yet.
    if (now() < (iat + JUST_NOW_S) * 1000) throw originAway()
    throw unauthorized(challengeOf(request), 'The origin does not know this token. Get a new one.', { scope, error: 'invalid_token' })
  }
  const answered = await pushes.answer(request, resource)
  if (answered.status !== 401) return answered
  await answered.body?.cancel()
  throw unauthorized(challengeOf(request), 'The origin does not take this token, or not for this. Get a new one.', { scope, error: 'invalid_token' })
}

/** What will be sent on must be what is judged here: a path that means another one (`/v2/a/../b`) is for the routes to refuse. */
function resourceOf({ url }: Request): Resource | undefined {
  const { pathname } = new URL(url)
  const start = url.indexOf('/', url.indexOf('://') + 3)
  const end = url.slice(start).search(/[?#]/)
  const path = end < 0 ? url.slice(start) : url.slice(start, start + end)
  return path === pathname && path.startsWith('/v2/') ? resourceAt(path) : undefined
}

/** undefined: it does not write. */
function actionOf({ kind }: Resource, method: string): AccessAction | undefined {
  switch (kind) {
    case 'start-upload':
      return method === 'POST' ? 'push' : undefined
    case 'upload':
      return ['GET', 'HEAD', 'PATCH', 'PUT', 'DELETE'].includes(method) ? 'push' : undefined
    case 'manifest':
      if (method === 'PUT') return 'push'
      return method === 'DELETE' ? 'delete' : undefined
    case 'blob':
      return method === 'DELETE' ? 'delete' : undefined
    default:
      return undefined
  }
}

/** Only read to tell who must verify it; it has been verified here before. */
function claimsOf(request: Request): JWTPayload | undefined {
  const token = /^bearer +(\S+)$/i.exec(request.headers.get('Authorization') ?? '')?.[1]
  return token === undefined ? undefined : decodeJwt(token)
}

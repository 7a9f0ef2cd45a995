import type { Caller } from '../mesh/caller.ts'
import { type Challenge, unauthorized } from '../mesh/challenge.ts'
import { catalogGate, gateOf, type Knowledge } from '../mesh/gate.ts'
import { mountSource } from '../mesh/mount-source.ts'
import { maySetVersions } from '../policy/versions.ts'
import { type AccessAction, restrict } from '../registry/access.ts'
import type { DeltaSupport } from '../registry/delta/support.ts'
import type { MakeWhole } from '../registry/http/exchange.ts'
import { registryHandler } from '../registry/http/routes.ts'
import type { Log } from '../registry/log.ts'
import { observePulls, type Pull } from '../registry/observe.ts'
import type { Registry } from '../registry/registry.ts'
import { RegistryError } from '../registry/spec/errors.ts'
import { isRepositoryName, splitProject } from '../registry/spec/names.ts'
import { VERSION_HEADER } from '../registry/versions/headers.ts'
import type { Callers } from './identity/callers.ts'
import type { Nearest } from './nearest/nearest.ts'

export interface V2Options {
  readonly callers: Pick<Callers, 'identify'>
  readonly knowledge: Knowledge
  readonly log: Log
  readonly baseUrl: (request: Request) => string
  /** Our name in challenges, and the audience of our tokens. */
  readonly service: string
  readonly requestId: (request: Request) => string
  readonly whole?: MakeWhole
  /** What other sites that move deltas are answered with. */
  readonly delta: DeltaSupport
  /** What this origin owns, as `actor` changes it, who may say when and where tags were set, or not (see LocalRegistry). */
  readonly local: (actor: string, options: { readonly versions: boolean }) => Registry
  /** The registry of a project that is a proxy cache, for this request; undefined: the project is none. */
  readonly proxy: (project: string, request: Request) => Promise<Registry | undefined>
  /** Sends clients to an edge near them; absent: nobody is sent anywhere. */
  readonly nearest?: Pick<Nearest, 'towards'>
  /** Told of each manifest that somebody gets. */
  readonly pulled: (caller: Caller, pull: Pull, request: Request) => void
  /** Told of each change that somebody who has logged in was refused, before he is. */
  readonly refused: (caller: Caller, request: Request, status: number) => Promise<void>
}

/** A chunk of an upload comes after what began it, which is refused by itself. */
const CHANGES: readonly string[] = ['POST', 'PUT', 'DELETE']
const REFUSALS: readonly number[] = [403, 412]

/** All of /v2: who sends a request, what they may, and which registry they see. It never throws. */
export function v2Handler(options: V2Options): (request: Request) => Promise<Response> {
  const { callers, knowledge, baseUrl, service, log, requestId } = options
  const challengeOf =
    (request: Request): Challenge =>
    () => ({ realm: `${baseUrl(request)}/service/token`, service, besides: mountSource(request) })

  /** A login that failed gets the challenge too, so that clients know where a better one goes. */
  const identify = async (request: Request, scope?: string): Promise<Caller> => {
    try {
      return await callers.identify(request)
    } catch (error) {
      if (!(error instanceof RegistryError) || error.code !== 'UNAUTHORIZED') throw error
      throw unauthorized(challengeOf(request), error.message, { ...(scope !== undefined && { scope }), error: 'invalid_token' })
    }
  }

  const changers = new WeakMap<Request, Caller>()
  const handler = registryHandler({
    log,
    requestId,
    ...(options.whole && { whole: options.whole }),
    delta: options.delta,
    ping: async (request) => {
      const caller = await identify(request)
      if (!caller.presented) throw unauthorized(challengeOf(request), 'authentication required')
    },
    open: async (request, resource) => {
      const name = 'name' in resource && isRepositoryName(resource.name) ? resource.name : undefined
      const caller = await identify(request, name === undefined ? undefined : `repository:${name}:pull`)
      if (CHANGES.includes(request.method)) changers.set(request, caller)
      const seen = (registry: Registry) => observePulls(registry, (pull) => options.pulled(caller, pull, request))
      const near = (registry: Registry) => options.nearest?.towards(registry, caller, request) ?? registry
      // Only from whoever may do worse: nobody else forges the future, or a past.
      const versions = request.headers.get(VERSION_HEADER) !== null && maySetVersions(caller.principal, knowledge.now())
      const local = near(seen(options.local(caller.principal.id, { versions })))
      if (resource.kind === 'catalog') return restrict(local, catalogGate(caller, knowledge, challengeOf(request)))
      const gate = gateOf(caller, knowledge, challengeOf(request))
      if (name === undefined) return restrict(local, gate)
      const { project } = splitProject(name)
      if ((await knowledge.project(project))?.proxy !== true) return restrict(local, gate)
      // A proxy cache is opened with its upstream and its secrets: for nobody who may not use it.
      await gate.require(name, actionOf(request.method))
      const proxy = await options.proxy(project, request)
      return restrict(proxy === undefined ? local : near(seen(proxy)), gate)
    },
  })
  return async (request) => {
    const answer = await handler(request)
    const caller = REFUSALS.includes(answer.status) ? changers.get(request) : undefined
    if (caller !== undefined && (caller.principal.kind === 'user' || caller.principal.kind === 'robot')) {
      await options.refused(caller, request, answer.status)
    }
    return answer
  }
}

function actionOf(method: string): AccessAction {
  if (method === 'GET' || method === 'HEAD') return 'pull'
  return method === 'DELETE' ? 'delete' : 'push'
}

import { restrict } from '../registry/access.ts'
import type { MakeWhole } from '../registry/http/exchange.ts'
import { registryHandler } from '../registry/http/routes.ts'
import type { Log } from '../registry/log.ts'
import type { Registry } from '../registry/registry.ts'
import { RegistryError } from '../registry/spec/errors.ts'
import { isRepositoryName, splitProject } from '../registry/spec/names.ts'
import type { Authorities } from './identity/authorities.ts'
import type { Caller, Callers } from './identity/callers.ts'
import { type Challenge, unauthorized } from './identity/challenge.ts'
import { catalogGate, gateFor } from './identity/gate.ts'

export interface V2Options {
  readonly callers: Callers
  readonly authorities: Authorities
  readonly log: Log
  readonly baseUrl: (request: Request) => string
  /** Our name in challenges, and the audience of our tokens. */
  readonly service: string
  readonly requestId: (request: Request) => string
  readonly whole?: MakeWhole
  /** What this origin owns, as `actor` changes it. */
  readonly local: (actor: string) => Registry
  /** The registry of a project that is a proxy cache, for this request; undefined: the project is none. */
  readonly proxy: (project: string, request: Request) => Promise<Registry | undefined>
}

const CATALOG = 'registry:catalog:*'

/** All of /v2: who sends a request, what they may, and which registry they see. It never throws. */
export function v2Handler(options: V2Options): (request: Request) => Promise<Response> {
  const { callers, authorities, baseUrl, service, log, requestId } = options
  // Most requests are never challenged.
  const challengeOf = (request: Request): Challenge => ({
    get realm() {
      return `${baseUrl(request)}/service/token`
    },
    service,
  })

  /** A login that failed gets the challenge too, so that clients know where a better one goes. */
  const identify = async (request: Request, scope?: string): Promise<Caller> => {
    try {
      return await callers.identify(request)
    } catch (error) {
      if (!(error instanceof RegistryError) || error.code !== 'UNAUTHORIZED') throw error
      throw unauthorized(challengeOf(request), error.message, { ...(scope !== undefined && { scope }), error: 'invalid_token' })
    }
  }

  return registryHandler({
    log,
    requestId,
    ...(options.whole && { whole: options.whole }),
    ping: async (request) => {
      const caller = await identify(request)
      if (!caller.presented) throw unauthorized(challengeOf(request), 'authentication required')
    },
    open: async (request, resource) => {
      const name = 'name' in resource ? resource.name : undefined
      const caller = await identify(request, name !== undefined && isRepositoryName(name) ? `repository:${name}:pull` : undefined)
      const local = options.local(caller.principal.id)
      if (resource.kind === 'catalog') {
        const listing = caller.access === undefined || caller.access.some(({ type, name: what }) => type === 'registry' && what === 'catalog')
        if (!caller.presented || !listing) throw unauthorized(challengeOf(request), 'authentication required', { scope: CATALOG })
        return restrict(local, catalogGate(caller.principal, authorities))
      }
      const gate = gateFor(caller, authorities, challengeOf(request))
      if (name === undefined || !isRepositoryName(name)) return restrict(local, gate)
      return restrict((await options.proxy(splitProject(name).project, request)) ?? local, gate)
    },
  })
}

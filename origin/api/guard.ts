import type { Context, MiddlewareHandler } from 'hono'
import { decideSystem } from '../../policy/decide.ts'
import type { Principal, ProjectFacts, Target } from '../../policy/facts.ts'
import type { OriginServices } from '../services.ts'
import { ApiError, notFound, unauthorized } from './errors.ts'
import type { ApiEnv, ProjectEnv } from './variables.ts'

/** Stands before a route: who may not pass learns nothing of what the route would have said, not even that his body was wrong. */
export class Guard {
  readonly #services: Pick<OriginServices, 'clock' | 'decide' | 'projectFacts'>

  constructor(services: Pick<OriginServices, 'clock' | 'decide' | 'projectFacts'>) {
    this.#services = services
  }

  /** Everybody who has logged in, people and robots. */
  readonly account: MiddlewareHandler<ApiEnv> = async (c, next) => {
    if (c.var.principal.kind === 'anonymous') throw unauthorized()
    await next()
  }

  /** Who may do this to the system. */
  system(resource: string, action: string): MiddlewareHandler<ApiEnv> {
    return async (c, next) => {
      this.requireSystem(c.var.principal, { resource, action })
      await next()
    }
  }

  /** Who may do this in the project that the path names; the route finds it in `c.var.project`. */
  project(resource: string, action: string): MiddlewareHandler<ProjectEnv> {
    return async (c, next) => {
      c.set('project', await this.requireProject(c.var.principal, { resource, action }, projectInPath(c)))
      await next()
    }
  }

  /** Whether this principal may do that to the system. */
  allowsSystem(principal: Principal, target: Target): boolean {
    return decideSystem(principal, target, this.#services.clock.now()).allow
  }

  /** @throws ApiError UNAUTHORIZED, FORBIDDEN */
  requireSystem(principal: Principal, target: Target): void {
    const decision = decideSystem(principal, target, this.#services.clock.now())
    if (decision.allow) return
    throw decision.reason === 'unauthenticated' ? unauthorized(decision.message) : new ApiError('FORBIDDEN', decision.message)
  }

  /** `project`: its name or its id. @throws ApiError UNAUTHORIZED, FORBIDDEN, NOT_FOUND (it is not there, or this principal may not know that it is) */
  async requireProject(principal: Principal, target: Target, project: string | number): Promise<ProjectFacts> {
    const decision = await this.#services.decide(principal, target, project)
    if (!decision.allow) {
      switch (decision.reason) {
        case 'unauthenticated':
          throw unauthorized(decision.message)
        case 'hidden':
          throw notFound(`project ${project}`)
        case 'denied':
        case 'unavailable':
          throw new ApiError('FORBIDDEN', decision.message)
      }
    }
    const facts = await this.#services.projectFacts(project)
    if (facts === undefined) throw notFound(`project ${project}`)
    return facts
  }

  /** Whether this principal may do that in the project. */
  async allows(principal: Principal, target: Target, project: string | number): Promise<boolean> {
    return (await this.#services.decide(principal, target, project)).allow
  }
}

/** A number is a project's id, unless the client says that it is a name (X-Is-Resource-Name). `project_name` is always a name. */
function projectInPath(c: Context): string | number {
  const name = c.req.param('project_name')
  if (name !== undefined) return name
  const text = c.req.param('project_name_or_id') ?? ''
  const isName = c.req.header('X-Is-Resource-Name')?.toLowerCase() === 'true'
  return !isName && /^\d{1,15}$/.test(text) ? Number(text) : text
}

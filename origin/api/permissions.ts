import { createRoute, z } from '@hono/zod-openapi'
import { type Catalogue, PROJECT_PERMISSIONS, permissionsMeant, SYSTEM_PERMISSIONS } from '../../policy/catalogue.ts'
import { decide, decideSystem } from '../../policy/decide.ts'
import type { Principal } from '../../policy/facts.ts'
import { json, refusals } from './answers.ts'
import { type ApiParts, routes } from './environment.ts'
import { flag } from './lists.ts'

const Permission = z.object({ resource: z.string(), action: z.string() }).openapi('Permission')
const Permissions = z.object({ system: z.array(Permission), project: z.array(Permission) }).openapi('Permissions')

const all = (catalogue: Catalogue) => permissionsMeant(catalogue, '*', '*')

export const permissions = ({ services, guard }: ApiParts) => {
  const catalogue = createRoute({
    method: 'get',
    path: '/permissions',
    tags: ['permissions'],
    operationId: 'getPermissions',
    summary: 'What a robot may be allowed to do by you: everything of a project, and of the system what you may do yourself',
    middleware: guard.account,
    responses: { 200: json(Permissions, 'By kind.'), ...refusals(401) },
  })

  const own = createRoute({
    method: 'get',
    path: '/users/current/permissions',
    tags: ['user'],
    operationId: 'getCurrentUserPermissions',
    summary: 'What you may do: in the project that the scope /project/ID names, or to the system',
    middleware: guard.account,
    request: { query: z.object({ scope: z.string().max(64).optional(), relative: flag }) },
    responses: { 200: json(z.array(Permission), 'What you may do.'), ...refusals(400, 401) },
  })

  function ownOfSystem(principal: Principal) {
    const now = services.clock.now()
    return all(SYSTEM_PERMISSIONS).filter((target) => decideSystem(principal, target, now).allow)
  }

  return routes()
    .openapi(catalogue, (c) => c.json({ system: ownOfSystem(c.var.principal), project: all(PROJECT_PERMISSIONS) }, 200))
    .openapi(own, async (c) => {
      const { scope, relative } = c.req.valid('query')
      const { principal } = c.var
      const projectId = /^\/projects?\/(\d{1,15})\/?$/.exec(scope ?? '')?.[1]
      if (projectId === undefined) {
        const held = scope === undefined || scope === '' || scope === '/' || scope === '/system' ? ownOfSystem(principal) : []
        return c.json(
          held.map(({ resource, action }) => ({ resource: `/system/${resource}`, action })),
          200,
        )
      }
      const project = await services.projectFacts(Number(projectId))
      const held = all(PROJECT_PERMISSIONS).filter((target) => decide(principal, target, project, services.clock.now()).allow)
      const prefix = relative === true ? '' : `/project/${projectId}/`
      return c.json(
        held.map(({ resource, action }) => ({ resource: `${prefix}${resource}`, action })),
        200,
      )
    })
}

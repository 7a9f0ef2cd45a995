import { z } from '@hono/zod-openapi'
import { PROJECT_PERMISSIONS, permissionsMeant, SYSTEM_PERMISSIONS } from '../../policy/catalogue.ts'
import { mayGrant } from '../../policy/delegation.ts'
import type { Principal, ProjectFacts, RobotPermission } from '../../policy/facts.ts'
import type { OriginServices } from '../services.ts'
import { instant } from './environment.ts'
import { ApiError, badField } from './errors.ts'
import { ROBOT_PERMISSIONS_LIMIT } from './limits.ts'

const Access = z.object({ resource: z.string().max(64), action: z.string().max(64), effect: z.enum(['allow', '']).optional() }).openapi('Access')

/** Harbor's permissions of a robot: by kind (`project` or `system`) and namespace (a project's name, `*` for all of them, `/` for the system). */
export const Permission = z
  .object({ kind: z.enum(['project', 'system']), namespace: z.string().max(255), access: z.array(Access).min(1).max(ROBOT_PERMISSIONS_LIMIT) })
  .openapi('RobotPermission')

export type Permission = z.infer<typeof Permission>

type Facts = Pick<OriginServices, 'projectFacts' | 'clock'>

/**
 * Harbor's permissions as Atoll's grants, after checking that they exist and that `maker` may give them.
 * `own`: the project of a project robot, which reaches no other.
 * @throws ApiError BAD_REQUEST for what there is not, FORBIDDEN for what is not the maker's to give
 */
export async function readPermissions(
  services: Facts,
  maker: Principal,
  permissions: readonly Permission[],
  own: ProjectFacts | undefined,
): Promise<RobotPermission[]> {
  if (permissions.reduce((sum, { access }) => sum + access.length, 0) > ROBOT_PERMISSIONS_LIMIT) {
    throw badField('permissions', `a robot has ${ROBOT_PERMISSIONS_LIMIT} permissions at most`)
  }
  const granted = new Map<string, RobotPermission>()
  for (const [index, { kind, namespace, access }] of permissions.entries()) {
    const field = `permissions.${index}`
    const { scope, project } = await readScope(services, { kind, namespace }, own, field)
    const catalogue = kind === 'system' ? SYSTEM_PERMISSIONS : PROJECT_PERMISSIONS
    for (const { resource, action } of access) {
      if (permissionsMeant(catalogue, resource, action).length === 0) {
        throw badField(`${field}.access`, `there is no permission to ${action} ${resource} of kind ${kind}; GET /permissions lists them`)
      }
      const permission: RobotPermission = { scope, resource, action }
      if (!mayGrant(maker, permission, project, services.clock.now())) {
        throw new ApiError('FORBIDDEN', `${field}: nobody gives a robot more than he holds, and you may not ${action} ${resource} in ${namespace}.`)
      }
      granted.set(JSON.stringify(permission), permission)
    }
  }
  return [...granted.values()]
}

async function readScope(
  services: Facts,
  { kind, namespace }: Pick<Permission, 'kind' | 'namespace'>,
  own: ProjectFacts | undefined,
  field: string,
): Promise<{ scope: RobotPermission['scope']; project?: ProjectFacts | undefined }> {
  if (own !== undefined) {
    if (kind !== 'project' || namespace !== own.name)
      throw badField(field, `a robot of the project ${own.name} has permissions in it and nowhere else`)
    return { scope: { projectId: own.id }, project: own }
  }
  if (kind === 'system') {
    if (namespace !== '/') throw badField(`${field}.namespace`, 'the namespace of the system is /')
    return { scope: { system: true } }
  }
  if (namespace === '*') return { scope: { allProjects: true } }
  const project = await services.projectFacts(namespace)
  if (project === undefined) throw badField(`${field}.namespace`, `there is no project ${namespace}`)
  return { scope: { projectId: project.id }, project }
}

/** @throws ApiError FORBIDDEN when somebody would come by rights that he does not hold, by taking over a robot that has them */
export async function requireNoMore(services: Facts, principal: Principal, permissions: readonly RobotPermission[]): Promise<void> {
  for (const permission of permissions) {
    const project = 'projectId' in permission.scope ? await services.projectFacts(permission.scope.projectId) : undefined
    // What a robot may do in a project that is gone is nothing.
    if ('projectId' in permission.scope && project === undefined) continue
    if (!mayGrant(principal, permission, project, services.clock.now())) {
      throw new ApiError('FORBIDDEN', `This robot may ${permission.action} ${permission.resource}, and you may not: its secret is not yours to set.`)
    }
  }
}

/** `expiresAt`: when the robot is to end, in milliseconds; undefined: never. @throws ApiError FORBIDDEN when a robot would give one a longer life than its own */
export function requireNoLonger({ expiresAt: own }: Principal, expiresAt: number | undefined): void {
  if (own === undefined || (expiresAt !== undefined && expiresAt <= own)) return
  throw new ApiError('FORBIDDEN', `Nobody gives a robot a longer life than his own, and yours ends at ${instant(own)}: let it end by then.`)
}

/** Atoll's grants as Harbor's permissions, one for each kind and namespace. Grants in a project that is gone are left out. */
export async function showPermissions(services: Facts, granted: readonly RobotPermission[]): Promise<Permission[]> {
  const shown = new Map<string, Permission>()
  for (const { scope, resource, action } of granted) {
    const namespace = 'system' in scope ? '/' : 'allProjects' in scope ? '*' : (await services.projectFacts(scope.projectId))?.name
    if (namespace === undefined) continue
    const kind = 'system' in scope ? 'system' : 'project'
    const key = `${kind} ${namespace}`
    const permission = shown.get(key) ?? { kind, namespace, access: [] }
    permission.access.push({ resource, action, effect: 'allow' })
    shown.set(key, permission)
  }
  return [...shown.values()]
}

/** Whether both are the same permissions, in whatever order. */
export function samePermissions(some: readonly Permission[], others: readonly Permission[]): boolean {
  const [a, b] = [flat(some), flat(others)]
  return a.size === b.size && [...a].every((one) => b.has(one))
}

function flat(permissions: readonly Permission[]): ReadonlySet<string> {
  return new Set(
    permissions.flatMap(({ kind, namespace, access }) => access.map(({ resource, action }) => `${kind} ${namespace} ${resource} ${action}`)),
  )
}

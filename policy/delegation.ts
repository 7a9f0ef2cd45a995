// Nobody hands out more than he holds: which roles somebody may give and take, and what he may let a robot do.

import { PROJECT_PERMISSIONS, permissionsMeant, SYSTEM_PERMISSIONS } from './catalogue.ts'
import { decide, decideSystem, holds, rolesOf } from './decide.ts'
import { type Principal, type ProjectFacts, ROLES, type RobotPermission, type RoleId } from './facts.ts'
import { atLeast, highestRole } from './roles.ts'

/**
 * Whether this principal, who may manage members of the project, may do so with somebody of these roles: the one held, the one to come, or both.
 * A robot counts as a maintainer here, and one that may delete the project as its administrator: nobody else could have given it that.
 */
export function mayManageRoles(principal: Principal, project: ProjectFacts, roles: readonly RoleId[]): boolean {
  if (principal.admin) return true
  const own = principal.kind === 'robot' ? robotRole(principal, project) : highestRole(rolesOf(principal, project))
  return own !== undefined && roles.every((role) => atLeast(own, role))
}

function robotRole(robot: Principal, project: ProjectFacts): RoleId {
  return holds(robot, { resource: 'project', action: 'delete' }, project) ? ROLES.projectAdmin : ROLES.maintainer
}

/**
 * Whether this principal may give a robot this permission. `project` is the one the permission names. A grant for all projects or for the
 * system is an administrator's to give, or a robot's that holds just that. Pure: `now` is milliseconds since the epoch.
 */
export function mayGrant(principal: Principal, permission: RobotPermission, project: ProjectFacts | undefined, now: number): boolean {
  if (principal.admin && principal.kind === 'user') return principal.enabled
  const { scope, resource, action } = permission
  if ('system' in scope) {
    const meant = permissionsMeant(SYSTEM_PERMISSIONS, resource, action)
    return meant.length > 0 && meant.every((target) => decideSystem(principal, target, now).allow)
  }
  const meant = permissionsMeant(PROJECT_PERMISSIONS, resource, action)
  if (meant.length === 0) return false
  if ('allProjects' in scope) {
    return meant.every((target) =>
      principal.permissions.some(
        (held) =>
          'allProjects' in held.scope &&
          (held.resource === '*' || held.resource === target.resource) &&
          (held.action === '*' || held.action === target.action),
      ),
    )
  }
  // What anybody may do in a public project is no right of his own, and ends when the project becomes private.
  const closed = project !== undefined && project.id === scope.projectId ? { ...project, public: false, proxy: false } : undefined
  return closed !== undefined && meant.every((target) => decide(principal, target, closed, now).allow)
}

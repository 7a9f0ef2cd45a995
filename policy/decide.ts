import type { Principal, ProjectFacts, RobotPermission, Target } from './facts.ts'
import { roleAllows } from './roles.ts'

export type Decision = { readonly allow: true } | Refusal

export interface Refusal {
  readonly allow: false
  /**
   * `unauthenticated`: logging in might help. `hidden`: may not even know that it exists. `denied`: known, and refused.
   * `unavailable`: what is known is too old to say; trying again later is right.
   */
  readonly reason: 'unauthenticated' | 'hidden' | 'denied' | 'unavailable'
  readonly message: string
}

const PUBLIC_READS: ReadonlySet<string> = new Set(['artifact', 'artifact-addition', 'accessory', 'tag', 'project', 'label'])

const ALLOW: Decision = { allow: true }

const LAPSED: Decision = {
  allow: false,
  reason: 'unavailable',
  message:
    'This edge has not heard from its origin for longer than its grace, and serves only what is public. It will serve the rest as soon as the origin is back.',
}

/**
 * May this principal do that in this project? `project` undefined: there is none of that name.
 * A stranger cannot tell a private project from one that does not exist: both are `unauthenticated` to the anonymous, `hidden` to users.
 * Pure: `now` is milliseconds since the epoch.
 */
export function decide(principal: Principal, target: Target, project: ProjectFacts | undefined, now: number): Decision {
  const barred = bar(principal, now)
  if (barred !== undefined) return barred
  if (project === undefined) return refuse(principal, false)
  // Before anybody's rights: an old document may no longer be right about them.
  if (project.lapsed && !(project.public && isPublicRead(target))) return LAPSED
  if (!holds(principal, target, project)) return refuse(principal, knows(principal, project))
  // Only whoever might push elsewhere learns that this is a proxy cache.
  if (project.proxy && target.resource === 'repository' && target.action === 'push') {
    return { allow: false, reason: 'denied', message: `denied: ${project.name} is a proxy cache; push to the registry it stands for.` }
  }
  return ALLOW
}

/** Whether its roles or permissions cover it, whatever else bars this principal. */
export function holds(principal: Principal, target: Target, project: ProjectFacts): boolean {
  switch (principal.kind) {
    case 'edge':
      // An edge carries what it may show on; what each of its clients may see is decided there, by this same function.
      return target.action === 'pull' || target.action === 'read' || target.action === 'list'
    case 'anonymous':
      return project.public && isPublicRead(target)
    case 'robot':
      return (project.public && isPublicRead(target)) || permissionsIn(principal, project).some((permission) => grants(permission, target))
    case 'user':
      return principal.admin || (project.public && isPublicRead(target)) || rolesOf(principal, project).some((role) => roleAllows(role, target))
  }
}

/** Whether this principal may know that the project exists. */
function knows(principal: Principal, project: ProjectFacts): boolean {
  return project.public || principal.kind === 'edge' || rolesOf(principal, project).length > 0 || permissionsIn(principal, project).length > 0
}

/**
 * May this principal do that to the system itself (accounts, endpoints, replication, quotas, …)? People need to be administrators;
 * a robot needs a permission of the system. Pure: `now` is milliseconds since the epoch.
 */
export function decideSystem(principal: Principal, target: Target, now: number): Decision {
  const barred = bar(principal, now)
  if (barred !== undefined) return barred
  if (principal.kind === 'anonymous') return refuse(principal, true)
  if (principal.kind === 'user' && principal.admin) return ALLOW
  const granted = principal.kind === 'robot' && principal.permissions.some((permission) => 'system' in permission.scope && grants(permission, target))
  return granted
    ? ALLOW
    : { allow: false, reason: 'denied', message: `This needs a system administrator, or a robot allowed to ${target.action} ${target.resource}.` }
}

/** Why this principal may do nothing at all now, if so. Pure: `now` is milliseconds since the epoch. */
export function bar(principal: Principal, now: number): Refusal | undefined {
  if (!principal.enabled) return { allow: false, reason: 'unauthenticated', message: `${principal.name} is disabled.` }
  if (principal.expiresAt !== undefined && principal.expiresAt <= now) {
    return { allow: false, reason: 'unauthenticated', message: `${principal.name} expired at ${new Date(principal.expiresAt).toISOString()}.` }
  }
  return undefined
}

/** The roles that a user has in a project, by itself and by its groups. */
export function rolesOf(principal: Principal, project: ProjectFacts): ProjectFacts['members'][number]['role'][] {
  if (principal.kind !== 'user') return []
  const subjects = new Set([principal.id, ...principal.groups.map((group) => `group:${group}`)])
  return project.members.filter((member) => subjects.has(member.subject)).map((member) => member.role)
}

/** What a robot may do in this project; nothing for everybody else. */
function permissionsIn(robot: Principal, project: ProjectFacts): RobotPermission[] {
  return robot.permissions.filter(({ scope }) => 'allProjects' in scope || ('projectId' in scope && scope.projectId === project.id))
}

function grants({ resource, action }: RobotPermission, target: Target): boolean {
  return (resource === '*' || resource === target.resource) && (action === '*' || action === target.action)
}

/** What everybody may do in a public project. */
function isPublicRead({ resource, action }: Target): boolean {
  return (
    (resource === 'repository' && (action === 'pull' || action === 'read' || action === 'list')) ||
    (PUBLIC_READS.has(resource) && (action === 'read' || action === 'list'))
  )
}

function refuse(principal: Principal, known: boolean): Decision {
  if (principal.kind === 'anonymous') return { allow: false, reason: 'unauthenticated', message: 'authentication required' }
  return { allow: false, reason: known ? 'denied' : 'hidden', message: 'requested access to the resource is denied' }
}

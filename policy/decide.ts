import type { Principal, ProjectFacts } from './facts.ts'
import { roleAllows } from './roles.ts'

export type Decision =
  | { readonly allow: true }
  /** `unauthenticated`: logging in might help. `hidden`: may not even know that it exists. `denied`: known, and refused. */
  | { readonly allow: false; readonly reason: 'unauthenticated' | 'hidden' | 'denied'; readonly message: string }

export interface Target {
  /** Harbor's name of a resource: `repository`, `artifact`, `tag`, `member`, `robot`, `project`, … */
  readonly resource: string
  /** `pull`, `push`, `read`, `list`, `create`, `update`, `delete`, … */
  readonly action: string
}

const ALLOW: Decision = { allow: true }

/**
 * May this principal do that in this project? `project` undefined: there is none of that name.
 * A stranger cannot tell a private project from one that does not exist: both are `unauthenticated` to the anonymous, `hidden` to users.
 * Pure: `now` is milliseconds since the epoch.
 */
export function decide(principal: Principal, target: Target, project: ProjectFacts | undefined, now: number): Decision {
  if (!principal.enabled) return { allow: false, reason: 'unauthenticated', message: `${principal.name} is disabled.` }
  if (principal.expiresAt !== undefined && principal.expiresAt <= now) {
    return { allow: false, reason: 'unauthenticated', message: `${principal.name} expired at ${new Date(principal.expiresAt).toISOString()}.` }
  }
  if (project === undefined) return refuse(principal, undefined)
  if (project.proxy && target.resource === 'repository' && target.action === 'push') {
    return { allow: false, reason: 'denied', message: `denied: ${project.name} is a proxy cache; push to the registry it stands for.` }
  }
  if (principal.kind === 'edge') {
    // An edge carries what it may show on; what each of its clients may see is decided there, by this same function.
    const reading = target.action === 'pull' || target.action === 'read' || target.action === 'list'
    return reading ? ALLOW : refuse(principal, project)
  }
  if (principal.admin) return ALLOW
  if (project.public && isPublicRead(target)) return ALLOW
  if (principal.kind === 'robot') return robotAllows(principal, target, project) ? ALLOW : refuse(principal, project)
  const held = rolesOf(principal, project)
  return held.some((role) => roleAllows(role, target)) ? ALLOW : refuse(principal, project, held.length > 0)
}

/** The roles that a user has in a project, by itself and by its groups. */
export function rolesOf(principal: Principal, project: ProjectFacts): ProjectFacts['members'][number]['role'][] {
  if (principal.kind !== 'user') return []
  const subjects = new Set([principal.id, ...principal.groups.map((group) => `group:${group}`)])
  return project.members.filter((member) => subjects.has(member.subject)).map((member) => member.role)
}

function robotAllows(robot: Principal, target: Target, project: ProjectFacts): boolean {
  return robot.permissions.some(
    ({ scope, resource, action }) =>
      ('allProjects' in scope || ('projectId' in scope && scope.projectId === project.id)) &&
      (resource === '*' || resource === target.resource) &&
      (action === '*' || action === target.action),
  )
}

/** What everybody may do in a public project. */
function isPublicRead({ resource, action }: Target): boolean {
  return (
    (resource === 'repository' && (action === 'pull' || action === 'read' || action === 'list')) ||
    ((resource === 'artifact' || resource === 'tag' || resource === 'project') && (action === 'read' || action === 'list'))
  )
}

function refuse(principal: Principal, project: ProjectFacts | undefined, member = false): Decision {
  if (principal.kind === 'anonymous') return { allow: false, reason: 'unauthenticated', message: 'authentication required' }
  const known = project !== undefined && (member || project.public || principal.kind === 'robot')
  return { allow: false, reason: known ? 'denied' : 'hidden', message: 'requested access to the resource is denied' }
}

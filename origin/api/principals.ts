import type { Principal } from '../../policy/facts.ts'
import { numberOf } from '../../policy/subjects.ts'
import type { ProjectFilter } from '../../schema/projects.ts'

/** A user's number; undefined: this is no user. */
export function userNumber(principal: Principal): number | undefined {
  return principal.kind === 'user' ? numberOf(principal.id) : undefined
}

/** Which projects this principal may know of, for lists. */
export function visibleProjects(principal: Principal): Pick<ProjectFilter, 'public' | 'visibleTo' | 'visibleIds'> {
  switch (principal.kind) {
    case 'user':
      return principal.admin ? {} : { visibleTo: { userId: numberOf(principal.id), groups: principal.groups } }
    case 'robot': {
      const all = principal.permissions.some(
        ({ scope, resource }) => 'allProjects' in scope || ('system' in scope && (resource === 'project' || resource === '*')),
      )
      if (all) return {}
      return { visibleIds: [...new Set(principal.permissions.flatMap(({ scope }) => ('projectId' in scope ? [scope.projectId] : [])))] }
    }
    case 'edge':
    case 'anonymous':
      return { public: true }
  }
}

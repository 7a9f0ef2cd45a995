import { doublestar } from '../../policy/doublestar.ts'
import type { ReplicationFilter } from '../../schema/replication.ts'

/** The first filter by name that lets nothing of a project through, so that a rule with it would never do anything; undefined: there is none. */
export function filterBeside(filters: readonly ReplicationFilter[], project: string): string | undefined {
  for (const { type, value, decoration } of filters)
    if (type === 'name' && decoration !== 'excludes' && typeof value === 'string' && value !== '' && !mayReach(value, project)) return value
  return undefined
}

/** By what stands before the first slash. True where that does not say it: a slash may be within braces, and `**` crosses slashes. */
function mayReach(pattern: string, project: string): boolean {
  const [first = '', ...rest] = pattern.split('/')
  if (/\*\*|[{}\\[\]]/.test(first)) return true
  return rest.length > 0 && doublestar(first)(project)
}

import { RE2JS, RE2JSException } from 're2js'
import { optionalParsed } from '../../../runtime/settings/kinds.ts'

// Patterns are RE2's, as in Harbor: what is valid there is valid here, and no group's name, which any provider may send, takes longer than its length.

/** A regular expression, or nothing. */
export const optionalGroupFilter = optionalParsed('a regular expression (RE2 syntax)', (pattern) => RE2JS.compile(pattern), RE2JSException)

/** Those in which the filter finds something; all, without one. */
export function filteredGroups(names: readonly string[], filter: string | undefined): readonly string[] {
  if (filter === undefined) return names
  const pattern = RE2JS.compile(filter)
  return names.filter((name) => pattern.matcher(name).find())
}

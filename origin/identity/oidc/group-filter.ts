import { RE2JS, RE2JSException } from 're2js'
import type { Kind } from '../../../runtime/settings/define.ts'
import { optionalText } from '../../../runtime/settings/kinds.ts'

// Patterns are RE2's, as in Harbor: what is valid there is valid here, and no group's name, which any provider may send, takes longer than its length.

/** A regular expression, or nothing. */
export const optionalGroupFilter: Kind<string | undefined> = {
  expected: 'a regular expression (RE2 syntax)',
  read: (value) => {
    const pattern = optionalText.read(value)
    if (pattern === undefined) return undefined
    try {
      RE2JS.compile(pattern)
      return pattern
    } catch (error) {
      if (error instanceof RE2JSException) return undefined
      throw error
    }
  },
}

/** Those in which the filter finds something; all, without one. */
export function filteredGroups(names: readonly string[], filter: string | undefined): readonly string[] {
  if (filter === undefined) return names
  const pattern = RE2JS.compile(filter)
  return names.filter((name) => pattern.matcher(name).find())
}

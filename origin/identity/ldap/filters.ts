import { type Filter, FilterParser } from 'ldapts'
import type { Kind } from '../../../runtime/settings/define.ts'
import { optionalText } from '../../../runtime/settings/kinds.ts'

/** A filter as people write it, with its outer parentheses or without. @throws when it is none (RFC 4515) */
export function readFilter(text: string): Filter {
  return FilterParser.parseString(text.startsWith('(') ? text : `(${text})`)
}

/** A filter of entries, or nothing. */
export const optionalFilter: Kind<string | undefined> = {
  expected: 'an LDAP filter such as (objectClass=person)',
  read: (value) => {
    const text = optionalText.read(value)
    if (text === undefined) return undefined
    try {
      readFilter(text)
      return text
    } catch (error) {
      if (error instanceof Error) return undefined
      throw error
    }
  },
}

import { type Filter, FilterParser } from 'ldapts'
import { optionalParsed } from '../../../runtime/settings/kinds.ts'

/** A filter as people write it, with its outer parentheses or without. @throws when it is none (RFC 4515) */
export function readFilter(text: string): Filter {
  const whole = text.startsWith('(') ? text : `(${text})`
  if (!isClosed(whole)) throw new SyntaxError('Its parentheses do not match.')
  return FilterParser.parseString(whole)
}

/** Whether its first parenthesis is closed by its last, and each other in between. The library takes what ends too early; in values they are escaped. */
function isClosed(text: string): boolean {
  let open = 0
  for (const [at, character] of [...text].entries()) {
    if (character === '(') open++
    if (character === ')') open--
    if (open < 0 || (open === 0 && at < text.length - 1)) return false
  }
  return open === 0
}

/** A filter of entries, or nothing. */
export const optionalFilter = optionalParsed('an LDAP filter such as (objectClass=person)', readFilter, Error)

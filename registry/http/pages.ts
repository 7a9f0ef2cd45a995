import { type ErrorCode, RegistryError } from '../spec/errors.ts'
import type { Page } from '../spec/pages.ts'
import type { Query } from './exchange.ts'

/** How many entries a page has when the client names no number, and at most: it follows the Link for more. */
const DEFAULT_PAGE = 1000
const LARGEST_PAGE = 10_000

/** What sorts before an entry may be anything printable: a tag deleted since, or a prefix. */
const MARKER = /^[\x21-\x7e]{1,300}$/

/**
 * `n` and `last` (distribution-spec, "Listing Tags").
 * @throws RegistryError PAGINATION_NUMBER_INVALID, or `code` when `last` cannot be an entry of the list
 */
export function pageOf(query: Query, code: ErrorCode): Page {
  const n = query.one('n', 'PAGINATION_NUMBER_INVALID')
  const last = query.one('last', code)
  if (n !== undefined && !/^\d{1,10}$/.test(n)) {
    throw new RegistryError('PAGINATION_NUMBER_INVALID', 'n is the number of entries wanted.', { n: n.slice(0, 100) })
  }
  if (last !== undefined && last !== '' && !MARKER.test(last))
    throw new RegistryError(code, 'last is an entry of an earlier page.', undefined, { status: 400 })
  const limit = n === undefined ? DEFAULT_PAGE : Math.min(Number(n), LARGEST_PAGE)
  return { limit, ...(last !== undefined && last !== '' && { last }) }
}

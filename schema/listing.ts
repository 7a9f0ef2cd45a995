import { and, asc, desc, gte, lte, sql as raw, type SQL } from 'drizzle-orm'
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core'
import type { Fields, Match } from './matching.ts'

/** A page by number, as Harbor's API counts: from 1. */
export interface Listing {
  readonly page: number
  readonly pageSize: number
  /** What is wanted of fields, by their names as the API has them: all of it. */
  readonly where?: readonly { readonly field: string; readonly match: Match }[] | undefined
  /** Field names as the API has them, with `descending`; those that cannot be sorted by are passed over. */
  readonly sort?: readonly { readonly field: string; readonly descending: boolean }[] | undefined
}

export interface Listed<T> {
  readonly items: readonly T[]
  /** How many there are on all pages. */
  readonly total: number
}

export function window({ page, pageSize }: Listing): { readonly limit: number; readonly offset: number } {
  return { limit: pageSize, offset: (page - 1) * pageSize }
}

/**
 * The same page of a list of so many rows, counted from whichever end is nearer: what lies before it is read for nothing. From the end, the
 * list is read in the order reversed, and the page is to be turned round.
 */
export function nearerEnd(listing: Listing, total: number): { readonly limit: number; readonly offset: number; readonly fromEnd: boolean } {
  const { limit, offset } = window(listing)
  if (offset <= total / 2) return { limit, offset, fromEnd: false }
  const end = Math.min(offset + limit, total)
  return { limit: Math.max(0, end - offset), offset: total - end, fromEnd: true }
}

/** ORDER BY terms; `tie` makes every order total. */
export function ordering(listing: Listing, fields: Fields, tie: SQLiteColumn, reversed = false): SQL[] {
  const term = (column: SQLiteColumn | SQL, descending: boolean) => (descending === reversed ? asc(column) : desc(column))
  const terms = (listing.sort ?? []).flatMap(({ field, descending }) => {
    const column = Object.hasOwn(fields, field) ? fields[field] : undefined
    return column === undefined ? [] : [term(column, descending)]
  })
  return [...terms, term(tie, false)]
}

/** The same where the newest come first as long as nobody says otherwise. */
export function newestFirst(listing: Listing, fields: Fields, id: SQLiteColumn): SQL[] {
  return (listing.sort ?? []).length > 0 ? ordering(listing, fields, id) : [desc(id)]
}

/** Harbor's fuzzy match: the text is part of the column's, whatever the case of ASCII letters. Without a text there is no condition. */
export function contains(column: SQLiteColumn | SQL, text: string | undefined): SQL | undefined {
  if (text === undefined || text === '') return undefined
  // A third of the time of instr(lower(…), lower(…)), which makes a text of every row.
  return raw`${column} LIKE ${`%${text.replace(/[\\%_]/g, '\\$&')}%`} ESCAPE '\\'`
}

/** Milliseconds since the epoch, both ends included, either open. */
export interface Span {
  readonly from?: number | undefined
  readonly to?: number | undefined
}

export function within(column: SQLiteColumn, { from, to }: Span = {}): SQL | undefined {
  return and(from === undefined ? undefined : gte(column, from), to === undefined ? undefined : lte(column, to))
}

/** How many rows a condition leaves. */
export const COUNT = raw<number>`count(*)`.mapWith(Number)

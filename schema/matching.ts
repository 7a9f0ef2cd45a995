import { and, eq, gte, inArray, lte, sql as raw, type SQL } from 'drizzle-orm'
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core'
import { contains, type Listing } from './listing.ts'

export type Value = string | number | boolean

/** What a value has to be: equal, with a part in it, between two (both ends included, either open), one of some, or all of some at once. */
export type Match =
  | { readonly match: 'exact'; readonly value: Value }
  | { readonly match: 'part'; readonly text: string }
  | { readonly match: 'range'; readonly from?: Value | undefined; readonly to?: Value | undefined }
  | { readonly match: 'any' | 'all'; readonly values: readonly Value[] }

/** What a list can be searched and sorted by, as the API calls it. */
export type Fields = Readonly<Record<string, SQLiteColumn | SQL>>

/** All wishes of a listing. @throws TypeError for a field that is not among `fields`: nothing that was asked for is passed over */
export function wished({ where = [] }: Listing, fields: Fields): SQL | undefined {
  return and(
    ...where.map(({ field, match }) => {
      const column = Object.hasOwn(fields, field) ? fields[field] : undefined
      if (column === undefined) throw new TypeError(`This list has no field ${field}.`)
      return matches(column, match)
    }),
  )
}

export function matches(column: SQLiteColumn | SQL, wish: Match | undefined): SQL | undefined {
  if (wish === undefined) return undefined
  // What is no column says nothing of how its values are written down.
  const kept = <T extends Value>(value: T) => ('getSQLType' in column || typeof value !== 'boolean' ? value : Number(value))
  switch (wish.match) {
    case 'exact':
      return eq(column as SQL, kept(wish.value))
    case 'part':
      return contains(column, wish.text)
    case 'range':
      return and(
        wish.from === undefined ? undefined : gte(column as SQL, kept(wish.from)),
        wish.to === undefined ? undefined : lte(column as SQL, kept(wish.to)),
      )
    case 'any':
      return inArray(column as SQL, wish.values.map(kept))
    case 'all': {
      const [first, ...others] = [...new Set(wish.values)]
      // One value is no two at once.
      return first === undefined || others.length > 0 ? raw`0` : eq(column as SQL, kept(first))
    }
  }
}

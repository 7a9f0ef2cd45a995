import { z } from '@hono/zod-openapi'
import type { Listing } from '../../schema/listing.ts'
import { badField } from './errors.ts'
import { QUERY_LIMIT } from './limits.ts'
import { type PageQuery, pageQuery } from './paging.ts'
import type { Query } from './query.ts'
import { parseSort } from './sort.ts'

/** The parameters of a list that can be searched and sorted. */
export const listQuery = { ...pageQuery, q: z.string().max(QUERY_LIMIT).optional(), sort: z.string().max(QUERY_LIMIT).optional() }

/** A parameter that is yes or no, in whatever words clients write that: `true`, `True`, `1`. */
export const flag = z.stringbool().optional().openapi({ type: 'boolean' })

/** What the database is asked for. @throws ApiError BAD_REQUEST for a sort that is not by one of `sortable` */
export function listingOf(query: PageQuery & { readonly sort?: string | undefined }, sortable: readonly string[]): Listing {
  return { page: query.page, pageSize: query.page_size, sort: parseSort(query.sort, sortable) }
}

/** A condition on a text: equal to, or containing. @throws ApiError BAD_REQUEST for other kinds of conditions */
export function textCondition(query: Query, key: string): { readonly exact?: string; readonly part?: string } {
  const condition = query.get(key)
  if (condition === undefined) return {}
  if (condition.match === 'exact') return { exact: String(condition.value) }
  if (condition.match === 'fuzzy') return { part: String(condition.value) }
  throw badField('q', `${key} takes ${key}=text or ${key}=~text`)
}

/** A condition that is one value. @throws ApiError BAD_REQUEST for other kinds of conditions */
export function exactCondition(query: Query, key: string): string | undefined {
  const condition = query.get(key)
  if (condition === undefined) return undefined
  if (condition.match !== 'exact') throw badField('q', `${key} takes ${key}=value`)
  return String(condition.value)
}

/** A condition that is yes or no. @throws ApiError BAD_REQUEST for anything else */
export function flagCondition(query: Query, key: string): boolean | undefined {
  const text = exactCondition(query, key)
  if (text === undefined) return undefined
  if (text === 'true' || text === '1') return true
  if (text === 'false' || text === '0') return false
  throw badField('q', `${key} is true or false`)
}

/** A condition that is an id. @throws ApiError BAD_REQUEST for anything else */
export function idCondition(query: Query, key: string): number | undefined {
  const text = exactCondition(query, key)
  if (text === undefined) return undefined
  if (!/^\d{1,15}$/.test(text)) throw badField('q', `${key} is a whole number`)
  return Number(text)
}

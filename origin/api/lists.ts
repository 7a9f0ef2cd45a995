import { z } from '@hono/zod-openapi'
import type { Listing } from '../../schema/listing.ts'
import { type Conditions, KINDS, type Kind, readConditions } from './conditions.ts'
import { QUERY_LIMIT } from './limits.ts'
import { type PageQuery, pageQuery } from './paging.ts'
import { parseSort } from './sort.ts'

/** A parameter that is yes or no, in whatever words clients write that: `true`, `True`, `1`. */
export const flag = z.stringbool().optional().openapi({ type: 'boolean' })

type Keys = Readonly<Record<string, Kind>>

/** A list that can be searched by `q=` and sorted by `sort=`: what is stated here is what it takes, what it says of itself and what is tried. */
export interface SearchableList<K extends Keys = Keys> {
  /** The keys of `q=`, and what each takes. */
  readonly keys: K
  /** The keys of `sort=`. */
  readonly sortable: readonly string[]
  /** Its parameters. */
  readonly query: typeof pageQuery & { readonly q: z.ZodOptional<z.ZodString>; readonly sort: z.ZodOptional<z.ZodString> }
  /** @throws ApiError BAD_REQUEST for a key that it has not, or a condition of another kind than its key takes */
  conditions(given: { readonly q?: string | undefined }): Conditions<K>
  /** The page and the order that are asked of the database. @throws ApiError BAD_REQUEST for a key of either that it has not */
  listing(given: PageQuery & { readonly q?: string | undefined; readonly sort?: string | undefined }): Listing
}

export function searchable<const K extends Keys>({ keys, sort }: { readonly keys: K; readonly sort: readonly string[] }): SearchableList<K> {
  const said = Object.entries(keys).map(([key, kind]) => KINDS[kind].says(key))
  return {
    keys,
    sortable: sort,
    query: {
      ...pageQuery,
      q: parameter(said.length === 0 ? 'There is nothing to search by here.' : `Conditions, joined by commas: ${said.join('; ')}.`),
      sort: parameter(`By ${sort.join(', ')}; with a minus before it the greatest comes first; several are joined by commas.`),
    },
    conditions: ({ q }) => readConditions(q, keys),
    listing: ({ page, page_size, q, sort: by }) => {
      // A list without keys never asks for its conditions, and passes over none either.
      readConditions(q, keys)
      return { page, pageSize: page_size, sort: parseSort(by, sort) }
    },
  }
}

const parameter = (description: string) => z.string().max(QUERY_LIMIT).optional().openapi({ param: { description } })

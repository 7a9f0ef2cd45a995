import { z } from '@hono/zod-openapi'
import type { Listing } from '../../schema/listing.ts'
import { COLUMNS, type Column, type Conditions, readSpecial, SPECIAL, type Special } from './conditions.ts'
import { QUERY_LIMIT } from './limits.ts'
import { type PageQuery, pageQuery } from './paging.ts'
import { parseQuery, type Query } from './query.ts'
import { parseSort } from './sort.ts'

/** A parameter that is yes or no, in whatever words clients write that: `true`, `True`, `1`. */
export const flag = z.stringbool().optional().openapi({ type: 'boolean' })

type Columns = Readonly<Record<string, Column>>
type Specials = Readonly<Record<string, Special>>

export interface ListOptions<S extends Specials> {
  /** The keys of `q=` that are asked of the database as they are, and what each is. They can be sorted by, too. */
  readonly columns?: Columns
  /** Those that the list does something of its own with. */
  readonly special?: S
  /** The keys of `sort=` besides. */
  readonly sort?: readonly string[]
}

interface Searched {
  readonly q?: string | undefined
  readonly sort?: string | undefined
}

/** A list that can be searched by `q=` and sorted by `sort=`: what is stated here is what it takes, what it says of itself and what is tried. */
export interface SearchableList<S extends Specials = Specials> {
  /** The keys of `q=`, with conditions of every form that each takes. */
  readonly examples: Readonly<Record<string, readonly string[]>>
  /** The keys of `sort=`. */
  readonly sortable: readonly string[]
  /** Its parameters. */
  readonly query: typeof pageQuery & { readonly q: z.ZodOptional<z.ZodString>; readonly sort: z.ZodOptional<z.ZodString> }
  /** What the list does itself. @throws ApiError BAD_REQUEST for a condition of another kind than its key takes */
  conditions(given: Pick<Searched, 'q'>): Conditions<S>
  /** The page, the order and the conditions that are asked of the database. @throws ApiError BAD_REQUEST as above */
  listing(given: PageQuery & Searched): Listing
  /** The keys of both that it has not, and passes over as Harbor does. */
  unknown(given: Searched): readonly string[]
}

export function searchable<const S extends Specials = Record<never, never>>({
  columns = {},
  special = {} as S,
  sort = [],
}: ListOptions<S>): SearchableList<S> {
  const sortable = [...new Set([...Object.keys(columns), ...sort])]
  const keys = [...Object.keys(columns), ...Object.keys(special)]
  const said = [
    ...Object.entries(columns).map(([key, kind]) => COLUMNS[kind].says(key)),
    ...Object.entries(special).map(([key, kind]) => SPECIAL[kind].says(key)),
  ]
  const read = (q: string | undefined): Query => parseQuery(q, keys).known
  return {
    examples: Object.fromEntries([
      ...Object.entries(columns).map(([key, kind]) => [key, COLUMNS[kind].examples(key)] as const),
      ...Object.entries(special).map(([key, kind]) => [key, SPECIAL[kind].examples(key)] as const),
    ]),
    sortable,
    query: {
      ...pageQuery,
      q: parameter(said.length === 0 ? 'There is nothing to search by here.' : `Conditions, joined by commas: ${said.join('; ')}.`),
      sort: parameter(`By ${sortable.join(', ')}; with a minus before it the greatest comes first; several are joined by commas.`),
    },
    conditions: ({ q }) => readSpecial(read(q), special),
    listing: ({ page, page_size, q, sort: by }) => {
      const query = read(q)
      const where = Object.entries(columns).flatMap(([field, kind]) => {
        const condition = query.get(field)
        return condition === undefined ? [] : [{ field, match: COLUMNS[kind].read(condition, field) }]
      })
      return { page, pageSize: page_size, sort: parseSort(by, sortable).known, where }
    },
    unknown: ({ q, sort: by }) => [...parseQuery(q, keys).unknown, ...parseSort(by, sortable).unknown],
  }
}

const parameter = (description: string) => z.string().max(QUERY_LIMIT).optional().openapi({ param: { description } })

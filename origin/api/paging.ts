import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { EVERYTHING, KEY_SHOWN, PAGE_LIMIT, PAGE_SIZE, PAGE_SIZE_LIMIT } from './limits.ts'
import type { SearchableList } from './lists.ts'

/** The parameters of every list: pages are counted from 1. A `page_size` of 0 is everything at once, which Harbor's clients ask for to find one by name. */
export const pageQuery = {
  page: z.coerce
    .number()
    .int()
    .min(0)
    .max(PAGE_LIMIT)
    .default(1)
    .transform((page) => Math.max(1, page)),
  page_size: z.coerce
    .number()
    .int()
    .min(0)
    .max(PAGE_SIZE_LIMIT)
    .default(PAGE_SIZE)
    .transform((size) => (size === 0 ? EVERYTHING : size)),
}

export interface PageQuery {
  readonly page: number
  readonly page_size: number
}

/** The part of a list that a page asks for. */
export function windowOf({ page, page_size }: PageQuery): { readonly limit: number; readonly offset: number } {
  return { limit: page_size, offset: (page - 1) * page_size }
}

/** The page of a list that is all here. */
export function pageOf<T>(items: readonly T[], query: PageQuery): T[] {
  const { limit, offset } = windowOf(query)
  return items.slice(offset, offset + limit)
}

interface Asked extends PageQuery {
  readonly q?: string | undefined
  readonly sort?: string | undefined
}

/**
 * `X-Total-Count`, and `Link` (RFC 8288) with `prev` and `next` where there is one, which keep the request's other parameters.
 * What `list` has no key for was passed over; a `Warning` (RFC 7234) says so.
 */
export function describePage(c: Context, asked: Asked, total: number, list?: Pick<SearchableList, 'unknown'>): void {
  const { page, page_size } = asked
  const unknown = list?.unknown(asked) ?? []
  if (unknown.length > 0) c.header('Warning', `299 - "passed over, there is no such key here: ${unknown.map(plain).join(', ')}"`)
  c.header('X-Total-Count', String(total))
  const links: string[] = []
  if (page > 1) links.push(link(c, page - 1, page_size, 'prev'))
  if (page * page_size < total) links.push(link(c, page + 1, page_size, 'next'))
  if (links.length > 0) c.header('Link', links.join(', '))
}

function link(c: Context, page: number, size: number, rel: 'prev' | 'next'): string {
  const url = new URL(c.req.url)
  url.searchParams.set('page', String(page))
  url.searchParams.set('page_size', String(size))
  return `<${url.pathname}${url.search}>; rel="${rel}"`
}

/** As much of a key as a header may hold. */
const plain = (key: string) => key.replaceAll(/[^\w.-]/g, '?').slice(0, KEY_SHOWN)

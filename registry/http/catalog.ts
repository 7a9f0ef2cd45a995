import { type Exchange, type HeaderValues, jsonAnswer } from './exchange.ts'
import { nextLink } from './headers.ts'
import { pageOf } from './pages.ts'

/** Docker's `_catalog`: the repositories that the caller may pull from. */
export async function listRepositories({ request, registry, query }: Exchange): Promise<Response> {
  const page = pageOf(query, 'NAME_INVALID')
  const slice = await registry.repositories(page)
  const headers: HeaderValues = {}
  const last = slice.items.at(-1)
  if (slice.more && last !== undefined) headers.Link = nextLink('/v2/_catalog', { n: String(page.limit), last })
  return jsonAnswer(request, { repositories: slice.items }, headers)
}

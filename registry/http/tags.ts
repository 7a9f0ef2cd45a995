import { RegistryError } from '../spec/errors.ts'
import { parseRepositoryName } from '../spec/names.ts'
import { type Exchange, type HeaderValues, jsonAnswer } from './exchange.ts'
import { nextLink } from './headers.ts'
import { pageOf } from './pages.ts'

/** distribution-spec, "Listing Tags". */
export async function listTags({ request, registry, query }: Exchange, name: string): Promise<Response> {
  const repository = parseRepositoryName(name)
  const page = pageOf(query, 'TAG_INVALID')
  const slice = await registry.repository(repository).tags.list(page)
  if (!slice) throw new RegistryError('NAME_UNKNOWN', 'There is no such repository.', { name: repository })
  const headers: HeaderValues = {}
  const last = slice.items.at(-1)
  if (slice.more && last !== undefined) headers.Link = nextLink(`/v2/${repository}/tags/list`, { n: String(page.limit), last })
  return jsonAnswer(request, { name: repository, tags: slice.items }, headers)
}

import type { Descriptor } from '../spec/descriptors.ts'
import { parseDigest } from '../spec/digests.ts'
import { MANIFEST_LIMIT } from '../spec/manifests.ts'
import { OCI_INDEX } from '../spec/media-types.ts'
import { parseRepositoryName } from '../spec/names.ts'
import type { Slice } from '../spec/pages.ts'
import { type Exchange, type HeaderValues, jsonAnswer } from './exchange.ts'
import { nextLink } from './headers.ts'
import { pageOf } from './pages.ts'

/** distribution-spec, "Listing Referrers": an index, empty when there is none. */
export async function listReferrers({ request, registry, query }: Exchange, name: string, key: string): Promise<Response> {
  const repository = parseRepositoryName(name)
  const subject = parseDigest(key)
  const wanted = query.one('artifactType', 'UNSUPPORTED')
  const artifactType = wanted === '' ? undefined : wanted
  const page = pageOf(query, 'DIGEST_INVALID')
  const list = await registry.repository(repository).referrers.list(subject, { page, ...(artifactType !== undefined && { artifactType }) })
  const slice = withinLimit(list)
  const headers: HeaderValues = { 'Content-Type': OCI_INDEX }
  if (artifactType !== undefined) headers['OCI-Filters-Applied'] = 'artifactType'
  const last = slice.items.at(-1)
  if (slice.more && last) {
    const parameters = { n: String(page.limit), last: last.digest, ...(artifactType !== undefined && { artifactType }) }
    headers.Link = nextLink(`/v2/${repository}/referrers/${subject}`, parameters)
  }
  return jsonAnswer(request, { schemaVersion: 2, mediaType: OCI_INDEX, manifests: slice.items }, headers)
}

/** Annotations may be long, and a client reads no index above the limit of a manifest. One entry there always is, or paging would stand still. */
function withinLimit(slice: Slice<Descriptor>): Slice<Descriptor> {
  let size = 0
  for (const [index, item] of slice.items.entries()) {
    size += JSON.stringify(item).length
    if (size > MANIFEST_LIMIT / 2 && index > 0) return { items: slice.items.slice(0, index), more: true }
  }
  return slice
}

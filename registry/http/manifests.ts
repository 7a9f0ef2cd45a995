import type { Manifest, TagVersions } from '../registry.ts'
import { RegistryError } from '../spec/errors.ts'
import { parseReference, parseRepositoryName, parseTag, type Reference, type RepositoryName, referenceText, type Tag } from '../spec/names.ts'
import { NONE, readVersion, standingHeader, VERSION_HEADER, versionHeaders } from '../versions/headers.ts'
import { manifestBody } from './bodies.ts'
import { answer, type Exchange, type HeaderValues, isHead, wholeAnswer } from './exchange.ts'
import { addWarnings, entityTag, manifestLocation, matches } from './headers.ts'

/** distribution-spec asks for ten at least. */
const TAGS_AT_ONCE = 100

/** distribution-spec, "Pulling manifests". What is stored is served: `Accept` changes nothing, as with the registries that clients know. */
export async function readManifest(exchange: Exchange, name: string, key: string): Promise<Response> {
  const { request, registry } = exchange
  const repository = parseRepositoryName(name)
  const reference = parseReference(key)
  const { manifests, versions } = registry.repository(repository)
  const head = isHead(request)
  if (head && reference.tag !== undefined && versions !== undefined) return await headOfTag(exchange, repository, reference.tag, versions)
  const found = head ? await manifests.stat(reference) : await manifests.get(reference)
  if (!found) throw unknown(repository, reference)
  const { digest, mediaType, size } = found.descriptor
  const headers: HeaderValues = { 'Docker-Content-Digest': digest, ETag: entityTag(digest) }
  addWarnings(headers, found.warnings)
  if (matches(request.headers.get('If-None-Match'), digest)) return wholeAnswer(exchange, 304, null, headers)
  headers['Content-Type'] = mediaType
  headers['Content-Length'] = String(size)
  return wholeAnswer(exchange, 200, head ? null : (found as Manifest).bytes, headers)
}

/** The same for another site, which also wants to know since when and where the tag is what it is, or that it was deleted. */
async function headOfTag(exchange: Exchange, repository: RepositoryName, tag: Tag, versions: TagVersions): Promise<Response> {
  const state = await versions.state(tag)
  const known = state ? versionHeaders(state.version) : { [VERSION_HEADER]: NONE }
  const { digest } = state || {}
  const found = digest && (await exchange.registry.repository(repository).manifests.stat({ digest }))
  if (!found) throw unknown(repository, { tag }, known)
  const { mediaType, size } = found.descriptor
  const headers = { ...known, 'Docker-Content-Digest': digest, 'Content-Type': mediaType, 'Content-Length': String(size) }
  return wholeAnswer(exchange, 200, null, headers)
}

/** distribution-spec, "Pushing Manifests". */
export async function putManifest({ request, registry, query }: Exchange, name: string, key: string): Promise<Response> {
  const repository = parseRepositoryName(name)
  const reference = parseReference(key)
  const { versions } = registry.repository(repository)
  const version = versions && readVersion(request.headers)
  if (reference.tag !== undefined && versions !== undefined && version !== undefined) {
    const manifest = { bytes: await manifestBody(request), mediaType: request.headers.get('Content-Type') ?? '' }
    return answer(201, null, { ...standingHeader(await versions.put(manifest, reference.tag, version)), 'Content-Length': '0' })
  }
  const tags = tagsOf(reference, query.all('tag'))
  const { descriptor, subject } = await registry.repository(repository).manifests.put({
    bytes: await manifestBody(request),
    mediaType: request.headers.get('Content-Type') ?? '',
    ...(reference.digest && { digest: reference.digest }),
    tags,
  })
  const headers: HeaderValues = {
    Location: manifestLocation(repository, descriptor.digest),
    'Docker-Content-Digest': descriptor.digest,
    'Content-Length': '0',
  }
  if (subject) headers['OCI-Subject'] = subject
  if (reference.digest && tags.length > 0) headers['OCI-Tag'] = tags.join(', ')
  return answer(201, null, headers)
}

/** distribution-spec, "Deleting tags" and "Deleting Manifests". */
export async function deleteManifest({ request, registry }: Exchange, name: string, key: string): Promise<Response> {
  const repository = parseRepositoryName(name)
  const reference = parseReference(key)
  const { manifests, tags, versions } = registry.repository(repository)
  const version = versions && readVersion(request.headers)
  if (reference.tag !== undefined && versions !== undefined && version !== undefined) {
    return answer(202, null, { ...standingHeader(await versions.delete(reference.tag, version)), 'Content-Length': '0' })
  }
  const deleted = reference.digest ? await manifests.delete(reference.digest) : await tags.delete(reference.tag)
  if (!deleted) throw unknown(repository, reference)
  return answer(202, null, { 'Content-Length': '0' })
}

function tagsOf(reference: Reference, parameters: readonly string[]): readonly Tag[] {
  if (parameters.length > TAGS_AT_ONCE)
    throw new RegistryError('TAG_INVALID', `A manifest gets at most ${TAGS_AT_ONCE} tags at once.`, undefined, { status: 414 })
  const tags = new Set(parameters.map(parseTag))
  if (reference.digest === undefined) tags.add(reference.tag)
  return [...tags]
}

function unknown(name: RepositoryName, reference: Reference, headers: Record<string, string> = {}): RegistryError {
  const detail = { name, reference: referenceText(reference) }
  return new RegistryError('MANIFEST_UNKNOWN', 'This repository has no such manifest.', detail, { headers })
}

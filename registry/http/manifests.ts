import type { Manifest } from '../registry.ts'
import { RegistryError } from '../spec/errors.ts'
import { parseReference, parseRepositoryName, parseTag, type Reference, type RepositoryName, referenceText, type Tag } from '../spec/names.ts'
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
  const { manifests } = registry.repository(repository)
  const head = isHead(request)
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

/** distribution-spec, "Pushing Manifests". */
export async function putManifest({ request, registry, query }: Exchange, name: string, key: string): Promise<Response> {
  const repository = parseRepositoryName(name)
  const reference = parseReference(key)
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
export async function deleteManifest({ registry }: Exchange, name: string, key: string): Promise<Response> {
  const repository = parseRepositoryName(name)
  const reference = parseReference(key)
  const { manifests, tags } = registry.repository(repository)
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

function unknown(name: RepositoryName, reference: Reference): RegistryError {
  return new RegistryError('MANIFEST_UNKNOWN', 'This repository has no such manifest.', { name, reference: referenceText(reference) })
}

import type { BlobBody, Blobs } from '../registry.ts'
import { type Digest, parseDigest } from '../spec/digests.ts'
import { RegistryError } from '../spec/errors.ts'
import { OCTETS } from '../spec/media-types.ts'
import { parseRepositoryName, type RepositoryName } from '../spec/names.ts'
import { contentRange, namedRange, parseRange } from '../spec/ranges.ts'
import { answer, type Exchange, type HeaderValues, isHead, wholeAnswer } from './exchange.ts'
import { addWarnings, entityTag, matches } from './headers.ts'

/** distribution-spec, "Pulling blobs", with ranges (RFC 9110, 14). */
export async function readBlob(exchange: Exchange, name: string, key: string): Promise<Response> {
  const { request, registry } = exchange
  const repository = parseRepositoryName(name)
  const digest = parseDigest(key)
  const { blobs } = registry.repository(repository)
  const headers: HeaderValues = { 'Docker-Content-Digest': digest, ETag: entityTag(digest), 'Accept-Ranges': 'bytes' }
  const held = matches(request.headers.get('If-None-Match'), digest)
  if (isHead(request) || held) {
    const found = await blobs.stat(digest)
    if (!found) throw unknown(repository, digest)
    if (held) return wholeAnswer(exchange, 304, null, headers)
    headers['Content-Type'] = OCTETS
    headers['Content-Length'] = String(found.size)
    return wholeAnswer(exchange, 200, null, headers)
  }
  const body = await openWanted(request, blobs, digest)
  if (!body) throw unknown(repository, digest)
  if (body.location) return answer(307, null, { Location: body.location.href, 'Docker-Content-Digest': digest, 'Content-Length': '0' })
  addWarnings(headers, body.warnings)
  headers['Content-Type'] = OCTETS
  headers['Content-Length'] = String(body.range?.length ?? body.size)
  if (body.range) headers['Content-Range'] = contentRange(body.range, body.size)
  return answer(body.range ? 206 : 200, body.stream as ReadableStream<Uint8Array<ArrayBuffer>>, headers)
}

/** distribution-spec, "Deleting Blobs". */
export async function deleteBlob({ registry }: Exchange, name: string, key: string): Promise<Response> {
  const repository = parseRepositoryName(name)
  const digest = parseDigest(key)
  if (!(await registry.repository(repository).blobs.delete(digest))) throw unknown(repository, digest)
  return answer(202, null, { 'Docker-Content-Digest': digest, 'Content-Length': '0' })
}

async function openWanted(request: Request, blobs: Blobs, digest: Digest): Promise<BlobBody | undefined> {
  const header = request.headers.get('Range')
  // RFC 9110, 13.1.5: a part is only for who holds the rest of the same thing.
  const condition = request.headers.get('If-Range')
  if (header === null || (condition !== null && condition !== entityTag(digest))) return await blobs.open(digest)
  const named = namedRange(header)
  if (named !== undefined) {
    try {
      // It lies inside nearly always. To ask for the size first would be a round trip more where the blob is far away.
      return await blobs.open(digest, named)
    } catch (error) {
      if (!(error instanceof RegistryError) || error.code !== 'RANGE_INVALID') throw error
    }
  }
  const found = await blobs.stat(digest)
  return found && (await blobs.open(digest, parseRange(header, found.size)))
}

function unknown(name: RepositoryName, digest: Digest): RegistryError {
  return new RegistryError('BLOB_UNKNOWN', 'This repository has no such blob.', { name, digest })
}

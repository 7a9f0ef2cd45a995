import { assembled } from '../delta/streams.ts'
import { DELTA_TYPE, decodeDelta } from '../delta/wire.ts'
import { emptyStream } from '../empty-stream.ts'
import type { Repository, Upload } from '../registry.ts'
import { algorithmOf, type Digest, type DigestAlgorithm, parseDigest } from '../spec/digests.ts'
import { RegistryError } from '../spec/errors.ts'
import { essence } from '../spec/media-types.ts'
import { parseRepositoryName, type RepositoryName } from '../spec/names.ts'
import { type ByteRange, parseChunkRange } from '../spec/ranges.ts'
import { contentLength } from './bodies.ts'
import { supportOf } from './chunks.ts'
import { answer, type Exchange, type HeaderValues, type Query } from './exchange.ts'
import { blobLocation, uploadLocation } from './headers.ts'

/** How many repositories are tried for a mount without a source. */
const MOUNT_SOURCES = 4

const UPLOAD_ID = /^[a-z0-9-]{1,128}$/

/** POST (distribution-spec, "Pushing blobs"): begins an upload, or ends it at once with the blob in its body or by mounting. */
export async function startUpload({ request, registry, query }: Exchange, name: string): Promise<Response> {
  const repository = registry.repository(parseRepositoryName(name))
  const digest = digestParameter(query, 'digest')
  if (digest) return uploadAtOnce(request, repository, digest)
  const mount = digestParameter(query, 'mount')
  if (mount && (await mounted(repository, mount, query))) return created(repository.name, mount)
  const algorithm = algorithmParameter(query) ?? (mount && algorithmOf(mount))
  return progress(202, repository.name, await repository.uploads.begin(algorithm && { algorithm }))
}

/** PATCH: a chunk, or a stream of unknown length; or what makes one out of blobs that are here (decision 0052). */
export async function appendUpload(exchange: Exchange, name: string, key: string): Promise<Response> {
  const { request, registry } = exchange
  const repository = registry.repository(parseRepositoryName(name))
  const id = uploadId(key)
  const isDelta = essence(request.headers.get('Content-Type') ?? '') === DELTA_TYPE
  const upload = isDelta ? await appendDelta(exchange, repository, id) : await append(request, repository, id)
  return progress(202, repository.name, upload)
}

/** PUT: the end of an upload, with the last chunk or without. */
export async function finishUpload({ request, registry, query }: Exchange, name: string, key: string): Promise<Response> {
  const repository = registry.repository(parseRepositoryName(name))
  const id = uploadId(key)
  const digest = digestParameter(query, 'digest')
  if (!digest) throw new RegistryError('DIGEST_INVALID', 'The parameter digest says what the uploaded bytes hash to.')
  if (hasBody(request)) await append(request, repository, id)
  await repository.uploads.finish(id, digest)
  return created(repository.name, digest)
}

/** GET: how far an upload is. */
export async function uploadStatus({ registry }: Exchange, name: string, key: string): Promise<Response> {
  const repository = registry.repository(parseRepositoryName(name))
  const upload = await repository.uploads.stat(uploadId(key))
  if (!upload) throw unknown(key)
  return progress(204, repository.name, upload)
}

/** DELETE (distribution-spec, "Cancelling a blob upload"). */
export async function cancelUpload({ registry }: Exchange, name: string, key: string): Promise<Response> {
  const repository = registry.repository(parseRepositoryName(name))
  if (!(await repository.uploads.cancel(uploadId(key)))) throw unknown(key)
  return answer(204, null, {})
}

async function uploadAtOnce(request: Request, { name, uploads }: Repository, digest: Digest): Promise<Response> {
  const { id } = await uploads.begin({ algorithm: algorithmOf(digest) })
  try {
    if (hasBody(request)) await uploads.append(id, bodyOf(request))
    await uploads.finish(id, digest)
  } catch (error) {
    // Nobody knows this upload's id: what it has is of no use.
    await uploads.cancel(id)
    throw error
  }
  return created(name, digest)
}

async function mounted({ uploads }: Repository, digest: Digest, query: Query): Promise<boolean> {
  const from = query.one('from', 'NAME_INVALID')
  const sources = from === undefined || from === '' ? await uploads.mountable(digest, MOUNT_SOURCES) : [parseRepositoryName(from)]
  for (const source of sources) {
    if (await uploads.mount(digest, source)) return true
  }
  return false
}

async function append(request: Request, repository: Repository, id: string): Promise<Upload> {
  const range = parseChunkRange(request.headers.get('Content-Range'))
  const length = contentLength(request)
  if (range && length !== undefined && length !== range.length) {
    throw new RegistryError('SIZE_INVALID', `Content-Range has ${range.length} bytes and Content-Length ${length}.`)
  }
  return await appendStream(repository, id, bodyOf(request), range)
}

/** Content-Range is that of the bytes that the delta makes. */
async function appendDelta(exchange: Exchange, repository: Repository, id: string): Promise<Upload> {
  const { request } = exchange
  const range = parseChunkRange(request.headers.get('Content-Range'))
  if (!range) throw new RegistryError('BLOB_UPLOAD_INVALID', 'A delta comes with a Content-Range: that of the bytes it makes.')
  const delta = await decodeDelta(supportOf(exchange).compression.decompress(bodyOf(request)))
  return await appendStream(repository, id, assembled({ ...delta, blobs: repository.blobs }), range)
}

async function appendStream({ name, uploads }: Repository, id: string, stream: ReadableStream<Uint8Array>, range?: ByteRange): Promise<Upload> {
  try {
    return await uploads.append(id, stream, range)
  } catch (error) {
    if (!(error instanceof RegistryError) || error.code !== 'RANGE_INVALID') throw error
    // distribution-spec, "Pushing a blob in chunks": the client learns where to go on.
    const upload = await uploads.stat(id)
    if (!upload) throw error
    throw new RegistryError(error.code, error.message, error.detail, { status: error.status, headers: progressHeaders(name, upload), cause: error })
  }
}

function bodyOf(request: Request): ReadableStream<Uint8Array> {
  return request.body ?? emptyStream()
}

function hasBody(request: Request): boolean {
  const length = contentLength(request)
  return length === undefined ? request.body !== null : length > 0
}

function created(name: RepositoryName, digest: Digest): Response {
  return answer(201, null, { Location: blobLocation(name, digest), 'Docker-Content-Digest': digest, 'Content-Length': '0' })
}

function progress(status: 202 | 204, name: RepositoryName, upload: Upload): Response {
  const headers = progressHeaders(name, upload)
  if (status !== 204) headers['Content-Length'] = '0'
  return answer(status, null, headers)
}

function progressHeaders(name: RepositoryName, { id, size }: Upload): HeaderValues {
  // The end is inclusive, so an empty upload has no honest form; every client reads 0-0 as "begin".
  return { Location: uploadLocation(name, id), Range: `0-${Math.max(0, size - 1)}`, 'Docker-Upload-UUID': id }
}

function digestParameter(query: Query, parameter: string): Digest | undefined {
  const text = query.one(parameter, 'DIGEST_INVALID')
  return text === undefined || text === '' ? undefined : parseDigest(text)
}

function algorithmParameter(query: Query): DigestAlgorithm | undefined {
  const text = query.one('digest-algorithm', 'DIGEST_INVALID')
  if (text === undefined || text === 'sha256' || text === 'sha512') return text
  throw new RegistryError('DIGEST_INVALID', 'digest-algorithm is sha256 or sha512.', { 'digest-algorithm': text.slice(0, 100) })
}

function uploadId(text: string): string {
  if (!UPLOAD_ID.test(text)) throw unknown(text)
  return text
}

function unknown(id: string): RegistryError {
  return new RegistryError('BLOB_UPLOAD_UNKNOWN', 'There is no such upload, or it has ended. Start a new one.', { upload: id.slice(0, 128) })
}

import type { Repository } from '../registry.ts'
import type { Descriptor } from '../spec/descriptors.ts'
import type { Digest } from '../spec/digests.ts'
import { RegistryError } from '../spec/errors.ts'
import type { ByteRange } from '../spec/ranges.ts'
import type { CopyOptions } from './options.ts'

/** A part of a blob at the source. @throws RegistryError MANIFEST_BLOB_UNKNOWN, UPSTREAM_INVALID, UNSUPPORTED, and what the source throws */
export async function openAt(
  source: Repository,
  blob: Descriptor,
  range: ByteRange,
  options: CopyOptions,
  signal: AbortSignal,
): Promise<ReadableStream<Uint8Array>> {
  const { digest, size } = blob
  const whole = range.offset === 0 && range.length === size
  const body = await source.blobs.open(digest, whole ? undefined : range)
  if (!body) throw new RegistryError('MANIFEST_BLOB_UNKNOWN', `The source has no blob ${digest}, though a manifest refers to it.`, { digest })
  if (body.size !== size) {
    await body.stream?.cancel()
    throw new RegistryError('UPSTREAM_INVALID', `The source has ${body.size} bytes of ${digest} where its manifest says ${size}.`, { digest })
  }
  if (body.stream) return body.stream
  if (!options.fetch) throw new RegistryError('UNSUPPORTED', `The source hands out addresses of blobs, and there is no means to fetch them.`)
  const answer = await options.fetch(body.location, { headers: { Range: `bytes=${range.offset}-${range.offset + range.length - 1}` }, signal })
  if (answer.body === null || !(answer.status === 206 || (answer.status === 200 && whole))) {
    await answer.body?.cancel()
    throw new RegistryError('UNAVAILABLE', `${body.location.host} answers HTTP ${answer.status} for ${digest}.`)
  }
  return answer.body
}

export function mismatch(wanted: Digest, actual: Digest): RegistryError {
  return new RegistryError('UPSTREAM_INVALID', `The source sends a blob that hashes to ${actual} where ${wanted} is meant.`)
}

/** Whether a destination says that what it has hashes to something else. */
export function isOtherBytes(error: unknown): error is RegistryError {
  return error instanceof RegistryError && error.code === 'DIGEST_INVALID'
}

/** Every byte was right when it was sent. */
export function lost(digest: Digest, cause: RegistryError): RegistryError {
  const message = `All of ${digest} was sent, and the destination has something else: it lost or changed bytes on the way to its store. ${cause.message}`
  return new RegistryError('BLOB_UPLOAD_INVALID', message, cause.detail, { cause })
}

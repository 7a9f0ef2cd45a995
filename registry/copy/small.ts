import type { Repository, Upload } from '../registry.ts'
import type { Descriptor } from '../spec/descriptors.ts'
import { algorithmOf } from '../spec/digests.ts'
import type { TellOfBlob } from './blob.ts'
import type { CopyRun } from './run.ts'
import { isOtherBytes, lost, mismatch, openAt } from './source.ts'

/**
 * Sends a small blob, checked, in one request (distribution-spec, "Single POST"). Resolves with the upload that the destination opened instead, which
 * has nothing yet. @throws RegistryError UPSTREAM_INVALID when the source sends something else, BLOB_UPLOAD_INVALID when the destination makes
 * something else of it, and whatever source and destination throw
 */
export async function sendWhole(
  source: Repository,
  destination: Repository,
  blob: Descriptor,
  run: CopyRun,
  tell: TellOfBlob,
): Promise<'done' | 'not taken' | Upload> {
  const { uploads } = destination
  if (uploads.atOnce === undefined) return 'not taken'
  tell('begin', 0)
  const bytes = await readWhole(source, blob, run)
  await run.pace?.take(bytes.byteLength, run.signal)
  const begun = await uploads.atOnce(blob.digest, bytes).catch((error) => {
    throw isOtherBytes(error) ? lost(blob.digest, error) : error
  })
  if (begun !== undefined) return begun
  run.moved(bytes.byteLength)
  return 'done'
}

async function readWhole(source: Repository, blob: Descriptor, run: CopyRun): Promise<Uint8Array> {
  const { size, digest } = blob
  const { options, signal } = run
  const hasher = options.createHasher(algorithmOf(digest))
  const bytes = new Uint8Array(size)
  let at = 0
  if (size > 0) {
    for await (const chunk of await openAt(source, blob, { offset: 0, length: size }, options, signal)) {
      signal.throwIfAborted()
      hasher.update(chunk)
      bytes.set(chunk.subarray(0, size - at), at)
      at += chunk.byteLength
    }
  }
  const actual = hasher.digest()
  if (at !== size || actual !== digest) throw mismatch(digest, actual)
  return bytes
}

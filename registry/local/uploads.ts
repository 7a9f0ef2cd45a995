import type { Draft, DraftWriter, Hasher } from '../blob-store.ts'
import { inTime } from '../clock.ts'
import { giveBack } from '../lent.ts'
import type { Actor, UploadRecord } from '../metadata-store.ts'
import type { Upload, Uploads } from '../registry.ts'
import type { Descriptor } from '../spec/descriptors.ts'
import { algorithmOf, type Digest, type DigestAlgorithm } from '../spec/digests.ts'
import { RegistryError } from '../spec/errors.ts'
import { OCTETS } from '../spec/media-types.ts'
import type { RepositoryName } from '../spec/names.ts'
import type { ByteRange } from '../spec/ranges.ts'
import type { LocalParts } from './parts.ts'

/** Milliseconds that a question how far an upload is waits for a request that writes to it to end. */
export const STATUS_WAIT_MS = 1_000

/**
 * Upload sessions over drafts. A session is a record in the metadata (who may write to it: this repository) and a draft (its bytes).
 *
 * The draft is made before the record and the record goes before the draft, so a record without a draft means one thing: the
 * draft was committed and the process ended before it could say so. Whoever asks again gets the blob if it was linked
 * already, and BLOB_UPLOAD_UNKNOWN otherwise: the client was never told 201, and has the bytes still. To link it then would hand
 * out a blob to somebody who only proves to know its digest.
 */
export class LocalUploads implements Uploads {
  readonly #parts: LocalParts
  readonly #name: RepositoryName
  readonly #actor: Actor

  constructor(parts: LocalParts, name: RepositoryName, actor: Actor) {
    this.#parts = parts
    this.#name = name
    this.#actor = actor
  }

  async begin(options: { readonly algorithm?: DigestAlgorithm } = {}): Promise<Upload> {
    const { blobs, metadata, newId, onStep } = this.#parts
    const record: UploadRecord = { id: newId(), algorithm: options.algorithm ?? 'sha256' }
    const draft = blobs.draft(record.id)
    await (await draft.writer({ offset: 0 })).close()
    onStep?.('draft made')
    try {
      await metadata.createUpload(this.#name, record, this.#actor)
    } catch (error) {
      await draft.discard()
      throw error
    }
    onStep?.('session recorded')
    return { id: record.id, size: 0 }
  }

  /**
   * Who asks has mostly lost the connection that it wrote by, which we may see later than it does: as long as its request goes on, what we
   * have grows, and whoever went on from here would be refused or send bytes twice.
   */
  async stat(id: string): Promise<Upload | undefined> {
    if ((await this.#parts.metadata.findUpload(this.#name, id)) === undefined) return undefined
    await this.#quiet(id)
    const size = await this.#parts.blobs.draft(id).size()
    return size === undefined ? undefined : { id, size }
  }

  async append(id: string, stream: ReadableStream<Uint8Array>, range?: ByteRange): Promise<Upload> {
    try {
      return await this.#alone(id, async () => {
        const { record, draft, size } = await this.#session(id)
        if (range && range.offset !== size) throw outOfOrder(range.offset, size)
        return { id, size: await this.#write(record, draft, size, stream, range?.length) }
      })
    } finally {
      // What was refused before it was read must not keep the sender waiting. A stream that was read or broke ignores this.
      if (!stream.locked) await stream.cancel().catch(ignore)
    }
  }

  finish(id: string, digest: Digest): Promise<Descriptor> {
    return this.#alone(id, async () => {
      const { blobs, metadata, onStep } = this.#parts
      const record = await metadata.findUpload(this.#name, id)
      if (!record) throw unknownUpload(id)
      const draft = blobs.draft(id)
      const size = await draft.size()
      if (size === undefined) return this.#finished(id, digest)

      const actual = await this.#hash(id, draft, size, algorithmOf(digest))
      if (actual !== digest) {
        // These bytes can never become what the client means; what it sends next goes to a new session.
        await metadata.deleteUpload(this.#name, id)
        await draft.discard()
        throw new RegistryError('DIGEST_INVALID', 'The uploaded bytes do not have this digest. Upload the blob again.', {
          expected: digest,
          actual,
          size,
        })
      }
      const reservation = await metadata.reserveBlob(digest)
      onStep?.('blob reserved')
      await draft.commit(digest)
      onStep?.('draft committed')
      await metadata.linkBlob(this.#name, { digest, size }, reservation, this.#actor)
      onStep?.('blob linked')
      await metadata.deleteUpload(this.#name, id)
      onStep?.('session ended')
      return { mediaType: OCTETS, digest, size }
    })
  }

  cancel(id: string): Promise<boolean> {
    return this.#alone(id, async () => {
      this.#parts.hashes.take(id)
      const known = await this.#parts.metadata.deleteUpload(this.#name, id)
      if (known) await this.#parts.blobs.draft(id).discard()
      return known
    })
  }

  async mount(digest: Digest, from: RepositoryName): Promise<Descriptor | undefined> {
    const blob = await this.#parts.metadata.mountBlob(this.#name, digest, from, this.#actor)
    return blob && { mediaType: OCTETS, digest, size: blob.size }
  }

  mountable(digest: Digest, limit: number): Promise<readonly RepositoryName[]> {
    return this.#parts.metadata.repositoriesWithBlob(digest, limit)
  }

  async #session(id: string): Promise<{ record: UploadRecord; draft: Draft; size: number }> {
    const record = await this.#parts.metadata.findUpload(this.#name, id)
    if (!record) throw unknownUpload(id)
    const draft = this.#parts.blobs.draft(id)
    const size = await draft.size()
    if (size === undefined) throw unknownUpload(id)
    return { record, draft, size }
  }

  /** A record whose draft was committed before the process ended. */
  async #finished(id: string, digest: Digest): Promise<Descriptor> {
    const { metadata } = this.#parts
    await metadata.deleteUpload(this.#name, id)
    const blob = await metadata.statBlob(this.#name, digest)
    if (!blob) throw unknownUpload(id)
    return { mediaType: OCTETS, digest, size: blob.size }
  }

  /** Adds what the stream gives and answers with the new size. However it ends, what arrived is kept and the hash fits the draft or is gone. */
  async #write(record: UploadRecord, draft: Draft, offset: number, stream: ReadableStream<Uint8Array>, length: number | undefined): Promise<number> {
    const { hashes, createHasher } = this.#parts
    const kept = hashes.take(record.id)
    // Without a hash of what is there already, finish() reads the draft once; hashing it here would read it again at every chunk.
    const hasher: Hasher | undefined = kept?.size === offset ? kept.hasher : offset === 0 ? createHasher(record.algorithm) : undefined
    const algorithm = kept?.size === offset ? kept.algorithm : record.algorithm
    const writer = await draft.writer({ offset, ...(length !== undefined && { expected: offset + length }) })
    const outcome = await pump(stream, writer, hasher, length)
    if (outcome.failed) {
      await writer.abort()
      throw outcome.failed.error
    }
    const size = await writer.close()
    this.#parts.onStep?.('bytes written')
    if (hasher && size === offset + outcome.taken) hashes.keep(record.id, { algorithm, hasher, size })
    if (outcome.broken) {
      throw new RegistryError(
        'BLOB_UPLOAD_INVALID',
        `The body broke off; the upload has ${size} bytes now. Ask for its status and go on from there.`,
        undefined,
        {
          cause: outcome.broken.error,
        },
      )
    }
    if (outcome.excess || (length !== undefined && outcome.taken !== length)) {
      throw new RegistryError('SIZE_INVALID', `Content-Range promises ${length} bytes and the body has ${outcome.excess ? 'more' : outcome.taken}.`)
    }
    return size
  }

  async #hash(id: string, draft: Draft, size: number, algorithm: DigestAlgorithm): Promise<Digest> {
    const { hashes, createHasher } = this.#parts
    const running = hashes.take(id)
    if (running?.size === size && running.algorithm === algorithm) return running.hasher.digest()
    const hasher = createHasher(algorithm)
    if (size > 0) {
      for await (const chunk of await draft.read({ offset: 0, length: size })) {
        hasher.update(chunk)
        giveBack(chunk)
      }
    }
    return hasher.digest()
  }

  /** Two requests that write to one upload at once would mix their bytes: the second is told so. */
  async #alone<T>(id: string, work: () => Promise<T>): Promise<T> {
    const { locks } = this.#parts
    if (locks.has(id)) {
      throw new RegistryError(
        'BLOB_UPLOAD_INVALID',
        'Another request is writing to this upload. Wait for its end, then ask for the status.',
        undefined,
        {
          status: 409,
        },
      )
    }
    const { promise, resolve } = Promise.withResolvers<void>()
    locks.set(id, promise)
    try {
      return await work()
    } finally {
      locks.delete(id)
      resolve()
    }
  }

  /** Resolves once no request is changing the upload, or after STATUS_WAIT_MS. */
  async #quiet(id: string): Promise<void> {
    const { locks, clock } = this.#parts
    const change = locks.get(id)
    if (change !== undefined) await inTime(clock, STATUS_WAIT_MS, change)
  }
}

interface Outcome {
  readonly taken: number
  /** The stream has more than it should. */
  readonly excess: boolean
  /** The stream failed. */
  readonly broken?: { readonly error: unknown }
  /** The store failed. */
  readonly failed?: { readonly error: unknown }
}

async function pump(
  stream: ReadableStream<Uint8Array>,
  writer: DraftWriter,
  hasher: Hasher | undefined,
  length = Number.POSITIVE_INFINITY,
): Promise<Outcome> {
  const reader = stream.getReader()
  let taken = 0
  try {
    for (;;) {
      let next: ReadableStreamReadResult<Uint8Array>
      try {
        next = await reader.read()
      } catch (error) {
        return { taken, excess: false, broken: { error } }
      }
      if (next.done) return { taken, excess: false }
      const excess = taken + next.value.byteLength > length
      const chunk = excess ? next.value.subarray(0, length - taken) : next.value
      try {
        // The store writes while we hash.
        const written = writer.write(chunk)
        hasher?.update(chunk)
        await written
      } catch (error) {
        await reader.cancel(error).catch(ignore)
        return { taken, excess: false, failed: { error } }
      }
      taken += chunk.byteLength
      if (excess) {
        await reader.cancel().catch(ignore)
        return { taken, excess: true }
      }
    }
  } finally {
    reader.releaseLock()
  }
}

/** For the cancelling of a stream that we have done with: that it fails tells us nothing. */
function ignore(): void {}

function unknownUpload(id: string): RegistryError {
  return new RegistryError('BLOB_UPLOAD_UNKNOWN', 'There is no such upload, or it has ended. Start a new one.', { upload: id.slice(0, 128) })
}

function outOfOrder(offset: number, size: number): RegistryError {
  return new RegistryError('RANGE_INVALID', `The chunk begins at ${offset} and the upload has ${size} bytes.`, { offset, size })
}

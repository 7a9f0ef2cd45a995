// The port for bytes. Adapters are in stores/; one contract test holds them all.

import type { BlobBody } from './registry.ts'
import type { Digest, DigestAlgorithm } from './spec/digests.ts'
import { RegistryError } from './spec/errors.ts'
import type { Page, Slice } from './spec/pages.ts'
import type { ByteRange } from './spec/ranges.ts'

/** Where whole blobs are, each under the digest that its bytes have. It knows no repositories and no rights. */
export interface BlobStore {
  /** What is read here may go meanwhile, deleted by another process: its reader is cut then. */
  readonly mayVanish?: boolean
  stat(digest: Digest): Promise<{ readonly size: number } | undefined>
  open(digest: Digest, range?: ByteRange): Promise<BlobBody | undefined>
  /** A small blob whole, which costs less than a stream of it. `larger`: it has more bytes than `limit`. Absent: nothing is cheaper here. */
  bytes?(digest: Digest, limit: number): Promise<Uint8Array | 'larger' | undefined>
  delete(digest: Digest): Promise<boolean>
  /** The edition of the draft that it was. Absent: as in Draft. */
  edition?(digest: Digest): Promise<string | undefined>
  /** In the order of their text. */
  list(page: Page): Promise<Slice<Digest>>
  /** The draft of this name, whether or not it exists yet: nothing is touched before a writer is opened. `id` is [a-z0-9-]{1,128}. */
  draft(id: string): Draft
  /**
   * For who reads a blob, or a draft that becomes one, piece by piece: as long as they hold it, it does not make room for others. What this
   * returns ends it. Absent: nothing here ever makes room.
   */
  hold?(what: Digest | { readonly draft: string }): () => void
  /** The drafts that exist, in the order of their ids, for whoever sweeps away abandoned ones. */
  drafts(page: Page): Promise<Slice<string>>
}

/**
 * Bytes that may become a blob: an upload session of a client, or a fill from a source. They are added at the end, survive a
 * crash from the moment they are durable, and can be read while they grow. One writer at a time.
 */
export interface Draft {
  /** How many bytes are durable; undefined: there is no such draft. */
  size(): Promise<number | undefined>
  /**
   * A name for what it holds: another one each time it is begun from nothing, so that bytes of different tries can be told apart by a process
   * that did not write them. undefined: there is no such draft. Absent: only one process writes here.
   */
  edition?(): Promise<string | undefined>
  /**
   * Opens it for writing at `offset`, which must be its size (0 makes a new one, and leaves an empty draft that has a size at once).
   * `expected`: the total size, when known, so that a store may stream instead of collecting. Such a writer, closed before it came to that
   * size, may have lost up to one slice of what was written last: `close` says how much is there.
   * @throws RegistryError RANGE_INVALID when `offset` is not its size, or somebody else is writing
   */
  writer(options: { readonly offset: number; readonly expected?: number }): Promise<DraftWriter>
  /** A part of what is readable. */
  read(range: ByteRange): Promise<ReadableStream<Uint8Array>>
  /**
   * Makes it the blob `digest`, atomically and durably; the draft is gone. The caller has verified the bytes.
   * If that blob exists already, the draft is just dropped. Without a draft of this id it throws.
   */
  commit(digest: Digest): Promise<void>
  discard(): Promise<boolean>
}

export interface DraftWriter {
  /** Takes a chunk, which the caller must not change afterwards; resolves when it can take another. */
  write(chunk: Uint8Array): Promise<void>
  /** How many bytes from the beginning of the draft `Draft.read` can give now. */
  readonly readable: number
  /**
   * Makes what was written durable and readable, and ends. Resolves with the draft's size.
   * @throws RegistryError what a write failed with; the writer has ended all the same, and what is durable stays
   */
  close(): Promise<number>
  /** Ends without waiting for what is not durable yet; what is, stays. */
  abort(): Promise<void>
}

/** A store that keeps to a budget has no room for these bytes, and none could be made. */
export class NoRoom extends RegistryError {
  constructor() {
    super('UNAVAILABLE', 'The cache has no room for this blob now, and none could be made.')
  }
}

/** An incremental hash. */
export interface Hasher {
  update(chunk: Uint8Array): void
  digest(): Digest
  /** One that goes on from here by itself. Not to be called after `digest`. */
  copy(): Hasher
}

export type CreateHasher = (algorithm: DigestAlgorithm) => Hasher

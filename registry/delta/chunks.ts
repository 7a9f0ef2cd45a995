// A blob as a list of chunks whose borders its content decides: what two blobs have in common has the same chunks in both, wherever it stands.

import { RegistryError } from '../spec/errors.ts'
import { ByteReader } from './byte-reader.ts'
import { CHUNK_MIN_SHARE, CHUNK_TARGET, CHUNKS_AIM, CHUNKS_LIMIT } from './limits.ts'

export interface Chunk {
  /** The first ID_BYTES of the sha256 of its bytes. It need not withstand an attacker: the digest of the whole blob is checked at the end. */
  readonly id: Uint8Array
  /** In bytes. */
  readonly length: number
}

/** Cuts one blob, fed in order and in pieces of any size: the chunks do not depend on them. */
export interface Chunker {
  /** The chunks that end in this piece. */
  push(piece: Uint8Array): readonly Chunk[]
  /** What is left. */
  end(): readonly Chunk[]
}

/** `target` is how long a chunk is meant to be: a power of two, 4 KiB or more. */
export type CreateChunker = (target: number) => Chunker

export const ID_BYTES = 16
const ENTRY_BYTES = ID_BYTES + 4
/** Entries that are handed on at once. */
const BATCH = 256

/** How long the chunks of a blob of so many bytes are meant to be. Two blobs are compared by chunks of one target: that of the new one. */
export function targetFor(size: number): number {
  let target = CHUNK_TARGET
  while (size / target > CHUNKS_AIM) target *= 2
  return target
}

/** A list as it travels: for each chunk its length (4 bytes, the highest first) and its id. It is made while the blob is read. */
export function encodeChunks(blob: ReadableStream<Uint8Array>, chunker: Chunker): ReadableStream<Uint8Array> {
  const reader = blob.getReader()
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const found: Chunk[] = []
        for (;;) {
          const { done, value } = await reader.read()
          found.push(...(done ? chunker.end() : chunker.push(value)))
          if (!done && found.length < BATCH) continue
          if (found.length > 0) controller.enqueue(encoded(found))
          if (done) controller.close()
          return
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  )
}

function encoded(chunks: readonly Chunk[]): Uint8Array {
  const bytes = new Uint8Array(chunks.length * ENTRY_BYTES)
  const view = new DataView(bytes.buffer)
  for (const [index, { id, length }] of chunks.entries()) {
    view.setUint32(index * ENTRY_BYTES, length)
    bytes.set(id, index * ENTRY_BYTES + 4)
  }
  return bytes
}

/** A list in memory: at most CHUNKS_LIMIT chunks, whatever the size of the blob. */
export class ChunkList {
  /** The ids as text, for a map. */
  readonly ids: readonly string[]
  /** Where each chunk begins, and where the last one ends. */
  readonly offsets: Float64Array

  constructor(ids: readonly string[], offsets: Float64Array) {
    this.ids = ids
    this.offsets = offsets
  }

  get size(): number {
    return this.offsets[this.ids.length] ?? 0
  }

  /**
   * Reads a list that came from somewhere, of a blob of `size` bytes.
   * @throws RegistryError UPSTREAM_INVALID when it is none, too long, or another blob's
   */
  static async decode(stream: ReadableStream<Uint8Array>, size: number): Promise<ChunkList> {
    const reader = new ByteReader(stream)
    const ids: string[] = []
    const offsets = [0]
    let at = 0
    try {
      for (;;) {
        const entry = await reader.exactly(ENTRY_BYTES)
        if (entry === undefined) break
        const length = new DataView(entry.buffer, entry.byteOffset, 4).getUint32(0)
        at += length
        if (length === 0 || at > size || ids.length >= CHUNKS_LIMIT) throw wrongList()
        ids.push(String.fromCharCode(...entry.subarray(4)))
        offsets.push(at)
      }
      if (at !== size) throw wrongList()
      return new ChunkList(ids, Float64Array.from(offsets))
    } finally {
      await reader.cancel()
    }
  }
}

function wrongList(): RegistryError {
  return new RegistryError('UPSTREAM_INVALID', 'A list of chunks does not add up to its blob.')
}

/** Whether this is a target that `targetFor` gives for some blob no larger than what a list of a blob of `size` bytes may hold. */
export function isTarget(target: number, size: number): boolean {
  return Number.isSafeInteger(target) && target >= CHUNK_TARGET && (target & (target - 1)) === 0 && size / (target / CHUNK_MIN_SHARE) < CHUNKS_LIMIT
}

// What sites of ours can do besides the specification, so that a copy moves only what changed inside a blob.

import type { Blobs, Repository, Upload } from '../registry.ts'
import type { Digest } from '../spec/digests.ts'
import { RegistryError } from '../spec/errors.ts'
import type { ByteRange } from '../spec/ranges.ts'
import { ChunkList, encodeChunks } from './chunks.ts'
import type { Step } from './plan.ts'
import { assembled, concatenated } from './streams.ts'
import type { DeltaSupport } from './support.ts'

/** What is added to an upload: parts of blobs that its repository has, and between them bytes that travel. */
export interface Delta {
  /** Where it belongs in the new blob. */
  readonly range: ByteRange
  readonly bases: readonly Digest[]
  readonly steps: readonly Step[]
  /** The bytes of all literal steps, one after the other. */
  readonly literals: ReadableStream<Uint8Array>
}

/** For one repository. `moved` is told of bytes as they cross the wire, where there is one. */
export interface Deltas {
  /** The chunks of a blob. undefined: it is not here, or this site does not know how. @throws RegistryError UNAVAILABLE when too many are asked for */
  chunks(blob: { readonly digest: Digest; readonly size: number }, target: number): Promise<ChunkList | undefined>
  /** These ranges of a blob, one after the other. undefined: it is not here */
  read(digest: Digest, ranges: readonly ByteRange[], moved: (bytes: number) => void): Promise<ReadableStream<Uint8Array> | undefined>
  /** As `Uploads.append`. @throws RegistryError BLOB_UNKNOWN when a base is not there (any more), and as that does */
  append(id: string, delta: Delta, moved: (bytes: number) => void): Promise<Upload>
}

/** Over a repository whose bytes are at hand: what its caller may do to blobs and uploads is all that this may. */
export function deltasOver(
  { blobs, uploads }: Pick<Repository, 'blobs' | 'uploads'>,
  { createChunker, turns }: Pick<DeltaSupport, 'createChunker' | 'turns'>,
  signal?: AbortSignal,
): Deltas {
  return {
    chunks: async ({ digest, size }, target) => {
      const end = await turns.begin()
      try {
        signal?.throwIfAborted()
        const stream = await openStream(blobs, digest)
        return stream && (await ChunkList.decode(encodeChunks(stream, createChunker(target)), size))
      } finally {
        end()
      }
    },
    read: async (digest, ranges) => ((await blobs.stat(digest)) === undefined ? undefined : concatenated(blobs, digest, ranges)),
    append: (id, { range, bases, steps, literals }) => uploads.append(id, assembled({ blobs, bases, steps, literals }), range),
  }
}

/** A blob, or a part of it, whose bytes we can see. @throws RegistryError UNSUPPORTED when the registry hands out addresses in their place */
export async function openStream(blobs: Blobs, digest: Digest, range?: ByteRange): Promise<ReadableStream<Uint8Array> | undefined> {
  const body = await blobs.open(digest, range)
  if (body === undefined) return undefined
  if (body.stream) return body.stream
  throw new RegistryError('UNSUPPORTED', 'This registry hands out addresses of blobs, and cannot compare what is in them.')
}

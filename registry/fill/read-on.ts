import type { BlobStore } from '../blob-store.ts'
import type { Log } from '../log.ts'
import type { BlobBody, BlobStream } from '../registry.ts'
import type { ByteRange } from '../spec/ranges.ts'
import type { FillRequest, Fills } from './fills.ts'

/** How often a reader finds that what it reads has gone, before it is cut off. */
const TRIES = 3

/**
 * Finds the rest of a blob that was stored, and gone while it was read: in the store, where it may have come back, else from its source.
 * undefined: the source does not have it any more.
 */
export function restFrom(
  { blobs, fills, log }: { readonly blobs: BlobStore; readonly fills: Pick<Fills, 'open'>; readonly log: Log },
  wanted: FillRequest,
): (rest: ByteRange) => Promise<BlobBody | undefined> {
  const { digest, source, signal } = wanted
  return async (rest) => {
    signal?.throwIfAborted()
    log.info(
      { repository: source.repository, digest, offset: rest.offset },
      'a blob that was being read is gone from the store; it is read on from where it comes from',
    )
    return (await blobs.open(digest, rest)) ?? (await fills.open({ ...wanted, range: rest, confirmed: true }))
  }
}

/**
 * The same bytes, read on from elsewhere where they end too early: somebody else made room in a store that several use. They are the same wherever
 * they come from, since a digest names them. `again`: the rest, from wherever it is now; undefined: from nowhere.
 */
export function readOn(body: BlobStream, again: (rest: ByteRange) => Promise<BlobBody | undefined>): ReadableStream<Uint8Array> {
  const { offset, length } = body.range ?? { offset: 0, length: body.size }
  let reader = body.stream.getReader()
  let at = offset
  let tries = 0
  const next = async (): Promise<Uint8Array | undefined> => {
    try {
      const { done, value } = await reader.read()
      if (!done) return value
      if (at === offset + length) return undefined
      throw new TypeError(`A stored blob ended ${offset + length - at} bytes too early.`)
    } catch (error) {
      const rest = { offset: at, length: offset + length - at }
      const found = ++tries > TRIES || rest.length === 0 ? undefined : await again(rest)
      if (found?.stream === undefined) throw error
      reader = found.stream.getReader()
      return await next()
    }
  }
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const chunk = await next()
        if (chunk === undefined) return controller.close()
        at += chunk.byteLength
        controller.enqueue(chunk)
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  )
}

import type { FileHandle } from 'node:fs/promises'
import { lend } from '../registry/lent.ts'
import { RegistryError } from '../registry/spec/errors.ts'
import type { ByteRange } from '../registry/spec/ranges.ts'
import { diskFailure } from './file-system.ts'
import type { Piece, PiecePool } from './piece-pool.ts'

/** So many of its chunks one reader may look at before it is taken that he gives none back: a socket has several small ones in its hands. */
const LOANS = 4

export interface FileStreamOptions {
  readonly pool: PiecePool
  /** Streams of the same key have the same bytes, and share what is read of them. When absent nobody else reads this. */
  readonly key?: unknown
  /** Hears that the file has been closed. */
  readonly closed?: (() => void) | undefined
}

/**
 * A part of an open file, read as it is asked for. The file is closed at the end of the part, on an error, and on cancel. Chunks are lent: whoever is
 * the only one to have had a chunk may give it back (registry/lent.ts), and nobody may write into one.
 */
export function fileStream(
  file: FileHandle,
  range: ByteRange,
  { pool, key = {}, closed }: FileStreamOptions,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let position = range.offset
  const end = range.offset + range.length
  const shared = pool.begin(key)
  /** What is with the reader, the oldest first. */
  const loans = new Set<Piece>()
  let ended = false

  const close = async () => {
    if (ended) return
    ended = true
    // What he still has he may keep.
    for (const piece of loans) pool.letGo(piece, false)
    loans.clear()
    pool.end(shared)
    closed?.()
    await file.close()
  }
  let mine = false
  const read = async (memory: Uint8Array<ArrayBuffer>, offset: number) => {
    mine = true
    for (let got = 0; got < memory.length; ) {
      const { bytesRead } = await file.read(memory, got, memory.length - got, offset + got)
      if (bytesRead === 0) throw new RegistryError('UNKNOWN', 'The store holds fewer bytes of this blob than it should.')
      got += bytesRead
    }
  }
  /** undefined: the reader has left. */
  const held = async (): Promise<Piece | undefined> => {
    for (;;) {
      mine = false
      const piece = pool.hold(shared, position, end, read)
      loans.add(piece)
      try {
        await piece.read
        return ended ? undefined : piece
      } catch (error) {
        if (mine || ended) throw error
        // Whoever read it for all may have left in the middle.
        loans.delete(piece)
        pool.letGo(piece, false)
      }
    }
  }
  const next = async (): Promise<Uint8Array<ArrayBuffer> | undefined> => {
    const piece = await held()
    if (piece === undefined) return undefined
    const from = position - piece.offset
    const chunk = piece.bytes.subarray(from, Math.min(piece.bytes.length, end - piece.offset))
    position += chunk.length
    const [oldest] = loans
    if (loans.size > LOANS && oldest !== undefined) {
      loans.delete(oldest)
      pool.letGo(oldest, false)
    }
    return lend(chunk, () => {
      if (loans.delete(piece)) pool.letGo(piece, true)
    })
  }
  return new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      async start(controller) {
        if (position < end) return
        await close()
        controller.close()
      },
      async pull(controller) {
        try {
          const chunk = await next()
          if (chunk === undefined) return
          controller.enqueue(chunk)
          if (position < end) return
          await close()
          controller.close()
        } catch (error) {
          await close()
          throw diskFailure(error)
        }
      },
      cancel: close,
    },
    { highWaterMark: 0 },
  )
}

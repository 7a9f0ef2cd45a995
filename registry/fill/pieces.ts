/** What is stored, piece by piece. */
export interface StoredReader {
  read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>
  /** Into memory that it takes, and gives back in its answer. undefined: it has its own. */
  readInto?(memory: Uint8Array<ArrayBuffer>): Promise<{ readonly done: boolean; readonly value?: Uint8Array<ArrayBuffer> | undefined }>
  cancel(): Promise<void>
}

/** Pieces of files that are not smaller are read without a buffer of ours. */
const STORE_BYTES = 128 * 1024

/**
 * Reads a stream of the store in pieces of `bytes`, which may change, if it is one of bytes and would give larger ones by itself. `into`: memory
 * for them is there.
 */
export function inPieces(stream: ReadableStream<Uint8Array>, bytes: () => number, into: boolean): StoredReader {
  if (!into && bytes() >= STORE_BYTES) return plain(stream)
  try {
    const reader = stream.getReader({ mode: 'byob' })
    return { read: () => reader.read(new Uint8Array(bytes())), readInto: (memory) => reader.read(memory), cancel: () => reader.cancel() }
  } catch (error) {
    // The only way to learn that a stream is none of bytes.
    if (error instanceof TypeError && !stream.locked) return plain(stream)
    throw error
  }
}

function plain(stream: ReadableStream<Uint8Array>): StoredReader {
  const reader = stream.getReader()
  return { read: () => reader.read(), cancel: () => reader.cancel() }
}

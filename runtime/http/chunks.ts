import type { Pieces } from './pieces.ts'

/** Buffers that wait to be filled again: one is with the socket, one is being read into. */
const SPARE = 2

/** A body's chunks one after the other. */
export interface Chunks {
  next(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>
  /** The socket has done with a chunk: its memory may be used again. */
  recycle(chunk: Uint8Array): void
  cancel(reason?: unknown): Promise<void>
}

/**
 * A file's stream fills buffers that we bring, the same ones again and again; any other stream gives its own, and so does what is so
 * short that a buffer would cost more than it saves. `size`: that of the body, where it is known. `pieces`: how much is read at once.
 */
export function chunksOf(body: ReadableStream<Uint8Array>, size: number | undefined, pieces: Pick<Pieces, 'bytes'>): Chunks {
  const byob = size !== undefined && size > pieces.bytes ? byteReader(body) : undefined
  if (byob === undefined) {
    const reader = body.getReader()
    return { next: () => reader.read(), recycle: () => undefined, cancel: (reason) => reader.cancel(reason) }
  }
  const spare: ArrayBuffer[] = []
  return {
    next: async () => {
      const { bytes } = pieces
      // Those of another size are left to the collector.
      if (spare.length > 0 && spare[0]?.byteLength !== bytes) spare.length = 0
      const { done, value } = await byob.read(new Uint8Array(spare.pop() ?? new ArrayBuffer(bytes)))
      return { done, value: value && new Uint8Array(value.buffer, value.byteOffset, value.byteLength) }
    },
    recycle: ({ buffer }) => {
      if (spare.length < SPARE && buffer instanceof ArrayBuffer && buffer.byteLength === pieces.bytes) spare.push(buffer)
    },
    cancel: (reason) => byob.cancel(reason),
  }
}

function byteReader(body: ReadableStream<Uint8Array>): ReadableStreamBYOBReader | undefined {
  try {
    return body.getReader({ mode: 'byob' })
  } catch (error) {
    // The only way to learn that a stream is none of bytes.
    if (error instanceof TypeError && !body.locked) return undefined
    throw error
  }
}

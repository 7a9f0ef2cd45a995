/** Bytes of a byte stream that are read at once. A client that reads slowly makes us hold two of these. */
const BUFFER = 256 * 1024
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
 * short that a buffer would cost more than it saves. `size`: that of the body, where it is known.
 */
export function chunksOf(body: ReadableStream<Uint8Array>, size: number | undefined): Chunks {
  const byob = size !== undefined && size > BUFFER ? byteReader(body) : undefined
  if (byob === undefined) {
    const reader = body.getReader()
    return { next: () => reader.read(), recycle: () => undefined, cancel: (reason) => reader.cancel(reason) }
  }
  const spare: ArrayBuffer[] = []
  return {
    next: async () => {
      const { done, value } = await byob.read(new Uint8Array(spare.pop() ?? new ArrayBuffer(BUFFER)))
      return { done, value: value && new Uint8Array(value.buffer, value.byteOffset, value.byteLength) }
    },
    recycle: ({ buffer }) => {
      if (spare.length < SPARE && buffer instanceof ArrayBuffer && buffer.byteLength === BUFFER) spare.push(buffer)
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

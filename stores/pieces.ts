/** As much of a body as is read at once, where the runtime has that much. */
const PIECE = 256 * 1024

/**
 * The same bytes, in pieces as large as there are bytes, up to 256 KiB; the first ones are not held up for more. workerd gives its own
 * streams (answers of a fetch, objects of R2) in pieces of 4 KiB to those who bring no buffer, and what JavaScript costs it costs a piece.
 * `size`: of the body, where it is known.
 */
export function largePieces(stream: ReadableStream<Uint8Array>, size = Number.POSITIVE_INFINITY): ReadableStream<Uint8Array> {
  if (size <= PIECE / 16) return stream
  const reader = stream.getReader({ mode: 'byob' })
  const length = Math.min(PIECE, size)
  let buffer = new ArrayBuffer(length)
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await reader.read(new Uint8Array(buffer))
        if (done) return controller.close()
        if (value.byteLength > length / 2) {
          buffer = new ArrayBuffer(length)
          return controller.enqueue(value)
        }
        // A short piece must not keep a long buffer.
        controller.enqueue(value.slice())
        buffer = value.buffer
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  )
}

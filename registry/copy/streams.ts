import type { Pace } from './pace.ts'

/** The same bytes, shown to `see` before they go on, with word of a failure to `failed`. It fails when the signal is aborted. */
export function watched(
  stream: ReadableStream<Uint8Array>,
  signal: AbortSignal,
  { see, failed }: { readonly see: (chunk: Uint8Array) => void; readonly failed: (error: unknown) => void },
): ReadableStream<Uint8Array> {
  const reader = stream.getReader()
  // The reading that is under way ends with it.
  const onAbort = () => reader.cancel(signal.reason).catch(failed)
  signal.addEventListener('abort', onAbort, { once: true })
  const end = () => signal.removeEventListener('abort', onAbort)
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          signal.throwIfAborted()
          const { done, value } = await reader.read()
          signal.throwIfAborted()
          if (!done) {
            see(value)
            return controller.enqueue(value)
          }
          end()
          controller.close()
        } catch (error) {
          end()
          failed(error)
          controller.error(error)
        }
      },
      cancel(reason) {
        end()
        return reader.cancel(reason)
      },
    },
    { highWaterMark: 0 },
  )
}

/** The same bytes, as fast as `pace` allows. */
export function limited(stream: ReadableStream<Uint8Array>, pace: Pace, signal: AbortSignal): ReadableStream<Uint8Array> {
  return stream.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      async transform(chunk, controller) {
        await pace.take(chunk.byteLength, signal)
        controller.enqueue(chunk)
      },
    }),
    { signal },
  )
}

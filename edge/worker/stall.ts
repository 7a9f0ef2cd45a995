import type { Clock } from '../../registry/clock.ts'
import { Deadline } from '../../registry/deadline.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import { largePieces } from '../../stores/pieces.ts'
import { OBJECT_STALL_MS } from '../limits.ts'

/**
 * What an object of ours sends, ended when it sends nothing for too long: a runtime that hands bytes on by itself waits for ever. Only
 * waits for the object count, so a slow client is none of its business.
 */
export function untilStalled(stream: ReadableStream<Uint8Array>, clock: Clock, size: number): ReadableStream<Uint8Array> {
  const reader = largePieces(stream, size).getReader()
  let end: (reason: RegistryError) => void = () => {}
  const deadline = new Deadline<RegistryError>(clock, (reason) => end(reason))
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        end = (reason) => {
          controller.error(reason)
          // It is gone: whether it hears of this makes no difference.
          reader.cancel(reason).catch(() => undefined)
        }
      },
      async pull(controller) {
        deadline.set(OBJECT_STALL_MS, new RegistryError('UNAVAILABLE', 'A part of this edge stopped sending.'))
        try {
          const { done, value } = await reader.read()
          deadline.lift()
          if (!done) return controller.enqueue(value)
        } catch (error) {
          deadline.end()
          throw error
        }
        deadline.end()
        controller.close()
      },
      async cancel(reason) {
        deadline.end()
        await reader.cancel(reason)
      },
    },
    { highWaterMark: 0 },
  )
}

// Streams that say how long they are. Web standards only.

import type { SizedStream } from '../registry/object-store.ts'
import { RegistryError } from '../registry/spec/errors.ts'
import type { ByteRange } from '../registry/spec/ranges.ts'
import { draftErrors } from './drafts.ts'

const CHUNK = 256 * 1024

/** Bytes in memory as a stream, in parts that a reader can take one at a time. */
export function bytesStream(bytes: Uint8Array): ReadableStream<Uint8Array> {
  let position = 0
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        if (bytes.length === 0) controller.close()
      },
      pull(controller) {
        const end = Math.min(position + CHUNK, bytes.length)
        controller.enqueue(bytes.subarray(position, end))
        position = end
        if (position === bytes.length) controller.close()
      },
    },
    { highWaterMark: 0 },
  )
}

/** All the bytes of a stream that must have the length it says. @throws RegistryError SIZE_INVALID */
export async function collect(body: SizedStream): Promise<Uint8Array> {
  const bytes = new Uint8Array(body.size)
  let filled = 0
  for await (const chunk of exactly(body)) {
    bytes.set(chunk, filled)
    filled += chunk.length
  }
  return bytes
}

/** The chunks of a stream, which end only if they come to its size. The stream is cancelled when the loop is left. @throws RegistryError SIZE_INVALID */
export async function* exactly({ size, stream }: SizedStream): AsyncGenerator<Uint8Array> {
  let seen = 0
  for await (const chunk of stream) {
    seen += chunk.length
    if (seen > size) throw wrongSize(size, 'more')
    yield chunk
  }
  if (seen < size) throw wrongSize(size, 'fewer')
}

/** The range asked of something of `size` bytes, or the whole. @throws RegistryError RANGE_INVALID */
export function partOf(size: number, range?: ByteRange): ByteRange {
  if (range === undefined) return { offset: 0, length: size }
  if (range.offset + range.length > size) throw draftErrors.outside(size)
  return range
}

export function wrongSize(size: number, which: 'more' | 'fewer'): RegistryError {
  return new RegistryError('SIZE_INVALID', `The body has ${which} than the ${size} bytes that were announced.`, { size })
}

/**
 * The same stream, held to its size. `failure` tells what the source failed with, so that whoever only sees a broken request can say why.
 * `on` hears `wanted` when the reader asks for a piece, and `given` when it has got one.
 */
export function guard({ size, stream }: SizedStream, on: (event: 'wanted' | 'given') => void = () => {}): GuardedStream {
  const reader = stream.getReader()
  let seen = 0
  let failure: { readonly error: unknown } | undefined
  const guarded = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        on('wanted')
        try {
          const { done, value } = await reader.read()
          seen += value?.length ?? 0
          if (seen > size || (done && seen < size)) throw wrongSize(size, done ? 'fewer' : 'more')
          if (done) controller.close()
          else controller.enqueue(value)
        } catch (error) {
          failure = { error }
          if (seen > size) await reader.cancel(error)
          throw error
        } finally {
          on('given')
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  )
  return { size, stream: guarded, failure: () => failure }
}

export interface GuardedStream extends SizedStream {
  failure(): { readonly error: unknown } | undefined
}

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

import { crc32 } from 'node:zlib'
import type { SizedStream } from '../../registry/object-store.ts'

/** S3 asks for at least 8 KiB, and servers refuse more than 16 MiB. */
const CHUNK = 1024 * 1024
const TRAILER = 'x-amz-checksum-crc32'
const END = '\r\n'
const CHECKSUM_LENGTH = 8

/** The headers that go with a framed body of `size` bytes. */
export function framedHeaders(size: number): Readonly<Record<string, string>> {
  return {
    'Content-Encoding': 'aws-chunked',
    'X-Amz-Content-Sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
    'X-Amz-Decoded-Content-Length': String(size),
    'X-Amz-Trailer': TRAILER,
  }
}

/**
 * A stream in S3's own framing, closed by a checksum. A server that would take a body whose connection broke for a whole one
 * (some do) cannot: the end is in the body. Nothing is collected, because where the frames lie follows from the size.
 */
export function framed({ size, stream }: SizedStream): SizedStream {
  const encoder = new TextEncoder()
  let position = 0
  let checksum = 0
  const body = stream.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>(
      {
        transform(chunk, controller) {
          for (let rest = chunk; rest.length > 0; ) {
            const within = position % CHUNK
            if (within === 0) controller.enqueue(encoder.encode((position === 0 ? '' : END) + Math.min(CHUNK, size - position).toString(16) + END))
            const part = rest.subarray(0, CHUNK - within)
            checksum = crc32(part, checksum)
            position += part.length
            controller.enqueue(part)
            rest = rest.subarray(part.length)
          }
        },
        flush(controller) {
          const value = Buffer.alloc(4)
          value.writeUInt32BE(checksum)
          controller.enqueue(encoder.encode(`${position === 0 ? '' : END}0${END}${TRAILER}:${value.toString('base64')}${END}${END}`))
        },
      },
      undefined,
      { highWaterMark: 0 },
    ),
  )
  return { size: framedLength(size), stream: body }
}

function framedLength(size: number): number {
  const whole = Math.floor(size / CHUNK)
  const last = size % CHUNK
  const frames = whole * frameLength(CHUNK) + (last === 0 ? 0 : frameLength(last))
  return frames + `0${END}${TRAILER}:${END}${END}`.length + CHECKSUM_LENGTH
}

function frameLength(length: number): number {
  return length.toString(16).length + 2 * END.length + length
}

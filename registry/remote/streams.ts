import type { CreateHasher } from '../blob-store.ts'
import { algorithmOf, type Digest } from '../spec/digests.ts'
import { RegistryError } from '../spec/errors.ts'
import { upstreamInvalid } from './errors.ts'

/**
 * The `take` bytes after the first `skip` of a body that should have `whole` bytes. It ends well only if all of them came, and
 * reads no further than it needs.
 */
export function exactly(
  body: ReadableStream<Uint8Array>,
  { skip, take, whole }: { readonly skip: number; readonly take: number; readonly whole: number },
  url: URL,
): ReadableStream<Uint8Array> {
  const reader = body.getReader()
  const end = skip + take
  let seen = 0
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        for (;;) {
          if (seen >= end) {
            // The last byte of the body is followed by its end, or it was not the body we were told of.
            if (end === whole && !(await reader.read()).done)
              return controller.error(upstreamInvalid(url, `sends more than the ${whole} bytes it announced.`))
            await reader.cancel()
            return controller.close()
          }
          const { done, value } = await reader.read()
          if (done) return controller.error(cut(url, seen, whole))
          const from = Math.max(skip - seen, 0)
          const part = value.subarray(from, Math.max(end - seen, 0))
          seen += value.byteLength
          if (seen > whole) return controller.error(upstreamInvalid(url, `sends more than the ${whole} bytes it announced.`))
          if (part.byteLength > 0) return controller.enqueue(part)
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  )
}

/** The same bytes; it fails in place of its end if they do not hash to `digest`. */
export function verified(stream: ReadableStream<Uint8Array>, digest: Digest, createHasher: CreateHasher, url: URL): ReadableStream<Uint8Array> {
  const hasher = createHasher(algorithmOf(digest))
  return stream.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        hasher.update(chunk)
        controller.enqueue(chunk)
      },
      flush() {
        const actual = hasher.digest()
        if (actual !== digest) throw upstreamInvalid(url, `sends a blob that hashes to ${actual} where ${digest} is meant.`)
      },
    }),
  )
}

/** The same bytes; `seen` is told how many go by. */
export function counted(stream: ReadableStream<Uint8Array>, seen: (bytes: number) => void): ReadableStream<Uint8Array> {
  return stream.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        seen(chunk.byteLength)
        controller.enqueue(chunk)
      },
    }),
  )
}

function cut(url: URL, seen: number, whole: number): RegistryError {
  return new RegistryError('UNAVAILABLE', `${url.host} sent ${seen} of ${whole} bytes and ended.`, { upstream: url.host })
}

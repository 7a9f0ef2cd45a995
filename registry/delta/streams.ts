import type { Blobs } from '../registry.ts'
import type { Digest } from '../spec/digests.ts'
import { RegistryError } from '../spec/errors.ts'
import type { ByteRange } from '../spec/ranges.ts'
import { ByteReader } from './byte-reader.ts'
import { openStream } from './deltas.ts'
import type { Step } from './plan.ts'

const PIECE = 1024 * 1024

/** Ranges of one blob, one after the other; each is opened when it is its turn. */
export function concatenated(blobs: Blobs, digest: Digest, ranges: readonly ByteRange[]): ReadableStream<Uint8Array> {
  return pulled(async function* () {
    for (const range of ranges) yield* part(blobs, digest, range)
  })
}

/** A new blob of what is there and what travels. It fails where a base does not have what a step says, and where literals end too early. */
export function assembled(parts: {
  readonly blobs: Blobs
  readonly bases: readonly Digest[]
  readonly steps: Iterable<Step> | AsyncIterable<Step>
  readonly literals: ReadableStream<Uint8Array> | ByteReader
}): ReadableStream<Uint8Array> {
  const { blobs, bases, steps, literals } = parts
  const reader = literals instanceof ByteReader ? literals : new ByteReader(literals)
  return pulled(
    async function* () {
      for await (const step of steps) {
        const base = step.kind === 'copy' ? bases[step.base] : undefined
        if (step.kind === 'literal') yield* literal(reader, step.length)
        else if (base === undefined) throw new RegistryError('BLOB_UPLOAD_INVALID', 'A step takes bytes from a blob that the delta does not name.')
        else yield* part(blobs, base, step)
      }
      if ((await reader.some(1)) !== undefined) throw new RegistryError('SIZE_INVALID', 'More bytes came than the delta has a place for.')
    },
    (reason) => reader.cancel(reason),
  )
}

async function* part(blobs: Blobs, digest: Digest, range: ByteRange): AsyncGenerator<Uint8Array> {
  const stream = await openStream(blobs, digest, { offset: range.offset, length: range.length })
  if (stream === undefined) throw new RegistryError('BLOB_UNKNOWN', 'This repository has no such blob to take bytes from.', { digest })
  yield* stream
}

async function* literal(reader: ByteReader, length: number): AsyncGenerator<Uint8Array> {
  for (let left = length; left > 0; ) {
    const bytes = await reader.some(Math.min(left, PIECE))
    if (bytes === undefined) throw new RegistryError('SIZE_INVALID', 'The body broke off before its end.')
    left -= bytes.byteLength
    yield bytes
  }
}

/** What a generator yields, asked for when it is wanted, and told when nobody wants it any more. */
function pulled(make: () => AsyncGenerator<Uint8Array>, cancelled?: (reason: unknown) => Promise<void>): ReadableStream<Uint8Array> {
  const generator = make()
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await generator.next()
          if (done) controller.close()
          else controller.enqueue(value)
        } catch (error) {
          await cancelled?.(error)
          controller.error(error)
        }
      },
      async cancel(reason) {
        await generator.return(undefined)
        await cancelled?.(reason)
      },
    },
    { highWaterMark: 0 },
  )
}

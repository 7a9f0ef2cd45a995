// What sites of ours ask each other beyond the specification: `/v2/<name>/_atoll/chunks/<digest>` (decision 0052).

import { encodeChunks, isTarget } from '../delta/chunks.ts'
import { openStream } from '../delta/deltas.ts'
import { RANGES_BODY_LIMIT, RANGES_LIMIT } from '../delta/limits.ts'
import { concatenated } from '../delta/streams.ts'
import type { DeltaSupport } from '../delta/support.ts'
import { CHUNKS_TYPE, RANGES_TYPE } from '../delta/wire.ts'
import { type Digest, parseDigest } from '../spec/digests.ts'
import { RegistryError } from '../spec/errors.ts'
import { parseRepositoryName } from '../spec/names.ts'
import type { ByteRange } from '../spec/ranges.ts'
import { boundedBody } from './bodies.ts'
import { answer, type Exchange } from './exchange.ts'

/** GET: the chunks of a blob, of `target` bytes or so each. They are sent while the blob is read. */
export async function listChunks(exchange: Exchange, name: string, key: string): Promise<Response> {
  const { createChunker, turns } = supportOf(exchange)
  const { blobs } = exchange.registry.repository(parseRepositoryName(name))
  const digest = parseDigest(key)
  const found = await blobs.stat(digest)
  if (!found) throw unknown(digest)
  const target = Number(exchange.query.one('target', 'RANGE_INVALID'))
  if (!isTarget(target, found.size)) {
    throw new RegistryError(
      'RANGE_INVALID',
      'target is how long a chunk is meant to be: a power of two from 4096, more for larger blobs.',
      undefined,
      {
        status: 400,
      },
    )
  }
  const end = await turns.begin()
  try {
    const stream = await openStream(blobs, digest)
    if (!stream) throw unknown(digest)
    const list = ending(encodeChunks(stream, createChunker(target)), end)
    return answer(200, list as ReadableStream<Uint8Array<ArrayBuffer>>, { 'Content-Type': CHUNKS_TYPE, 'Docker-Content-Digest': digest })
  } catch (error) {
    end()
    throw error
  }
}

/** POST: ranges of a blob, one after the other. The body names them: `{"ranges": [[offset, length], …]}`, in the order of the blob. */
export async function readRanges(exchange: Exchange, name: string, key: string): Promise<Response> {
  const { compression } = supportOf(exchange)
  const { blobs } = exchange.registry.repository(parseRepositoryName(name))
  const digest = parseDigest(key)
  const found = await blobs.stat(digest)
  if (!found) throw unknown(digest)
  const ranges = parseRanges(await boundedBody(exchange.request, RANGES_BODY_LIMIT, () => tooMany()), found.size)
  const stream = compression.compress(concatenated(blobs, digest, ranges))
  return answer(200, stream as ReadableStream<Uint8Array<ArrayBuffer>>, { 'Content-Type': RANGES_TYPE, 'Docker-Content-Digest': digest })
}

/** @throws RegistryError UNSUPPORTED: this registry moves no deltas */
export function supportOf({ delta }: Exchange): DeltaSupport {
  if (delta) return delta
  throw new RegistryError('UNSUPPORTED', 'This registry moves whole blobs only.', undefined, { status: 404 })
}

function parseRanges(bytes: Uint8Array, size: number): readonly ByteRange[] {
  const ranges: ByteRange[] = []
  let at = 0
  for (const entry of listOf(bytes)) {
    const [offset, length] = Array.isArray(entry) && entry.length === 2 ? (entry as readonly unknown[]) : []
    if (!isCount(offset) || !isCount(length) || length === 0 || offset < at || offset + length > size) throw wrongRanges()
    at = offset + length
    ranges.push({ offset, length })
  }
  if (ranges.length === 0) throw wrongRanges()
  return ranges
}

function listOf(bytes: Uint8Array): readonly unknown[] {
  let body: unknown
  try {
    body = JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    throw wrongRanges()
  }
  const list = typeof body === 'object' && body !== null && 'ranges' in body ? body.ranges : undefined
  if (!Array.isArray(list)) throw wrongRanges()
  if (list.length > RANGES_LIMIT) throw tooMany()
  return list
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function wrongRanges(): RegistryError {
  const sentence = 'The body names ranges that lie inside the blob, in its order: {"ranges": [[offset, length]]}.'
  return new RegistryError('RANGE_INVALID', sentence, undefined, { status: 400 })
}

function tooMany(): RegistryError {
  return new RegistryError('SIZE_INVALID', `A request names ${RANGES_LIMIT} ranges at most.`, undefined, { status: 413 })
}

function unknown(digest: Digest): RegistryError {
  return new RegistryError('BLOB_UNKNOWN', 'This repository has no such blob.', { digest })
}

/** The same stream; `end` is called when it is over, however that comes. */
function ending(stream: ReadableStream<Uint8Array>, end: () => void): ReadableStream<Uint8Array> {
  const reader = stream.getReader()
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read()
          if (!done) return controller.enqueue(value)
          end()
          controller.close()
        } catch (error) {
          end()
          controller.error(error)
        }
      },
      async cancel(reason) {
        end()
        await reader.cancel(reason)
      },
    },
    { highWaterMark: 0 },
  )
}

// A delta as the body of a request.

import { type Digest, parseDigest } from '../spec/digests.ts'
import { RegistryError } from '../spec/errors.ts'
import { ByteReader } from './byte-reader.ts'
import type { Delta } from './deltas.ts'
import { BASES, COPY_MIN } from './limits.ts'
import type { Step } from './plan.ts'

/**
 * The number of bases (1 byte) and each one's digest (its length in 1 byte, its text); then for each step: `L` and its length (6 bytes)
 * and its bytes, or `C`, the base (1 byte), where in it (6 bytes) and its length (6 bytes). Numbers have their highest byte first. All of it is
 * compressed by zstd.
 */
export const DELTA_TYPE = 'application/vnd.atoll.delta.v1+zstd'
/** The chunks of a blob; see `encodeChunks`. */
export const CHUNKS_TYPE = 'application/vnd.atoll.chunks.v1'
/** Ranges of a blob one after the other, compressed by zstd. */
export const RANGES_TYPE = 'application/vnd.atoll.ranges.v1+zstd'

const LITERAL = 0x4c
const COPY = 0x43
const DIGEST_LIMIT = 255

export function encodeDelta({ bases, steps, literals }: Pick<Delta, 'bases' | 'steps' | 'literals'>): ReadableStream<Uint8Array> {
  const reader = new ByteReader(literals)
  const rest = steps.values()
  let begun = false
  let left = 0
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (!begun) {
          begun = true
          return controller.enqueue(encodeBases(bases))
        }
        if (left > 0) {
          const bytes = await reader.some(left)
          if (bytes === undefined) throw new RegistryError('UNAVAILABLE', 'The source ended before all of its bytes came.')
          left -= bytes.byteLength
          return controller.enqueue(bytes)
        }
        const { done, value: step } = rest.next()
        if (done) return controller.close()
        if (step.kind === 'literal') left = step.length
        controller.enqueue(encodeStep(step))
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  )
}

/** The bases that a body names, its steps as they come, and what the literals among them are read from. @throws RegistryError BLOB_UPLOAD_INVALID, SIZE_INVALID, DIGEST_INVALID */
export async function decodeDelta(
  body: ReadableStream<Uint8Array>,
): Promise<{ bases: readonly Digest[]; steps: AsyncGenerator<Step>; literals: ByteReader }> {
  const literals = new ByteReader(body)
  try {
    return { bases: await decodeBases(literals), steps: decodeSteps(literals), literals }
  } catch (error) {
    await literals.cancel(error)
    if (error instanceof RegistryError) throw error
    throw new RegistryError('BLOB_UPLOAD_INVALID', 'This is no delta: it cannot be decompressed.', undefined, { cause: error })
  }
}

async function decodeBases(reader: ByteReader): Promise<readonly Digest[]> {
  const count = (await need(reader, 1))[0] ?? 0
  if (count > BASES) throw new RegistryError('BLOB_UPLOAD_INVALID', `A delta takes bytes from ${BASES} blobs at most.`)
  const bases: Digest[] = []
  for (let index = 0; index < count; index++) {
    const length = (await need(reader, 1))[0] ?? 0
    bases.push(parseDigest(new TextDecoder().decode(length === 0 ? new Uint8Array(0) : await need(reader, length))))
  }
  return bases
}

async function* decodeSteps(reader: ByteReader): AsyncGenerator<Step> {
  let at = 0
  for (;;) {
    const kind = await reader.exactly(1)
    if (kind === undefined) return
    if (kind[0] === LITERAL) {
      const length = number(await need(reader, 6), 0)
      yield { kind: 'literal', offset: at, length }
      at += length
    } else if (kind[0] === COPY) {
      const fields = await need(reader, 13)
      const length = number(fields, 7)
      if (length < COPY_MIN) throw new RegistryError('BLOB_UPLOAD_INVALID', `A delta takes ${COPY_MIN} bytes or more of a blob at a time.`)
      yield { kind: 'copy', base: fields[0] ?? 0, offset: number(fields, 1), length }
      at += length
    } else throw new RegistryError('BLOB_UPLOAD_INVALID', 'This is no delta: a step is neither L nor C.')
  }
}

async function need(reader: ByteReader, count: number): Promise<Uint8Array> {
  const bytes = await reader.exactly(count)
  if (bytes === undefined) throw new RegistryError('SIZE_INVALID', 'The body broke off before its end.')
  return bytes
}

function encodeBases(bases: readonly Digest[]): Uint8Array {
  const texts = bases.map((digest) => new TextEncoder().encode(digest))
  if (texts.length > BASES || texts.some((text) => text.byteLength > DIGEST_LIMIT)) throw new RangeError(`A delta has ${BASES} bases at most.`)
  return Uint8Array.from([texts.length, ...texts.flatMap((text) => [text.byteLength, ...text])])
}

function encodeStep(step: Step): Uint8Array {
  if (step.kind === 'literal') return Uint8Array.from([LITERAL, ...sixBytes(step.length)])
  return Uint8Array.from([COPY, step.base, ...sixBytes(step.offset), ...sixBytes(step.length)])
}

function sixBytes(value: number): Uint8Array {
  const bytes = new Uint8Array(6)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, Math.floor(value / 2 ** 32))
  view.setUint32(2, value % 2 ** 32)
  return bytes
}

function number(bytes: Uint8Array, at: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, 6)
  return view.getUint16(0) * 2 ** 32 + view.getUint32(2)
}

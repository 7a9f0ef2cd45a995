import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createChunker } from '../../runtime/chunker.ts'
import { MemoryRepository } from '../../test/support/memory-repository.ts'
import type { Digest } from '../spec/digests.ts'
import { type Chunk, ChunkList, encodeChunks, targetFor } from './chunks.ts'
import { CHUNK_MAX_TIMES, CHUNK_MIN_SHARE, CHUNK_TARGET, CHUNKS_AIM, COPY_MIN } from './limits.ts'
import { lengthOf, literalsOf, planDelta, type Step, stepsWithin } from './plan.ts'
import { assembled, concatenated } from './streams.ts'
import { decodeDelta, encodeDelta } from './wire.ts'

/** The same bytes for the same seed, with no pattern in them (xorshift32). */
function noise(length: number, seed: number): Uint8Array {
  let state = (seed + 1) * 2_654_435_761
  return Uint8Array.from({ length }, () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state & 0xff
  })
}

function inPieces(bytes: Uint8Array, piece: number): ReadableStream<Uint8Array> {
  let at = 0
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.byteLength) return controller.close()
      controller.enqueue(bytes.subarray(at, at + piece))
      at += piece
    },
  })
}

async function bytesOf(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  return new Uint8Array(await new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer())
}

const listOf = (bytes: Uint8Array, target = CHUNK_TARGET, piece = 10_000) =>
  ChunkList.decode(encodeChunks(inPieces(bytes, piece), createChunker(target)), bytes.byteLength)

interface Edit {
  readonly at: number
  readonly remove: number
  readonly insert: number
  readonly seed: number
}

const edits = fc.array(fc.record({ at: fc.nat(400_000), remove: fc.nat(20_000), insert: fc.nat(20_000), seed: fc.integer({ min: 100, max: 999 }) }), {
  maxLength: 4,
})

function edited(bytes: Uint8Array, changes: readonly Edit[]): Uint8Array {
  let result = Buffer.from(bytes)
  for (const { at, remove, insert, seed } of changes) {
    const from = Math.min(at, result.length)
    result = Buffer.concat([result.subarray(0, from), noise(insert, seed), result.subarray(from + remove)])
  }
  return new Uint8Array(result)
}

describe('chunks', () => {
  it('do not depend on how the blob comes, and keep to their bounds', () => {
    const bytes = noise(200_000, 1)
    const cut = (piece: number): Chunk[] => {
      const chunker = createChunker(CHUNK_TARGET)
      const chunks: Chunk[] = []
      for (let at = 0; at < bytes.byteLength; at += piece) chunks.push(...chunker.push(bytes.subarray(at, at + piece)))
      return [...chunks, ...chunker.end()]
    }
    const whole = cut(bytes.byteLength)
    expect(whole.length).toBeGreaterThan(10)
    for (const piece of [1, 63, 4_096, 99_999]) expect(cut(piece)).toEqual(whole)
    for (const { length } of whole.slice(0, -1)) {
      expect(length).toBeGreaterThanOrEqual(CHUNK_TARGET / CHUNK_MIN_SHARE)
      expect(length).toBeLessThanOrEqual(CHUNK_TARGET * CHUNK_MAX_TIMES)
    }
  })

  it('are no more of them for larger blobs', () => {
    for (const size of [0, 2 ** 20, 2 ** 30, 2 ** 34, 2 ** 40]) expect(size / targetFor(size)).toBeLessThanOrEqual(CHUNKS_AIM)
    expect(targetFor(2 ** 28)).toBe(CHUNK_TARGET)
  })

  it.each([
    ['is cut', (list: Uint8Array) => list.subarray(0, -1)],
    ['lacks a chunk', (list: Uint8Array) => list.subarray(20)],
    ['has a chunk of nothing', (list: Uint8Array) => Uint8Array.from([...list, ...new Uint8Array(20)])],
    ['is of more than the blob', (list: Uint8Array) => Uint8Array.from([...list, ...list])],
  ])('a list that %s is refused', async (_, spoil) => {
    const bytes = noise(100_000, 2)
    const list = await bytesOf(encodeChunks(inPieces(bytes, 5_000), createChunker(CHUNK_TARGET)))
    await expect(ChunkList.decode(inPieces(spoil(list), 7), bytes.byteLength)).rejects.toMatchObject({ name: 'RegistryError' })
  })
})

describe('a delta', () => {
  it('makes the blob again, from any point on, whatever was changed, and over the wire', async () => {
    await fc.assert(
      fc.asyncProperty(
        edits,
        edits,
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        fc.integer({ min: 1, max: 70_000 }),
        async (first, second, from, piece) => {
          const old = noise(400_000, 3)
          const [other, wanted] = [edited(old, first), edited(old, second)]
          const repository = new MemoryRepository('team/app')
          const bases = [old, other].map((bytes) => repository.addBlob(bytes))
          const source = repository.addBlob(wanted)
          const { blobs } = repository.open()
          const steps = planDelta(await listOf(wanted), [await listOf(old), await listOf(other)])
          expect(lengthOf(steps)).toBe(wanted.byteLength)

          const offset = Math.floor(wanted.byteLength * from)
          const range = { offset, length: wanted.byteLength - offset }
          const part = stepsWithin(steps, range)
          for (const step of part) if (step.kind === 'copy') expect(step.length).toBeGreaterThanOrEqual(COPY_MIN)
          const literals = concatenated(blobs, source, literalsOf(part))
          const body = await bytesOf(encodeDelta({ bases, steps: part, literals }))
          const made = await bytesOf(assembled({ ...(await decodeDelta(inPieces(body, piece))), blobs }))
          expect(Buffer.compare(made, wanted.subarray(offset))).toBe(0)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('sends little more than what changed', async () => {
    const old = noise(4_000_000, 4)
    const wanted = edited(old, [
      { at: 300_000, remove: 100, insert: 200, seed: 500 },
      { at: 2_000_000, remove: 0, insert: 1, seed: 501 },
      { at: 3_500_000, remove: 50_000, insert: 0, seed: 502 },
    ])
    const literals = lengthOf(literalsOf(planDelta(await listOf(wanted), [await listOf(old)])))
    expect(literals).toBeGreaterThan(0)
    expect(literals).toBeLessThan(3 * 4 * CHUNK_TARGET)
  })

  it('goes on where the last copy ended, so that runs of equal chunks are one step', async () => {
    const zeros = new Uint8Array(1_000_000)
    expect(planDelta(await listOf(zeros), [await listOf(zeros)])).toEqual([{ kind: 'copy', base: 0, offset: 0, length: 1_000_000 }])
  })

  const old = noise(200_000, 5)
  const repository = new MemoryRepository('team/app')
  const base = repository.addBlob(old)
  const make = async (bases: readonly Digest[], steps: readonly Step[], literals: Uint8Array, spoil = (body: Uint8Array) => body) => {
    const body = await bytesOf(encodeDelta({ bases, steps, literals: inPieces(literals, 1_000) }))
    return await bytesOf(assembled({ ...(await decodeDelta(inPieces(spoil(body), 999))), blobs: repository.open().blobs }))
  }
  const copyOf = (offset: number, length: number, of = 0): Step => ({ kind: 'copy', base: of, offset, length })

  it.each<[string, () => Promise<unknown>, string]>([
    [
      'takes from a blob that is not there',
      () => make([repository.addBlob(noise(10, 6)).replace(/.{8}$/, '00000000') as Digest], [copyOf(0, 5_000)], new Uint8Array()),
      'BLOB_UNKNOWN',
    ],
    ['takes from a blob it does not name', () => make([base], [copyOf(0, 5_000, 1)], new Uint8Array()), 'BLOB_UPLOAD_INVALID'],
    ['takes crumbs', () => make([base], [copyOf(0, COPY_MIN - 1)], new Uint8Array()), 'BLOB_UPLOAD_INVALID'],
    [
      'breaks off in its bytes',
      () => make([base], [{ kind: 'literal', offset: 0, length: 5_000 }], noise(5_000, 7), (body) => body.subarray(0, -1)),
      'SIZE_INVALID',
    ],
    ['breaks off in a step', () => make([base], [copyOf(0, 5_000)], new Uint8Array(), (body) => body.subarray(0, -1)), 'SIZE_INVALID'],
    ['is none', () => make([base], [copyOf(0, 5_000)], new Uint8Array(), (body) => Uint8Array.from([...body, 0])), 'BLOB_UPLOAD_INVALID'],
    ['names too many blobs', () => make([base], [copyOf(0, 5_000)], new Uint8Array(), (body) => body.with(0, 200)), 'BLOB_UPLOAD_INVALID'],
  ])('that %s is refused', async (_, work, code) => {
    await expect(work()).rejects.toMatchObject({ code })
  })
})

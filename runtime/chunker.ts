import { createHash, type Hash } from 'node:crypto'
import { Hasher } from 'gearhash-jit'
import { type Chunk, type Chunker, ID_BYTES } from '../registry/delta/chunks.ts'
import { CHUNK_MAX_TIMES, CHUNK_MIN_SHARE } from '../registry/delta/limits.ts'

/** Content-defined chunks by a gear hash, as FastCDC makes them: none shorter than a fourth of `target` but the last, none longer than four times. It is a `CreateChunker`. */
export function createChunker(target: number): Chunker {
  return new GearChunker(target)
}

class GearChunker implements Chunker {
  readonly #least: number
  readonly #most: number
  readonly #gear: Hasher
  #hash: Hash | undefined
  #length = 0

  constructor(target: number) {
    this.#least = target / CHUNK_MIN_SHARE
    this.#most = target * CHUNK_MAX_TIMES
    // The upper bits of a gear hash know the most bytes; of as many as a target has, all zero comes once in a target.
    const bits = BigInt(Math.round(Math.log2(target)))
    this.#gear = new Hasher(((1n << bits) - 1n) << (64n - bits))
  }

  push(piece: Uint8Array): readonly Chunk[] {
    const chunks: Chunk[] = []
    for (let at = 0; at < piece.byteLength; ) {
      const [length, cut] = this.#look(piece.subarray(at))
      this.#hash ??= createHash('sha256')
      this.#hash.update(piece.subarray(at, at + length))
      this.#length += length
      at += length
      if (cut) chunks.push(this.#cut(this.#hash))
    }
    return chunks
  }

  end(): readonly Chunk[] {
    return this.#hash === undefined ? [] : [this.#cut(this.#hash)]
  }

  /** How many of these bytes belong to this chunk for sure, and whether it ends with them. No border is looked for before a chunk has its least length. */
  #look(bytes: Uint8Array): [length: number, cut: boolean] {
    const skip = this.#least - this.#length
    if (skip > 0) return [Math.min(skip, bytes.byteLength), false]
    const within = bytes.subarray(0, this.#most - this.#length)
    const border = this.#gear.nextMatch(within)
    const length = border < 0 ? within.byteLength : border
    return [length, border >= 0 || this.#length + length === this.#most]
  }

  #cut(hash: Hash): Chunk {
    const chunk: Chunk = { id: hash.digest().subarray(0, ID_BYTES), length: this.#length }
    this.#hash = undefined
    this.#length = 0
    this.#gear.resetHash()
    return chunk
  }
}

import { createHash, type Hash, hash } from 'node:crypto'
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
    let begin = 0
    for (let at = 0; at < piece.byteLength; ) {
      const [length, cut] = this.#look(piece.subarray(at))
      this.#length += length
      at += length
      if (!cut) continue
      chunks.push(this.#cut(piece.subarray(begin, at)))
      begin = at
    }
    if (begin < piece.byteLength) this.#hash = (this.#hash ?? createHash('sha256')).update(piece.subarray(begin))
    return chunks
  }

  end(): readonly Chunk[] {
    return this.#length === 0 ? [] : [this.#cut(new Uint8Array(0))]
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

  #cut(last: Uint8Array): Chunk {
    // Most chunks lie within one piece, and a hash that goes on costs as much to make as two kilobytes to hash.
    const digest = this.#hash === undefined ? hash('sha256', last, 'buffer') : this.#hash.update(last).digest()
    const chunk: Chunk = { id: digest.subarray(0, ID_BYTES), length: this.#length }
    this.#hash = undefined
    this.#length = 0
    this.#gear.resetHash()
    return chunk
  }
}

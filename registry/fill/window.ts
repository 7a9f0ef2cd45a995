import type { Hasher } from '../blob-store.ts'
import { keep } from '../lent.ts'

/** A chunk as it came. */
interface Piece {
  readonly bytes: Uint8Array
  /** Knows all that came before it; only where that may be needed. */
  readonly before: Hasher | undefined
}

/** The newest bytes of a fill, in the chunks they came in, shared by all consumers that keep up. */
export class Window {
  /** Where the oldest chunk begins. */
  #start: number
  #end: number
  #pieces: Piece[] = []

  constructor(position: number) {
    this.#start = position
    this.#end = position
  }

  get start(): number {
    return this.#start
  }

  get end(): number {
    return this.#end
  }

  get bytes(): number {
    return this.#end - this.#start
  }

  push(bytes: Uint8Array, before?: Hasher): void {
    keep(bytes)
    this.#pieces.push({ bytes, before })
    this.#end += bytes.length
  }

  /**
   * Drops the oldest chunks while more than `target` bytes are held and the store can give them (`readable`), and without
   * regard to the store while more than `limit` are held. The newest chunk stays in any case.
   */
  trim(target: number, limit: number, readable: number): void {
    let drop = 0
    let start = this.#start
    for (const { bytes } of this.#pieces) {
      if (drop === this.#pieces.length - 1) break
      const held = this.#end - start
      const next = start + bytes.length
      if (held <= target || (next > readable && held <= limit)) break
      start = next
      drop++
    }
    if (drop === 0) return
    this.#pieces = this.#pieces.slice(drop)
    this.#start = start
  }

  clear(): void {
    this.#pieces = []
    this.#start = this.#end
  }

  /** What is held from `position` to the end of its chunk; undefined: it is not here. */
  at(position: number): Uint8Array | undefined {
    const found = this.#find(position)
    if (found === undefined) return undefined
    const { bytes, start } = found
    return position === start ? bytes : bytes.subarray(position - start)
  }

  /** Makes what knows all bytes up to and with this one, whatever becomes of the window; undefined: nothing was kept for that. */
  hasherAfter(position: number): (() => Hasher) | undefined {
    const found = this.#find(position)
    if (found?.before === undefined) return undefined
    const { bytes, start, before } = found
    return () => {
      const hasher = before.copy()
      hasher.update(bytes.subarray(0, position + 1 - start))
      return hasher
    }
  }

  #find(position: number): (Piece & { readonly start: number }) | undefined {
    if (position < this.#start || position >= this.#end) return undefined
    let end = this.#end
    // Those who keep up want the newest, so the search begins there.
    for (let index = this.#pieces.length - 1; index >= 0; index--) {
      const piece = this.#pieces[index]
      if (piece === undefined) return undefined
      const start = end - piece.bytes.length
      if (position >= start) return { bytes: piece.bytes, before: piece.before, start }
      end = start
    }
    return undefined
  }
}

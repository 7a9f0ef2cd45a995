import type { Hasher } from '../blob-store.ts'
import type { Digest } from '../spec/digests.ts'

/** The digest of a blob that comes in pieces, some of them again. A gap leaves it unknown. */
export class RunningDigest {
  readonly #hasher: Hasher
  #upto = 0
  #gap = false
  #digest: Digest | undefined

  constructor(hasher: Hasher) {
    this.#hasher = hasher
  }

  take(offset: number, chunk: Uint8Array): void {
    if (offset > this.#upto) this.#gap = true
    const fresh = chunk.subarray(Math.max(this.#upto - offset, 0))
    if (this.#gap || fresh.byteLength === 0) return
    this.#hasher.update(fresh)
    this.#upto += fresh.byteLength
  }

  /** When all has been taken. undefined: not every one of the `size` bytes was. */
  of(size: number): Digest | undefined {
    if (this.#gap || this.#upto !== size) return undefined
    this.#digest ??= this.#hasher.digest()
    return this.#digest
  }
}

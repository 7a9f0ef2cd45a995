import type { Hasher } from '../blob-store.ts'
import type { DigestAlgorithm } from '../spec/digests.ts'

/** The hash of the first `size` bytes of an upload. */
export interface RunningHash {
  readonly algorithm: DigestAlgorithm
  readonly hasher: Hasher
  readonly size: number
}

/** The hashes of uploads between their requests: at most `limit`, those used last. Losing one costs time, nothing else. */
export class RunningHashes {
  readonly #limit: number
  // A Map remembers the order of insertion: its first key is the one used longest ago.
  readonly #hashes = new Map<string, RunningHash>()

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Gives the hash away: it changes from now on, and comes back with `keep` if what it hashed was written. */
  take(id: string): RunningHash | undefined {
    const hash = this.#hashes.get(id)
    this.#hashes.delete(id)
    return hash
  }

  keep(id: string, hash: RunningHash): void {
    this.#hashes.delete(id)
    this.#hashes.set(id, hash)
    if (this.#hashes.size <= this.#limit) return
    for (const oldest of this.#hashes.keys()) {
      this.#hashes.delete(oldest)
      return
    }
  }
}

import PQueue from 'p-queue'
import type { Digest } from '../spec/digests.ts'
import { Places } from './places.ts'

/**
 * Copies at once from one repository into another. They share how much is done at once, and what they know of the destination: a blob that several
 * of them need moves once, and what one has seen or put there no other asks for. It is good for as long as one task takes.
 */
export class Together {
  /** Requests that are over in a round trip or two. */
  readonly requests: PQueue
  /** Blobs that take their time, each of which holds buffers. */
  readonly streams: PQueue
  /** Where what failed was. */
  readonly places = new Places()
  readonly #underWay = new Map<Digest, Promise<void>>()
  readonly #there = new Set<Digest>()
  readonly #lines = new Map<string, Promise<void>>()

  constructor({ requests, streams }: { readonly requests: number; readonly streams: number }) {
    this.requests = new PQueue({ concurrency: requests })
    this.streams = new PQueue({ concurrency: streams })
  }

  /** A blob or a manifest that the destination has. */
  know(digest: Digest): void {
    this.#there.add(digest)
  }

  knows(digest: Digest): boolean {
    return this.#there.has(digest)
  }

  /** Does `work`, which brings it there, unless another copy has. False: it has. A failure is only for whoever did the work; the next one tries. */
  async once(digest: Digest, work: () => Promise<void>): Promise<boolean> {
    for (;;) {
      if (this.#there.has(digest)) return false
      const other = this.#underWay.get(digest)
      if (other === undefined) break
      await other.catch(() => undefined)
    }
    const done = work()
    this.#underWay.set(digest, done)
    try {
      await done
      this.#there.add(digest)
      return true
    } finally {
      this.#underWay.delete(digest)
    }
  }

  /** Work on the same thing, one after the other. */
  inOrder(key: string, work: () => Promise<void>): Promise<void> {
    const previous = this.#lines.get(key) ?? Promise.resolve()
    // Each copy hears of its own failure.
    const next = previous.catch(() => undefined).then(work)
    this.#lines.set(key, next)
    return next
  }
}

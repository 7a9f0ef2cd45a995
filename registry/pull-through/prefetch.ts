import type { Manifest } from '../registry.ts'
import type { Digest } from '../spec/digests.ts'
import { isNonDistributable } from '../spec/media-types.ts'
import type { RepositoryName } from '../spec/names.ts'
import { type Context, keyOf } from './context.ts'
import { Memory } from './memory.ts'

interface Wanted {
  readonly repository: RepositoryName
  readonly digest: Digest
}

/** Brings a blob that a client will ask for in a moment; resolves when the next one may begin. */
export type Warm = (repository: RepositoryName, digest: Digest) => Promise<void>

/**
 * Asks for the blobs of a manifest when a client has taken that very manifest, and it came from the source just now: the client asks for them
 * next. An index has no blobs, so nothing comes of platforms that nobody wants. A few at a time, in the manifest's order, and only while the
 * source has plenty to give: a client who waits always comes first, and joins what is under way.
 */
export class Prefetch {
  readonly #context: Context
  readonly #warm: Warm
  /** Manifests that came from the source, and that no client has taken yet. */
  readonly #due: Memory<true>
  #queue: Wanted[] = []
  #active = 0

  constructor(context: Context, warm: Warm) {
    this.#context = context
    this.#warm = warm
    this.#due = new Memory(context.limits.negatives)
  }

  fetched(repository: RepositoryName, digest: Digest): void {
    this.#due.set(keyOf(repository, digest), true)
  }

  taken(repository: RepositoryName, manifest: Manifest): void {
    const key = keyOf(repository, manifest.descriptor.digest)
    if (this.#due.get(key) === undefined) return
    this.#due.delete(key)
    const { counters, limits } = this.#context
    const wanted = this.#blobsOf(manifest)
    const room = Math.max(0, limits.prefetchesWaiting - this.#queue.length)
    for (const digest of wanted.slice(0, room)) this.#queue.push({ repository, digest })
    counters.prefetchesLeft += Math.max(0, wanted.length - room)
    this.#next()
  }

  #next(): void {
    const { budget, counters, health, limits } = this.#context
    if (budget.low || health.failing || limits.prefetches === 0) {
      counters.prefetchesLeft += this.#queue.length
      this.#queue = []
    }
    while (this.#active < limits.prefetches) {
      const wanted = this.#queue.shift()
      if (wanted === undefined) return
      this.#active++
      counters.prefetches++
      void this.#bring(wanted).finally(() => {
        this.#active--
        this.#next()
      })
    }
  }

  async #bring({ repository, digest }: Wanted): Promise<void> {
    const { clock, limits, log } = this.#context
    const late = Promise.withResolvers<void>()
    const stop = clock.after(limits.prefetchMs, late.resolve)
    try {
      await Promise.race([this.#warm(repository, digest), late.promise])
    } catch (error) {
      log.info({ repository, digest, error }, 'a blob could not be asked for ahead of its client')
    } finally {
      stop()
    }
  }

  #blobsOf(manifest: Manifest): Digest[] {
    const worthIt = this.#context.named.blobsOf(manifest).filter(({ mediaType, size }) => size > 0 && !isNonDistributable(mediaType))
    return [...new Set(worthIt.map(({ digest }) => digest))]
  }
}

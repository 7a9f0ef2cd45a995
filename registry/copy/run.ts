import type PQueue from 'p-queue'
import { type Clock, systemClock } from '../clock.ts'
import type { Digest } from '../spec/digests.ts'
import { REQUESTS_AT_ONCE, STREAMS_AT_ONCE } from './limits.ts'
import type { CopyOptions, CopyReport } from './options.ts'
import { Pace } from './pace.ts'
import { Together } from './together.ts'

/** One run of a copy: what it has done, what it does at once, and whether it is to go on. */
export class CopyRun {
  readonly options: CopyOptions
  readonly missing = new Set<Digest>()
  copied = 0
  mounted = 0
  skipped = 0
  bytes = 0
  reused = 0
  /** What this run shares with others between the same two repositories, or has for itself. */
  readonly together: Together
  /** The speed that everything in this run shares; undefined: as fast as it goes. */
  readonly pace: Pace | undefined
  readonly #controller = new AbortController()
  readonly #once = new Map<string, Promise<void>>()
  readonly #underWay = new Set<Promise<unknown>>()

  constructor(options: CopyOptions) {
    this.options = options
    const { parallel } = options
    this.together = options.together ?? new Together({ requests: parallel ?? REQUESTS_AT_ONCE, streams: parallel ?? STREAMS_AT_ONCE })
    const { pace, bytesPerSecond } = options
    this.pace = pace ?? (bytesPerSecond === undefined ? undefined : new Pace({ bytesPerSecond, clock: this.clock }))
  }

  /** Ends with the caller's signal, and with the first failure. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Runs `work`, whose first failure ends everything that this run still does, and resolves or rejects when all of it has ended. */
  async whole<T>(work: () => Promise<T>): Promise<T> {
    const outer = this.options.signal
    const onAbort = () => this.fail(outer?.reason)
    outer?.throwIfAborted()
    outer?.addEventListener('abort', onAbort, { once: true })
    try {
      return await work()
    } catch (error) {
      this.fail(error)
      throw this.signal.reason
    } finally {
      while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay)
      outer?.removeEventListener('abort', onAbort)
    }
  }

  fail(error: unknown): void {
    if (!this.signal.aborted) this.#controller.abort(error)
  }

  /** What `work` throws was at `place`; see Places. */
  at<T>(place: string, work: () => Promise<T>): Promise<T> {
    return this.together.places.at(place, work)
  }

  /** So many bytes of blobs have travelled. */
  moved(bytes: number): void {
    this.bytes += bytes
    this.options.onMoved?.(bytes)
  }

  /** Takes its turn among the requests at once. Work that waits for other work must not be in here. */
  turn<T>(work: () => Promise<T>): Promise<T> {
    return this.#in(this.together.requests, work)
  }

  /** Takes its turn among the larger blobs that travel at once. Nor must any in here. */
  travel<T>(work: () => Promise<T>): Promise<T> {
    return this.#in(this.together.streams, work)
  }

  async #in<T>(queue: PQueue, work: () => Promise<T>): Promise<T> {
    const done = queue.add(async () => {
      this.signal.throwIfAborted()
      return await work()
    })
    this.#underWay.add(done)
    try {
      return await done
    } finally {
      this.#underWay.delete(done)
    }
  }

  /** What several parts of an artifact have in common is done once. */
  once(key: string, work: () => Promise<void>): Promise<void> {
    const known = this.#once.get(key)
    if (known) return known
    const done = work()
    this.#once.set(key, done)
    return done
  }

  get clock(): Clock {
    return this.options.clock ?? systemClock
  }

  /** Like Promise.all, but only so many of them at a time as there may be requests, and it waits for those that are under way when one fails. */
  async each<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
    const rest = items.values()
    const worker = async () => {
      for (const item of rest) {
        this.signal.throwIfAborted()
        try {
          await work(item)
        } catch (error) {
          this.fail(error)
          throw this.signal.reason
        }
      }
    }
    const outcomes = await Promise.allSettled(Array.from({ length: Math.min(this.together.requests.concurrency, items.length) }, worker))
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  }

  report(digest: Digest, { kept = [], referrers = [] }: Partial<Pick<CopyReport, 'kept' | 'referrers'>> = {}): CopyReport {
    const { copied, mounted, skipped, bytes, reused } = this
    return { digest, copied, mounted, skipped, bytes, reused, missing: [...this.missing], kept, referrers }
  }
}

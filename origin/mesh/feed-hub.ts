import { type FeedBatch, type FeedSites, HEARTBEAT_MS } from '../../mesh/feed.ts'
import { type SigningKey, signDocument } from '../../mesh/signing.ts'
import type { Clock } from '../../registry/clock.ts'
import type { Log } from '../../registry/log.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import { type Change, headOfChanges, readChanges } from '../../schema/changes.ts'
import type { Database } from '../../schema/database.ts'
import { entriesOf, type Lookups } from './entries.ts'
import { BATCH_CHANGES, LINES_KEPT } from './limits.ts'

export interface FeedHubOptions {
  readonly db: Database
  readonly clock: Clock
  readonly log: Log
  readonly signing: () => SigningKey
  readonly lookups: Lookups
  /** undefined: this origin stands alone. */
  readonly sites?: () => FeedSites | undefined
}

/** One signed line of the feed. */
interface Line {
  readonly after: number
  readonly upto: number
  readonly time: number
  readonly text: string
}

interface Subscriber {
  readonly edge: string
  end(): void
}

export interface FeedStart {
  readonly after?: number
  readonly nonce?: string
}

/**
 * Reads the changes once, signs them once, and gives the same lines to however many edges follow. Nothing is queued for anybody: each stream
 * takes the line after its own cursor when its edge can take it, from memory if it is only a little behind, else from the database.
 */
export class FeedHub {
  readonly #options: FeedHubOptions
  readonly #subscribers = new Set<Subscriber>()
  /** The last lines with changes, oldest first; each begins where the one before ends. */
  #lines: Line[] = []
  #cursor = 0
  #closed = false
  #tick = Promise.withResolvers<Line>()
  #running: { readonly stop: AbortController; readonly started: Promise<void> } | undefined

  constructor(options: FeedHubOptions) {
    this.#options = options
  }

  /** How many feeds are open to this edge. */
  following(edge: string): number {
    let count = 0
    for (const subscriber of this.#subscribers) if (subscriber.edge === edge) count++
    return count
  }

  /**
   * The feed from `after` (undefined: from now on), until the signal, revocation or close() ends it. Its first batch repeats the `nonce`.
   * Resolves undefined when `after` is ahead of everything.
   */
  async open(edge: string, from: FeedStart, signal: AbortSignal, onEnd: () => void): Promise<ReadableStream<Uint8Array> | undefined> {
    const { after, nonce } = from
    if (this.#closed) throw new RegistryError('UNAVAILABLE', 'This origin is going down.')
    await this.#start()
    const head = await headOfChanges(this.#options.db)
    if (after !== undefined && after > head) return undefined
    let cursor = after ?? head
    let sentAt = Number.NEGATIVE_INFINITY
    let first = true
    const ended = Promise.withResolvers<undefined>()
    const subscriber: Subscriber = { edge, end: () => ended.resolve(undefined) }
    this.#subscribers.add(subscriber)
    const leave = () => {
      if (!this.#subscribers.delete(subscriber)) return
      onEnd()
      if (this.#subscribers.size === 0) this.#stop()
    }
    signal.addEventListener('abort', subscriber.end, { once: true })
    const next = async (): Promise<Line> => {
      if (first && nonce !== undefined) return await this.#read(cursor, nonce)
      if (first || this.#cursor > cursor) return await this.#after(cursor, sentAt)
      const tick = await this.#tick.promise
      return tick.after === cursor ? tick : await this.#after(cursor, sentAt)
    }
    const encoder = new TextEncoder()
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const line = this.#subscribers.has(subscriber) ? await Promise.race([next(), ended.promise]) : undefined
          if (line === undefined) {
            leave()
            controller.close()
            return
          }
          first = false
          cursor = line.upto
          sentAt = line.time
          controller.enqueue(encoder.encode(`${line.text}\n`))
        },
        cancel: leave,
      },
      { highWaterMark: 0 },
    )
  }

  /** Ends every feed of this edge, at once. */
  revoke(edge: string): void {
    for (const subscriber of this.#subscribers) if (subscriber.edge === edge) subscriber.end()
  }

  /** Ends every feed, and opens none any more. */
  close(): void {
    this.#closed = true
    this.#endAll()
  }

  /** Ends every feed: whoever asks again is told where to go. */
  interrupt(): void {
    this.#endAll()
  }

  #endAll(): void {
    for (const subscriber of this.#subscribers) subscriber.end()
    this.#stop()
  }

  async #start(): Promise<void> {
    if (this.#running === undefined) {
      const stop = new AbortController()
      const started = headOfChanges(this.#options.db).then((head) => {
        this.#cursor = head
        this.#lines = []
        void this.#follow(stop.signal)
      })
      this.#running = { stop, started }
      started.catch(() => {
        this.#running = undefined
      })
    }
    await this.#running.started
  }

  #stop(): void {
    this.#running?.stop.abort()
    this.#running = undefined
    this.#lines = []
  }

  /** Follows the changes for all. Never rejects: when the database fails, the feeds end, and edges come again. */
  async #follow(signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted) {
        const changed = await this.#changed(signal)
        const line = changed ? await this.#read(this.#cursor) : await this.#sign(this.#cursor, [])
        if (signal.aborted) return
        if (line.upto > this.#cursor) {
          this.#lines = [...this.#lines, line].slice(-LINES_KEPT)
          this.#cursor = line.upto
        }
        const { resolve } = this.#tick
        this.#tick = Promise.withResolvers()
        resolve(line)
      }
    } catch (error) {
      if (signal.aborted) return
      this.#options.log.error({ err: error }, 'The feed broke off.')
      this.#endAll()
    }
  }

  /** Whether there are changes after the cursor; it takes at most the time between two heartbeats to say no. */
  async #changed(signal: AbortSignal): Promise<boolean> {
    const { db, clock } = this.#options
    const beat = new AbortController()
    const stop = clock.after(HEARTBEAT_MS, () => beat.abort())
    try {
      await db.changesAvailable(this.#cursor, AbortSignal.any([signal, beat.signal]))
      return true
    } catch (error) {
      if (beat.signal.aborted || signal.aborted) return false
      throw error
    } finally {
      stop()
    }
  }

  /** The line after this cursor, signed no earlier than `time`: an edge takes no line that is older than its last. */
  async #after(cursor: number, time: number): Promise<Line> {
    const kept = this.#lines.find((line) => line.after === cursor && line.time >= time)
    return kept ?? (await this.#read(cursor))
  }

  async #read(after: number, nonce?: string): Promise<Line> {
    return await this.#sign(after, await readChanges(this.#options.db, after, BATCH_CHANGES), nonce)
  }

  async #sign(after: number, changes: readonly Change[], nonce?: string): Promise<Line> {
    const { lookups, clock, signing, sites } = this.#options
    const entries: FeedBatch['entries'][number][] = []
    for (const change of changes) {
      entries.push(...(await entriesOf(change, lookups)))
      if (change.kind === 'edge.revoked') this.revoke(change.subject)
      // Lines that a key has signed which is withdrawn now are lines no more.
      if (change.kind === 'key.deleted') this.#lines = []
    }
    const time = clock.now()
    const upto = changes.at(-1)?.seq ?? after
    const pair = sites?.()
    const batch: FeedBatch = { after, upto, entries, time, ...(pair && { sites: pair }), ...(nonce !== undefined && { nonce }) }
    return { after, upto, time, text: await signDocument('atoll-feed+jws', batch, signing()) }
  }
}

import { MESH } from '../mesh/enrolment.ts'
import type { FeedBatch, FeedEntry, FeedSites } from '../mesh/feed.ts'
import { type Clock, pause } from '../registry/clock.ts'
import type { Log } from '../registry/log.ts'
import { RegistryError } from '../registry/spec/errors.ts'
import { lines } from './bodies.ts'
import type { Kept } from './kept.ts'
import { FEED_LINE_BYTES, FEED_OPEN_MS, FEED_RETRY_FIRST_MS, FEED_RETRY_LAST_MS, FEED_STALL_MS } from './limits.ts'
import type { OriginClient } from './origin-client.ts'
import type { Trust } from './trust.ts'

/** Whoever acts on the feed. When a promise resolves, what it says is durable: the cursor moves on. */
export interface FeedListener {
  apply(entries: readonly FeedEntry[]): Promise<void>
  /** The thread is lost: whatever was known may have changed unseen. From here on a new run begins. */
  restart(run: number): Promise<void>
}

export interface FeedOptions {
  readonly origin: OriginClient
  readonly kept: Kept
  readonly trust: Trust
  readonly listener: FeedListener
  readonly clock: Clock
  readonly random: () => number
  readonly log: Log
  readonly newId: () => string
  /** @throws when the origin did not sign it */
  readonly verify: (line: string) => Promise<FeedBatch>
}

/** What is kept of it over a restart. */
interface Position {
  readonly cursor?: number
  readonly run: number
  /** The two sites of a pair, as the primary last said it. */
  readonly sites?: FeedSites | undefined
  /** By the origin's clock: no batch older than this is news. */
  readonly time: number
}

const POSITION = 'feed'

/** Has an edge that is not running read everything again when it starts: what it follows then may be another origin, or one that was restored. */
export async function startOver(kept: Kept): Promise<void> {
  const position = (await kept.get(POSITION)) as Position | undefined
  if (position !== undefined) await kept.set(POSITION, { run: position.run + 1, time: 0 } satisfies Position)
}

/**
 * The one stream from the origin, followed for as long as the edge lives. Batches are taken in order and without a hole; after a
 * break it goes on from its own cursor, and where the origin cannot, everything is to be read again.
 */
export class Feed {
  readonly #options: FeedOptions
  #cursor: number | undefined
  #run: number
  #time: number
  #revoked = false
  #sites: FeedSites | undefined
  /** Where the origin was said to be at first. */
  readonly #home: URL
  /** Batches that were news or a sign of life. */
  #heard = 0

  private constructor(options: FeedOptions, position: Position | undefined) {
    this.#options = options
    this.#cursor = position?.cursor
    this.#run = position?.run ?? 0
    this.#time = position?.time ?? 0
    this.#sites = position?.sites
    this.#home = options.origin.url
  }

  static async open(options: FeedOptions): Promise<Feed> {
    const feed = new Feed(options, (await options.kept.get(POSITION)) as Position | undefined)
    await options.listener.restart(feed.#run)
    return feed
  }

  /** The sequence up to which everything is known; 0 before the first batch. */
  get cursor(): number {
    return this.#cursor ?? 0
  }

  /** The unbroken run of the feed that this is. */
  get run(): number {
    return this.#run
  }

  /** The origin has said that this edge is none of its any more. */
  get revoked(): boolean {
    return this.#revoked
  }

  /** Reads everything again, as `startOver` does. Call it before `follow`. */
  async startOver(): Promise<void> {
    this.#sites = undefined
    await this.#lost()
  }

  /** Follows until the signal ends it. Never rejects. */
  async follow(signal: AbortSignal): Promise<void> {
    const { clock, log, random, trust } = this.#options
    let wait = FEED_RETRY_FIRST_MS
    while (!signal.aborted) {
      const heard = this.#heard
      const { run } = this
      try {
        await this.#stream(signal)
      } catch (error) {
        if (signal.aborted) return
        log.warn({ error, cursor: this.#cursor }, 'the feed from the origin broke off')
      }
      // An origin that was heard is there: whatever was lost since (a line, the connection) is asked for again soon.
      if (this.#heard > heard) wait = FEED_RETRY_FIRST_MS
      // Where the thread was lost, somebody answers with whom it can begin anew.
      else if (this.#run === run) this.#lookElsewhere()
      try {
        await trust.keep()
        await pause(clock, wait * (0.5 + random() / 2), signal)
      } catch (error) {
        if (signal.aborted) return
        log.error({ error }, 'could not write down how long the origin has been away')
      }
      wait = Math.min(wait * 2, FEED_RETRY_LAST_MS)
    }
  }

  /** Nobody who is the primary answers there: the next try is at the other site. */
  #lookElsewhere(): void {
    const known = [...(this.#sites?.urls ?? []), this.#home.href].filter((url) => URL.canParse(url)).map((url) => new URL(url).href)
    const places = [...new Set(known)]
    const next = places[(places.indexOf(this.#options.origin.url.href) + 1) % places.length]
    if (next !== undefined) this.#options.origin.use(new URL(next))
  }

  async #stream(outer: AbortSignal): Promise<void> {
    const { origin, clock, verify, newId } = this.#options
    const stalled = new AbortController()
    const stop = () => stalled.abort(new DOMException('the feed is silent', 'TimeoutError'))
    const signal = AbortSignal.any([outer, stalled.signal])
    const nonce = newId()
    const response = await origin.follow(MESH.feed, {
      query: { nonce, ...(this.#cursor !== undefined && { after: String(this.#cursor), ...(this.#sites && { epoch: String(this.#sites.epoch) }) }) },
      signal,
      timeout: FEED_OPEN_MS,
    })
    if (response.status !== 200 || response.body === null) {
      await response.body?.cancel()
      await this.#refused(response.status)
      return
    }
    this.#revoked = false
    let watchdog = clock.after(FEED_STALL_MS, stop)
    try {
      for await (const line of lines(response.body, FEED_LINE_BYTES)) {
        if (line.trim() === '') continue
        watchdog()
        watchdog = clock.after(FEED_STALL_MS, stop)
        await this.#take(await verify(line), nonce)
      }
    } finally {
      watchdog()
    }
  }

  async #refused(status: number): Promise<void> {
    // Not our clock: that has been set right by now. The origin does not know us, or no longer.
    if (status === 401 || status === 403) this.#revoked = true
    // The origin no longer has what follows our cursor, or never had it.
    if (status === 410 || status === 416) await this.#lost()
    throw new RegistryError('UNAVAILABLE', `the origin answered ${status} when asked for its feed`)
  }

  async #take(batch: FeedBatch, nonce: string): Promise<void> {
    const { listener, origin, trust } = this.#options
    // Said for this very stream: if it is older than what we have heard, the origin's clock has been set back.
    const answersUs = batch.nonce === nonce
    // A batch that was said before is no news, and no sign of life. When nothing else comes, a new stream tells what time it is.
    if (batch.time < this.#time && !answersUs) throw new RangeError('the feed says what is older than what it has said already')
    // A primary of old, which does not know yet that the other site has taken over.
    if (batch.sites !== undefined && batch.sites.epoch < (this.#sites?.epoch ?? 0)) throw new RangeError('the feed is that of an earlier primary')
    const pair = batch.sites
    const news = JSON.stringify(pair) !== JSON.stringify(this.#sites)
    this.#sites = pair
    const before = this.#cursor
    if (before === undefined) {
      await this.#begin(batch.upto)
    } else if (batch.upto < before) {
      // The origin itself is behind: it has been restored from a backup, and gives its sequence numbers anew.
      await this.#lost()
      throw new RangeError(`the feed is at ${batch.upto}, before the cursor ${before}`)
    } else if (batch.after > before) {
      throw new RangeError(`the feed has a hole between ${before} and ${batch.after}`)
    } else if (batch.upto > before) {
      await listener.apply(batch.entries)
      this.#cursor = batch.upto
    } else if (batch.time === this.#time && !answersUs) return
    this.#time = batch.time
    if (this.#cursor !== before || news) await this.#keep()
    origin.observe(batch.time)
    await trust.confirm()
    this.#heard++
  }

  async #begin(head: number): Promise<void> {
    this.#run += 1
    this.#cursor = head
    await this.#options.listener.restart(this.#run)
  }

  async #lost(): Promise<void> {
    this.#options.log.warn({ cursor: this.#cursor }, 'the thread of the feed is lost: everything is read again')
    this.#cursor = undefined
    this.#run += 1
    await this.#options.listener.restart(this.#run)
    await this.#options.kept.set(POSITION, { run: this.#run, time: 0, sites: this.#sites } satisfies Position)
    this.#time = 0
  }

  async #keep(): Promise<void> {
    await this.#options.kept.set(POSITION, { cursor: this.cursor, run: this.#run, time: this.#time, sites: this.#sites } satisfies Position)
  }
}

import type { BlobStore } from '../../../registry/blob-store.ts'
import { type Clock, steady } from '../../../registry/clock.ts'
import type { Log } from '../../../registry/log.ts'
import type { Key } from '../../space/ledger.ts'
import { firstPromise } from '../../space/policy.ts'
import { Reads } from '../../space/reads.ts'
import { Reservation } from '../../space/space.ts'
import { spacedBlobStore } from '../../space/spaced-blob-store.ts'
import { Gathering } from '../gathering.ts'
import { NEWS_LOST_MS, SIGN_EVERY_MS, SIGN_FOR_MS } from './limits.ts'
import { Untold } from './news.ts'
import type { GrowthAnswer, GrowthQuestion, RoomAnswer, RoomQuestion, SpaceNews } from './talk.ts'

export interface ToldSpaceOptions {
  /** Asks the object that keeps the bucket to its budget. */
  readonly object: {
    news(news: SpaceNews): Promise<void>
    reserve(question: RoomQuestion): Promise<RoomAnswer>
    grow(question: GrowthQuestion): Promise<GrowthAnswer>
  }
  readonly clock: Clock
  /** How long what is new waits for more. */
  readonly everyMs: number
  readonly newId: () => string
  readonly log: Log
}

/**
 * A bucket's budget as one isolate or fill sees it: it asks only for room to write. What it reads and uses it tells behind the answers, and
 * says again for as long as that goes on.
 */
export class ToldSpace {
  readonly #options: ToldSpaceOptions
  readonly #from: string
  readonly #untold = new Untold()
  readonly #reads = new Reads()
  readonly #writing = new Map<string, Reservation>()
  readonly #gathering: Gathering
  /** When each of its readers was last seen to go on: the request that it belongs to may have ended without a word. */
  readonly #readers = new Map<() => void, number>()
  /** What it reads is not what was told last. */
  #changed = false

  constructor(options: ToldSpaceOptions) {
    this.#options = options
    this.#from = options.newId()
    this.#gathering = new Gathering({ clock: options.clock, forMs: options.everyMs, lostMs: NEWS_LOST_MS })
  }

  /** The same store within the budget. */
  within(blobs: BlobStore): BlobStore {
    return spacedBlobStore({
      blobs,
      reads: { begin: (key) => this.#begin(key), rename: (from, to) => this.#reads.rename(from, to) },
      tellsReads: false,
      space: { left: () => undefined, reserve: (draft, bytes, there) => this.#reserve(draft, bytes, there) },
      ledger: {
        // What is there is known in one place, and that is not here.
        has: () => true,
        add: (key, size) => this.#untold.keep(key, size),
        touch: (key) => this.#untold.use(key),
        remove: (key) => this.#untold.lose(key),
      },
    })
  }

  /** Tells what is new, together with what others here have to tell within a moment. Each request that has read something waits for it behind its answer. Never rejects. */
  async tell(): Promise<void> {
    if (!this.#untold.any && !this.#changed) return
    if (await this.#gathering.turn()) await this.#send()
  }

  async #send(): Promise<void> {
    const { object, log } = this.#options
    const news = this.#news()
    try {
      await object.news(news)
    } catch (error) {
      this.#untold.putBack(news)
      this.#changed = true
      log.warn({ error }, 'what was read and stored here could not be told now; it is told with the next')
    }
  }

  #news(): SpaceNews {
    this.#changed = false
    const now = steady(this.#options.clock)
    for (const [leave, seenAt] of this.#readers) if (now - seenAt > SIGN_FOR_MS) leave()
    const writing = [...this.#writing].map(([draft, { written }]) => [draft, written] as const)
    return { from: this.#from, ...this.#untold.take(), reading: this.#reads.keys(), writing }
  }

  #begin(key: Key): () => void {
    const done = this.#reads.begin(key)
    const leave = () => {
      this.#readers.delete(leave)
      done()
      this.#changed = true
    }
    const seen = () => {
      this.#readers.set(leave, steady(this.#options.clock))
    }
    seen()
    const stop = this.#saySoOn(seen)
    this.#changed = true
    return () => {
      stop()
      leave()
      void this.tell()
    }
  }

  async #reserve(draft: string, bytes: number | undefined, there: number): Promise<Reservation | undefined> {
    const size = await this.#promised(draft, bytes, there)
    if (size === undefined) return undefined
    const stop = this.#saySoOn(() => {})
    const reservation = new Reservation(size, there, {
      more: (more) => this.#grow(draft, more),
      end: () => {
        stop()
        this.#writing.delete(draft)
        this.#untold.end(draft)
        void this.tell()
      },
    })
    this.#writing.set(draft, reservation)
    return reservation
  }

  async #promised(draft: string, bytes: number | undefined, there: number): Promise<number | undefined> {
    const { object, log } = this.#options
    const news = this.#news()
    try {
      return (await object.reserve({ draft, ...(bytes !== undefined && { bytes }), there, news })).size
    } catch (error) {
      this.#untold.putBack(news)
      // A bucket has no end. What is stored meanwhile is told later, or found.
      log.warn({ error, draft }, 'nobody says now whether the bucket has room: this is stored all the same')
      return firstPromise(bytes, there)
    }
  }

  async #grow(draft: string, bytes: number): Promise<boolean> {
    try {
      return (await this.#options.object.grow({ draft, bytes })).granted
    } catch (error) {
      this.#options.log.warn({ error, draft }, 'nobody says now whether the bucket has more room: this is stored all the same')
      return true
    }
  }

  /** Tells again and again, until it is stopped, or the request ends that this belongs to. */
  #saySoOn(first: () => void): () => void {
    const { clock } = this.#options
    let stop = () => {}
    const again = () => {
      stop = clock.after(SIGN_EVERY_MS, () => {
        again()
        first()
        void this.#send()
      })
    }
    again()
    return () => stop()
  }
}

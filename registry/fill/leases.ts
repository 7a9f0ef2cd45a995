import { type Clock, pause } from '../clock.ts'
import type { Log } from '../log.ts'
import type { ObjectStore } from '../object-store.ts'

/** Waits of leases, by name, in milliseconds. */
export interface LeaseLimits {
  /** Between two signs of life of who holds one. */
  readonly renewMs: number
  /** Between two looks of who waits for one, … */
  readonly lookMs: number
  /** … who takes it over after so many looks without a new sign, … */
  readonly looks: number
  /** … or after so many where its holder was the same process before it was started again. Longer than between two signs. */
  readonly ownLooks: number
  /** How long those who wait can still see that a fill ended well. Several looks. */
  readonly verifiedMs: number
}

export const LEASE_LIMITS: LeaseLimits = { renewMs: 3_000, lookMs: 500, looks: 40, ownLooks: 10, verifiedMs: 10_000 }

export interface FillLeasesOptions {
  /** Shared by the processes that share the blobs. */
  readonly objects: ObjectStore
  readonly clock: Clock
  readonly log: Log
  readonly newId: () => string
  /** The same at each start of a process, another for each that shares the blobs. A word. */
  readonly owner: string
  readonly limits?: Partial<LeaseLimits>
}

/** A lease that is held here. */
export interface Lease {
  /** Aborted when another process has taken it over. */
  readonly lost: AbortSignal
  /** `verified`: the edition of the draft whose bytes turned out right, for those who wait; what has become of it since is another matter. */
  release(verified?: string): Promise<void>
}

/** `verified/<what>`: the edition of the draft that a fill which has just ended found right. */
const VERIFIED = 'verified/'

/**
 * Which process fills a blob, where several share a bucket. A lease is an object `leases/<what>/<term>`; the newest term counts, and each is made
 * at most once, by a write that succeeds only where nothing is. The holder writes a new sign into it now and then. Nobody compares
 * clocks: who waits counts its own looks without a new sign, and then makes the next term.
 */
export class FillLeases {
  readonly limits: LeaseLimits
  readonly #options: FillLeasesOptions
  readonly #closed = new AbortController()

  constructor(options: FillLeasesOptions) {
    this.#options = options
    this.limits = { ...LEASE_LIMITS, ...options.limits }
  }

  /** undefined: another process has it. */
  async take(what: string): Promise<Lease | undefined> {
    return (await this.#newest(what)) === undefined ? await this.#make(what, 1) : undefined
  }

  /** The edition of the draft that was found right a moment ago. */
  async verified(what: string): Promise<string | undefined> {
    return await this.#text(VERIFIED + what)
  }

  /** For a process that waits: each `look` tells whether the lease has become its own. */
  waiting(what: string): { look(): Promise<Lease | undefined> } {
    let seen = ''
    let unchanged = 0
    return {
      look: async () => {
        const newest = await this.#newest(what)
        if (newest === undefined) return await this.#make(what, 1)
        const text = (await this.#text(keyOf(what, newest))) ?? ''
        const sign = `${newest} ${text}`
        unchanged = sign === seen ? unchanged + 1 : 0
        seen = sign
        const { looks, ownLooks } = this.limits
        if (unchanged < (text.startsWith(`${this.#options.owner} `) ? ownLooks : looks)) return undefined
        this.#options.log.warn({ what }, 'a fill shows no sign of life; it is taken over')
        return await this.#make(what, newest + 1)
      },
    }
  }

  async #make(what: string, term: number): Promise<Lease | undefined> {
    const { objects, newId, owner } = this.#options
    const holder = `${owner} ${newId()}`
    if (!(await objects.putIfAbsent(keyOf(what, term), encode(`${holder} 0`)))) return undefined
    const ended = new AbortController()
    const lost = new AbortController()
    const kept = this.#keep(what, term, holder, ended.signal, lost)
    return {
      lost: lost.signal,
      release: async (verified) => {
        ended.abort(new DOMException('It is no longer needed.', 'AbortError'))
        await kept
        if (verified !== undefined) {
          await objects.put(VERIFIED + what, encode(verified))
          void this.#forget(VERIFIED + what, verified)
        }
        await objects.delete(Array.from({ length: term }, (_, index) => keyOf(what, index + 1)))
      },
    }
  }

  /** Takes away what processes that were killed have left. Never rejects. */
  async tidy(): Promise<void> {
    const { objects, log } = this.#options
    try {
      const { items } = await objects.list(VERIFIED, { limit: 1_000 })
      await Promise.all(items.map(async ({ key }) => this.#forget(key, (await this.#text(key)) ?? '')))
    } catch (error) {
      log.warn({ error }, 'what is known of fills that have ended could not be tidied away')
    }
  }

  /** Waits for nothing any more. */
  close(): void {
    this.#closed.abort(new DOMException('The process ends.', 'AbortError'))
  }

  /** Takes it away when all who wait have had the time to see it. Never rejects. */
  async #forget(key: string, verified: string): Promise<void> {
    const { objects, clock, log } = this.#options
    // A process that ends does not wait.
    await pause(clock, this.limits.verifiedMs, this.#closed.signal).catch(() => undefined)
    try {
      if ((await this.#text(key)) === verified) await objects.delete([key])
    } catch (error) {
      log.warn({ key, error }, 'what is known of a fill that has ended could not be tidied away')
    }
  }

  async #keep(what: string, term: number, holder: string, ended: AbortSignal, lost: AbortController): Promise<void> {
    const { objects, clock, log } = this.#options
    for (let beat = 1; ; beat++) {
      try {
        await pause(clock, this.limits.renewMs, ended)
        if ((await this.#newest(what)) !== term) return lost.abort(new DOMException('Another process has taken this over.', 'AbortError'))
        await objects.put(keyOf(what, term), encode(`${holder} ${beat}`))
      } catch (error) {
        if (ended.aborted) return
        log.warn({ what, error }, 'a lease could not be renewed')
      }
    }
  }

  async #newest(what: string): Promise<number | undefined> {
    const { items } = await this.#options.objects.list(`leases/${what}/`, { limit: 1_000 })
    const last = items.at(-1)
    return last === undefined ? undefined : Number.parseInt(last.key.slice(last.key.lastIndexOf('/') + 1), 16)
  }

  async #text(key: string): Promise<string | undefined> {
    const object = await this.#options.objects.get(key)
    return object && (await new Response(object.stream).text())
  }
}

function keyOf(what: string, term: number): string {
  return `leases/${what}/${term.toString(16).padStart(8, '0')}`
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

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
}

export const LEASE_LIMITS: LeaseLimits = { renewMs: 3_000, lookMs: 500, looks: 40, ownLooks: 10 }

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
  release(): Promise<void>
}

/**
 * Which process fills a blob, where several share a bucket. A lease is an object `leases/<what>/<term>`; the newest term counts, and each is made
 * at most once, by a write that succeeds only where nothing is. The holder writes a new sign into it now and then. Nobody compares
 * clocks: who waits counts its own looks without a new sign, and then makes the next term.
 */
export class FillLeases {
  readonly limits: LeaseLimits
  readonly #options: FillLeasesOptions

  constructor(options: FillLeasesOptions) {
    this.#options = options
    this.limits = { ...LEASE_LIMITS, ...options.limits }
  }

  /** undefined: another process has it. */
  async take(what: string): Promise<Lease | undefined> {
    return (await this.#newest(what)) === undefined ? await this.#make(what, 1) : undefined
  }

  /** For a process that waits: each `look` tells whether the lease has become its own. */
  waiting(what: string): { look(): Promise<Lease | undefined> } {
    let seen = ''
    let unchanged = 0
    return {
      look: async () => {
        const newest = await this.#newest(what)
        if (newest === undefined) return await this.#make(what, 1)
        const text = await this.#sign(what, newest)
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
      release: async () => {
        ended.abort(new DOMException('It is no longer needed.', 'AbortError'))
        await kept
        await objects.delete(Array.from({ length: term }, (_, index) => keyOf(what, index + 1)))
      },
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

  async #sign(what: string, term: number): Promise<string> {
    const object = await this.#options.objects.get(keyOf(what, term))
    return object === undefined ? '' : await new Response(object.stream).text()
  }
}

function keyOf(what: string, term: number): string {
  return `leases/${what}/${term.toString(16).padStart(8, '0')}`
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

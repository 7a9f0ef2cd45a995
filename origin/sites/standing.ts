import type { FeedSites } from '../../mesh/feed.ts'
import { Lease, Vow } from '../../mesh/lease.ts'
import type { SiteCard } from '../../mesh/sites.ts'
import { type Clock, steady } from '../../registry/clock.ts'
import type { Log } from '../../registry/log.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import type { Database } from '../../schema/database.ts'
import { type KeptPair, readPair, type SitePair, type SiteRole, savePair } from '../../schema/mirror/pair.ts'
import { resumeMirroring } from '../../schema/mirror/primary.ts'
import type { Secrets } from '../services.ts'
import { openSiteKeys, type SiteKeys } from './keys.ts'
import { LEASE_MS, READ_GRACE_MS } from './limits.ts'

export interface StandingOptions {
  readonly db: Database
  readonly secrets: Secrets
  readonly clock: Clock
  readonly log: Log
  readonly newId: () => string
  /** Another process of this site talks to the other one, and holds the lease; this one learns of a new role from the database. */
  readonly watching?: boolean
}

/** What a standby and its primary last told each other. */
export interface Contact {
  /** When the other site was last heard, by the steady clock; undefined: not in this run. */
  heardAt: number | undefined
  /** The same by the time of day, for people. */
  heardOn: number | undefined
  /** At a standby: where the primary's log is, and how old the oldest change is that is not here, as it said then. */
  head: number
  behindMs: number
  /** At a standby: what went wrong last. */
  problem: string | undefined
  /** Why the standby takes in nothing of what its primary gives. Both know it. */
  stuck: string | undefined
  /** At a standby: when it last had taken in what it was given, by the steady clock. */
  tookAt: number | undefined
}

/** Which of a pair this site is, and so what it may do. There is one in a process; all that writes or serves asks it. */
export class Standing {
  readonly lease: Lease
  readonly contact: Contact = {
    heardAt: undefined,
    heardOn: undefined,
    head: 0,
    behindMs: 0,
    problem: undefined,
    stuck: undefined,
    tookAt: undefined,
  }
  readonly #options: StandingOptions
  readonly #listeners = new Set<() => void>()
  readonly #openedAt: number
  #kept: KeptPair | undefined
  #keys: SiteKeys | undefined
  readonly #vow: Vow
  #changing: Promise<unknown> = Promise.resolve()

  private constructor(options: StandingOptions) {
    this.#options = options
    const time = { monotonic: () => steady(options.clock) }
    this.lease = new Lease(time, options.newId())
    this.#vow = new Vow(time, LEASE_MS)
    this.#openedAt = steady(options.clock)
  }

  static async open(options: StandingOptions): Promise<Standing> {
    const standing = new Standing(options)
    await standing.#take(await readPair(options.db))
    // What an earlier run of this process may have promised a moment ago.
    standing.#vow.promise(standing.pair?.leaseMs ?? 0)
    options.db.fence(() => standing.writing())
    // The tables may be others than those that the log was begun with.
    if (options.watching !== true && standing.role === 'primary' && standing.pair?.mirroring === true) await resumeMirroring(options.db)
    return standing
  }

  get watching(): boolean {
    return this.#options.watching === true
  }

  /** undefined: this site has no other. */
  get pair(): SitePair | undefined {
    return this.#kept?.pair
  }

  get role(): SiteRole | 'alone' {
    return this.pair?.role ?? 'alone'
  }

  get epoch(): number {
    return this.pair?.epoch ?? 0
  }

  get peer(): SiteCard | undefined {
    return this.pair?.peer
  }

  /** What edges are told of the pair; undefined: there is none. */
  get sites(): FeedSites | undefined {
    const { pair, peer } = this
    return pair === undefined || peer === undefined ? undefined : { epoch: pair.epoch, urls: [pair.self.url, peer.url] }
  }

  get keys(): SiteKeys {
    if (this.#keys === undefined) throw new TypeError('This site has never been one of two.')
    return this.#keys
  }

  get vow(): Vow {
    return this.#vow
  }

  /** How far the log has come that was kept; the standby may be further. */
  get reached(): number {
    return this.#kept?.reached ?? 0
  }

  /** Why nothing may be written now; undefined: it may. */
  writing(): RegistryError | undefined {
    const { pair } = this
    if (pair?.peer === undefined) return undefined
    const { name, url } = pair.peer
    if (pair.role === 'standby') {
      return new RegistryError('DENIED', `This site is the standby of ${name} and takes no changes. Send them to ${url}.`, { primary: url })
    }
    if (pair.role === 'fenced') {
      return new RegistryError('DENIED', `${name} has taken over from this site, which takes no changes any more. Send them to ${url}.`, {
        primary: url,
      })
    }
    if (!pair.guarded || pair.away === 'continue' || this.#options.watching === true || this.lease.held) return undefined
    const message = `This site may write only while it hears its standby ${name}, which could have taken over by now. It goes on when the standby is back.`
    return new RegistryError('UNAVAILABLE', message, { standby: url }, { headers: { 'Retry-After': '2' } })
  }

  /** Why nothing may be shown now to clients; undefined: it may. */
  reading(): RegistryError | undefined {
    const { pair } = this
    if (pair?.peer === undefined || pair.role === 'primary') return undefined
    const { name, url } = pair.peer
    if (pair.role === 'fenced') return elsewhere(`${name} has taken over from this site. Ask ${url}.`, url)
    if (pair.filling !== undefined)
      return elsewhere(`This site is becoming the standby of ${name}, and does not have everything yet. Ask ${url}.`, url)
    const silence = steady(this.#options.clock) - (this.contact.tookAt ?? this.#openedAt)
    if (silence <= READ_GRACE_MS) return undefined
    return elsewhere(`This standby has taken in nothing of ${name} for so long that it trusts nothing it knows. Ask ${url}.`, url)
  }

  heard(): void {
    this.contact.heardAt = steady(this.#options.clock)
    this.contact.heardOn = this.#options.clock.now()
  }

  /** What the primary gave is taken in, and nothing is in the way any more. */
  took(): void {
    this.contact.tookAt = steady(this.#options.clock)
    this.contact.problem = undefined
    this.contact.stuck = undefined
  }

  /** Calls the listener whenever the role may have changed. */
  on(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Changes what this site is, durably; one change after the other. undefined from `update`: nothing changes. */
  async change(
    update: (pair: SitePair) => SitePair | undefined,
    write: (pair: SitePair) => Promise<unknown> = (pair) => savePair(this.#options.db, pair),
  ): Promise<SitePair> {
    const work = async () => {
      const { pair } = this
      if (pair === undefined)
        throw new RegistryError('UNSUPPORTED', 'This site is not one of a pair. Pair it first: atoll dr pair', undefined, { status: 412 })
      const next = update(pair)
      if (next === undefined) return pair
      await write(next)
      await this.reload()
      return next
    }
    const done = this.#changing.then(work, work)
    this.#changing = done
    return await done
  }

  /** Becomes one of two. */
  async begin(pair: SitePair, write: (pair: SitePair) => Promise<unknown> = (next) => savePair(this.#options.db, next)): Promise<void> {
    await write(pair)
    await this.reload()
  }

  /** Reads it again: this process or another has written it. */
  async reload(): Promise<void> {
    await this.#take(await readPair(this.#options.db))
  }

  /** Another site has a higher epoch, and so is the primary: this one writes no more, whatever it was. */
  async supersededBy(epoch: number): Promise<void> {
    await this.change((pair) => (epoch > pair.epoch && pair.role === 'primary' && pair.peer !== undefined ? { ...pair, role: 'fenced' } : undefined))
    if (this.role === 'fenced') this.#options.log.warn({ epoch }, 'The other site has taken over: this one takes no changes any more.')
  }

  async #take(kept: KeptPair | undefined): Promise<void> {
    const { db, secrets } = this.#options
    if (kept !== undefined && kept.pair.sealedKeys !== this.pair?.sealedKeys) this.#keys = await openSiteKeys(kept.pair.sealedKeys, secrets)
    const [before, peer] = [this.role, this.peer]
    this.#kept = kept
    db.replica(kept?.pair.role === 'standby')
    // What went wrong was in the way of what this site was.
    if (before !== this.role || peer?.id !== this.peer?.id) Object.assign(this.contact, { problem: undefined, stuck: undefined })
    if (before !== this.role && this.role === 'standby') Object.assign(this.contact, { heardAt: undefined, tookAt: undefined })
    for (const listener of this.#listeners) listener()
  }
}

function elsewhere(message: string, url: string): RegistryError {
  return new RegistryError('UNAVAILABLE', message, { primary: url }, { headers: { 'Retry-After': '5' } })
}

import type { Descriptor } from '../spec/descriptors.ts'
import type { RepositoryName, Tag } from '../spec/names.ts'

/** What the source said a tag is, and for how long that may be repeated. Times are milliseconds since the epoch. */
export interface TagLease {
  readonly descriptor: Descriptor
  readonly fetchedAt: number
  /** Until then the source need not be asked. */
  readonly freshUntil: number
  /** Until then it may be served when the source fails. */
  readonly staleUntil: number
}

/** Decides how long answers about tags hold. */
export interface Freshness {
  /** For an answer that the source gave at `now`. */
  grant(repository: RepositoryName, tag: Tag, now: number): Pick<TagLease, 'freshUntil' | 'staleUntil'>
  /**
   * `fresh`: serve it. `behind`: serve it, and ask the source behind the client's back. `ask`: the source is asked first, and
   * the lease is what is served if it fails. `expired`: it is not served any more.
   */
  judge(lease: TagLease, now: number, repository: RepositoryName, tag: Tag): 'fresh' | 'behind' | 'ask' | 'expired'
}

export interface LeaseTimes {
  readonly freshMs: number
  /** For so long after it was fresh, a client does not wait for the source. */
  readonly behindMs: number
  /** For so long after it was fetched, it is served while the source fails. */
  readonly staleMs: number
}

export const LEASE_TIMES: LeaseTimes = { freshMs: 60_000, behindMs: 60_000, staleMs: 24 * 3_600_000 }

/** For upstreams, which do not tell when a tag moves: `times` may differ by tag. */
export function leases(times: LeaseTimes | ((repository: RepositoryName, tag: Tag) => LeaseTimes) = LEASE_TIMES): Freshness {
  const timesOf = typeof times === 'function' ? times : () => times
  return {
    grant(repository, tag, now) {
      const { freshMs, staleMs } = timesOf(repository, tag)
      return { freshUntil: now + freshMs, staleUntil: now + Math.max(freshMs, staleMs) }
    },
    judge: (lease, now, repository, tag) => judge(lease, now, timesOf(repository, tag).behindMs),
  }
}

export interface FollowedOptions {
  /** Whether the feed is connected and up to date: what it told to forget is forgotten. */
  readonly connected: () => boolean
  /** For how long after it was fetched an answer is served while the feed and the source are away. */
  readonly graceMs: () => number
}

/** For an origin whose feed tells when a tag moves: fresh until told otherwise, as long as it is heard. */
export function followed({ connected, graceMs }: FollowedOptions): Freshness {
  return {
    grant: (_repository, _tag, now) => ({ freshUntil: now, staleUntil: now + graceMs() }),
    judge: (lease, now) => (connected() ? 'fresh' : judge({ ...lease, staleUntil: lease.fetchedAt + graceMs() }, now, 0)),
  }
}

function judge(lease: TagLease, now: number, behindMs: number): 'fresh' | 'behind' | 'ask' | 'expired' {
  // A clock that was set back makes every lease look young: what was fetched in the future is asked about.
  if (now < lease.fetchedAt) return 'ask'
  if (now < lease.freshUntil) return 'fresh'
  if (now >= lease.staleUntil) return 'expired'
  return now < lease.freshUntil + behindMs ? 'behind' : 'ask'
}

import type { Descriptor } from '../spec/descriptors.ts'
import type { RepositoryName, Tag } from '../spec/names.ts'
import { type LeaseTimes, leaseTimesOf } from './lease-rules.ts'

/** What the source said a tag is. How long that may be repeated is judged when it is: who shortens a lease means those that are out as well. */
export interface TagLease {
  readonly descriptor: Descriptor
  /** Milliseconds since the epoch. */
  readonly fetchedAt: number
}

/**
 * `fresh`: serve it. `behind`: serve it, and ask the source behind the client's back. `ask`: the source is asked first, and the lease is
 * what is served if it fails. `expired`: it is not served any more.
 */
export type Verdict = 'fresh' | 'behind' | 'ask' | 'expired'

/** Decides how long answers about tags hold. */
export interface Freshness {
  judge(lease: TagLease, now: number, repository: RepositoryName, tag: Tag): Verdict
}

/** For upstreams, which do not tell when a tag moves. */
export function leases(timesOf: (tag: Tag) => LeaseTimes = (tag) => leaseTimesOf([], tag)): Freshness {
  return {
    judge({ fetchedAt }, now, _repository, tag) {
      const { freshMs, behindMs, staleMs } = timesOf(tag)
      const age = now - fetchedAt
      // A clock that was set back makes every lease look young: what was fetched in the future is asked about.
      if (age < 0) return 'ask'
      if (age < freshMs) return 'fresh'
      if (age >= Math.max(freshMs, staleMs)) return 'expired'
      return age < freshMs + behindMs ? 'behind' : 'ask'
    },
  }
}

export interface FollowedOptions {
  /** Whether the feed is connected and up to date: what it told to forget is forgotten. */
  readonly connected: () => boolean
  /** When it last was, in milliseconds since the epoch; undefined: never. */
  readonly heardAt: () => number | undefined
  /** For how long from then on, or after it was fetched, an answer is served while the feed and the source are away. */
  readonly graceMs: () => number
}

/** For an origin whose feed tells when a tag moves: fresh until told otherwise, as long as it is heard. */
export function followed({ connected, heardAt, graceMs }: FollowedOptions): Freshness {
  return {
    judge({ fetchedAt }, now) {
      if (connected()) return 'fresh'
      return now < Math.max(fetchedAt, heardAt() ?? fetchedAt) + graceMs() ? 'ask' : 'expired'
    },
  }
}

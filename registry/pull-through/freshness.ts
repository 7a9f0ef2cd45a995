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

/**
 * For an origin whose feed tells when a tag moves: fresh until told otherwise, as long as it is heard (`connected`: what it told to forget is
 * forgotten). For how long an answer is good while it is not heard, whoever decides about rights decides as well: by the grace of each project.
 */
export function followed(connected: () => boolean): Freshness {
  return { judge: () => (connected() ? 'fresh' : 'ask') }
}

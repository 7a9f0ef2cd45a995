/** Every limit of a pull-through, by name. Times are milliseconds. */
export interface PullThroughLimits {
  /** How long a client waits for the source when there is something stale to give. */
  readonly staleAfterMs: number
  /** One question about a manifest or a tag, answered whole. */
  readonly sourceMs: number
  /** One question whether a tag is still what it was. */
  readonly renewalMs: number
  /** For how long a source that has failed is not asked about what can be served stale. */
  readonly failingMs: number
  /** For how long a source that answers 429 is not asked, if it does not say … */
  readonly limitedMs: number
  /** … and at most, whatever it says. */
  readonly limitedMaxMs: number
  /** How long an unknown tag is remembered as unknown. */
  readonly unknownTagMs: number
  /** The same for digests. Short: nobody tells when one is pushed. */
  readonly unknownDigestMs: number
  /** For how long a source that refused something, or sent a wrong manifest, is not asked for it again. */
  readonly refusalMs: number
  /** Entries kept in memory, in front of the records. 0: none, for processes that share records and are not told what to forget. */
  readonly tagsInMemory: number
  readonly linksInMemory: number
  readonly manifestBytesInMemory: number
  /** What is remembered of unknown tags and digests, of refusals, and of manifests that no client has taken yet. */
  readonly negatives: number
  /** Blobs asked for at once before a client asks for them. 0: none. */
  readonly prefetches: number
  /** Blobs that wait for that. A further one is left to its client. */
  readonly prefetchesWaiting: number
  /** A blob that is not there by then gives its turn to the next one, and comes on beside it. */
  readonly prefetchMs: number
}

export const PULL_THROUGH_LIMITS: PullThroughLimits = {
  staleAfterMs: 350,
  sourceMs: 60_000,
  renewalMs: 10_000,
  failingMs: 5_000,
  limitedMs: 10_000,
  limitedMaxMs: 6 * 3_600_000,
  unknownTagMs: 10_000,
  unknownDigestMs: 2_000,
  refusalMs: 10_000,
  tagsInMemory: 10_000,
  linksInMemory: 50_000,
  manifestBytesInMemory: 32 * 1024 * 1024,
  negatives: 10_000,
  prefetches: 4,
  prefetchesWaiting: 256,
  prefetchMs: 60_000,
}

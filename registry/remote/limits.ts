import { MANIFEST_LIMIT } from '../spec/manifests.ts'

/** Every wait and every size of the client, by name. Times are milliseconds, sizes bytes. */
export interface RemoteLimits {
  /** From sending a request to the head of its answer, connecting included. */
  readonly firstByteMs: number
  /** Between two chunks of a body, in either direction. */
  readonly stallMs: number
  /** For the whole body of a small answer: a manifest, a page of tags, a token. */
  readonly smallBodyMs: number
  /** How often a request that may be repeated is sent at most. */
  readonly attempts: number
  /** No attempt begins later than this after the first. */
  readonly retryWindowMs: number
  /** The first pause between attempts is up to this long; each next one up to twice as long. */
  readonly backoffMs: number
  /** The pause after a 429 that does not say how long it should be. */
  readonly limitedMs: number
  readonly redirects: number
  readonly manifestBytes: number
  /** A page of tags, referrers or repositories. */
  readonly listBytes: number
  readonly tokenBytes: number
  readonly errorBytes: number
  /** Tokens remembered at once. */
  readonly tokens: number
  /** A token counts as expired so long before it is. */
  readonly tokenMarginMs: number
  /** For how long a registry that answers no HEAD for a manifest is asked with GET at once. */
  readonly headlessMs: number
  /** For how long a registry that takes no blob in one request is not sent one. */
  readonly sessionsOnlyMs: number
  /** How many pages of a list that does not sort as asked are looked through. */
  readonly listPages: number
}

export const DEFAULT_LIMITS: RemoteLimits = {
  firstByteMs: 15_000,
  stallMs: 30_000,
  smallBodyMs: 30_000,
  attempts: 3,
  retryWindowMs: 20_000,
  backoffMs: 250,
  limitedMs: 5_000,
  redirects: 5,
  manifestBytes: MANIFEST_LIMIT,
  listBytes: 4 * 1024 * 1024,
  tokenBytes: 64 * 1024,
  errorBytes: 8 * 1024,
  tokens: 1_000,
  tokenMarginMs: 10_000,
  headlessMs: 3_600_000,
  sessionsOnlyMs: 3_600_000,
  listPages: 100,
}

// Every bound of warming, by name.

/** Blobs of one image at once: as clients do. */
export const BLOBS_AT_ONCE = 3
/** How often a large blob is told of, in bytes. */
export const PROGRESS_BYTES = 16 * 1024 * 1024
/** Manifests of one image: an index of indexes may name more than anybody wants. */
export const WARM_MANIFESTS = 1_000
/** Warmings that somebody waits for, at once. */
export const WARMINGS_AT_ONCE = 4
/** Warmings because of a push, at once: clients go first. */
export const RULED_AT_ONCE = 1
/** Pushes that wait to be warmed; further ones are warmed by who pulls them. */
export const RULED_WAITING = 1_000
/** The body of a request, in bytes. */
export const WARM_REQUEST_BYTES = 16 * 1024
/** When somebody who finds all warmings taken may try again, in seconds. */
export const WARM_RETRY_AFTER_S = 10
/** In a Worker, for one image because of a push, in milliseconds. */
export const WARMED_BY_RULE_MS = 1_800_000

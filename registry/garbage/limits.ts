// Every bound of this room, by name.

/** How long what nobody needs is kept, in milliseconds: no push may take longer from hearing that a blob is there to its manifest. */
export const GRACE_MS = 2 * 3_600_000
/** Rows looked at, or taken, in one write: everybody else's writes wait meanwhile. */
export const BATCH = 500
/** Deletions under way at once. */
export const CONCURRENCY = 32
/** How long a collector begins deletions of what it claimed, in milliseconds. */
export const CLAIM_MS = 60_000
/**
 * After so long nothing of a claim is under way any more, even where the store answered each request of a deletion as late as it may. Then
 * whoever wants the claimed blobs may have them: another collector, or a push.
 */
export const CLAIM_OVER_MS = 16 * 60_000

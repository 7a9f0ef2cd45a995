/** What a copy may do at once and hold, by name. */

/** Requests of one copy at once, as a count: a look at a blob, a manifest, a small blob. */
export const REQUESTS_AT_ONCE = 4
/** Larger blobs of one copy on their way at once, as a count. */
export const STREAMS_AT_ONCE = 4
/**
 * In bytes: a blob of up to so many is read whole and sent in one request. Less than what a server reads for nothing before it closes the connection
 * of whoever sends it a body that it does not want (256 KiB, in Go).
 */
export const SMALL_BLOB = 128 * 1024
/** Repositories of the destination that are tried for a mount, as a count. */
export const MOUNT_CANDIDATES = 3
/** How often a blob is taken up again without a single new byte having arrived. */
export const FRUITLESS_LIMIT = 6
/** Milliseconds before a blob is taken up again; after each try without any new byte twice as long. */
export const PAUSE_MS = 100
/** How often a copy sends a blob to a destination that makes other bytes of it, as a count. */
export const LOST_LIMIT = 2

// Every bound of the cache's space, by name. Milliseconds and bytes.

const MIB = 1024 * 1024

/** How often the ledger's changed shards are written. */
export const KEEP_USES_MS = 5 * 60_000
/** How often it is seen to that the cache is within its budget, whoever else fills the disk. */
export const TRIM_EVERY_MS = 30_000
/** How long after a look through the store that failed the next begins: each wait is twice the one before. */
export const LOOK_AGAIN_FIRST_MS = 10_000
export const LOOK_AGAIN_LAST_MS = 10 * 60_000
/** How often a store is looked through that other processes may fill, too: so late it is seen that together they are over the budget. */
export const LOOK_EVERY_MS = 5 * 60_000
/** A use is written down only if the one that is written is older than this. */
export const USE_PRECISION_MS = 10 * 60_000
/** How long what the pins cover is believed. */
export const PINS_MS = 60_000
/** It is worked out sooner where something pinned has come, after so many times as long as it takes. */
export const PINS_REST = 10
/** Asked for by a draft whose final size nobody knows, each time it has used up what it has. */
export const GROWTH_BYTES = 64 * MIB
/** Evicted at least, when the disk turns out to be full. */
export const SQUEEZE_BYTES = 16 * MIB
/** Objects of the ledger. */
export const SHARDS = 64
/** How often it is said that there is no room. */
export const REFUSALS_TOLD_MS = 60_000
/** Shards read, or blobs looked at, at once. */
export const AT_ONCE = 8
/** Names listed at once. */
export const PAGE = 1_000
/** A draft that was closed a moment ago is about to be committed or taken up. */
export const DRAFT_REST_MS = 60_000

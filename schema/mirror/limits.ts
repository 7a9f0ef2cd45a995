// Every bound of this room, by name.

/** Entries and bytes of the log of rows in one batch, unless one transaction has more. */
export const MIRROR_BATCH_ROWS = 2_000
export const MIRROR_BATCH_BYTES = 4 * 1024 * 1024
/** Rows and bytes in one page of a table while a standby is filled, unless one row has more. */
export const MIRROR_PAGE_ROWS = 1_000
export const MIRROR_PAGE_BYTES = 4 * 1024 * 1024
/** Entries of the log that are forgotten at once: everybody else's writes wait meanwhile. */
export const MIRROR_FORGET_ROWS = 5_000
/** Artifacts that a site which comes back reads at once. */
export const ONLY_HERE_PAGE = 200

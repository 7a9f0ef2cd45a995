// The waits and bounds of this room, by name; times in milliseconds.

/** How often it is swept, and how long after the start for the first time. */
export const SWEEP_EVERY_MS = 3_600_000
export const FIRST_SWEEP_MS = 10 * 60_000
/** How often the names in the audit log are written down. */
export const NAMES_EVERY_MS = 10_000
/** A draft that no upload has at two sweeps so far apart is nobody's: a push makes its draft less than a minute before its record. */
export const STRAY_DRAFT_MS = 3_600_000
/** Drafts that are remembered from one sweep to the next. */
export const STRAYS_LIMIT = 10_000
/** Rows in one write: everybody else's writes wait meanwhile. */
export const ROWS = 200
/** Uploads that break off are taken up again within a week or not at all: where one went is of no use afterwards. */
export const TRANSFERS_KEPT_MS = 7 * 24 * 3_600_000
/** A site that was cut off for longer can bring back a tag that was deleted meanwhile. */
export const TOMBSTONES_KEPT_MS = 30 * 24 * 3_600_000

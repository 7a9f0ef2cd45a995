// Every bound of a bucket's budget, by name. Milliseconds, unless the name says otherwise.

/** What isolates have used is told to the bucket's object so long after the first of it, together. */
export const NEWS_EVERY_MS = 2_000
/** The same for an object that fetches one blob: the room that it was promised is to be counted as what it became. */
export const FILL_NEWS_EVERY_MS = 100
/** Whoever gathers for all and has said nothing for so long was ended. */
export const NEWS_LOST_MS = 4_000
/**
 * From the choice of what goes to its end: whoever has just begun to read it has told so by then, and it stays. Well above what it takes
 * to tell, lost gatherers included.
 */
export const LEAVING_MS = 10_000
/** Who reads or writes says so again as often as this … */
export const SIGN_EVERY_MS = 20_000
/** … and is believed for so long. */
export const SIGN_FOR_MS = 60_000
/** An answer of the bucket's object to a fill that wants room. */
export const SPACE_ANSWER_MS = 2_000
/** A use is written down only if the one that is written is older than this; in between it is remembered. */
export const USE_PRECISION_MS = 60_000
/** Uses that are remembered, not written. */
export const USES_IN_MEMORY = 20_000
/** The bucket is looked through again. */
export const LOOK_EVERY_MS = 24 * 3_600_000
/** What the pins cover is worked out again when room is needed and it is older than this. */
export const PINNED_FOR_MS = 10 * 60_000
/** After a piece of the work, the next one. */
export const STEP_MS = 50
/** When there is too much and nothing may go, it is tried again. */
export const TRIM_AGAIN_MS = 60_000
/** A piece of the work that failed is tried again. */
export const STEP_AGAIN_MS = 10_000

/** Blobs that isolates or fills tell of at once; more are not told of, and found by the next look. */
export const NEWS_KEYS = 5_000
/** Blobs of one telling that nobody knew of, and that are looked for. */
export const UNKNOWN_AT_ONCE = 100
/** Names listed, and blobs looked at, in one piece of a look through the bucket. */
export const LOOK_PAGE = 200
/** Tags, each with its manifests. */
export const TAGS_PAGE = 50
/** Names of links. */
export const LINKS_PAGE = 1_000
/** Pages of that for whoever needs room before it is known. */
export const PINS_PAGES = 8
/** Entries of the ledger read at once, and for one choice of what goes. */
export const OLDEST_PAGE = 500
export const OLDEST_MOST = 20_000
/** Blobs deleted in one piece. */
export const DELETED_AT_ONCE = 48
/** Isolates and fills whose readers are known. */
export const READERS_MOST = 10_000

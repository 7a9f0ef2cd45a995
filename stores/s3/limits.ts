// Every wait and count of the S3 adapter, by name.

/** From a request to the headers of its answer, when the body is in memory. */
export const ANSWER_MS = 30_000
/** The same where nothing but an answer is asked for: somebody waits, and a store that is well answers in a fraction of a second. */
export const READ_ANSWER_MS = 10_000
/** Between two pieces of a body, in either direction. */
export const STALL_MS = 60_000
/** All tries of one request together. */
export const TOTAL_MS = 90_000
export const READ_TOTAL_MS = 20_000
export const ATTEMPTS = 4
/** Batches of deletions under way at once: what else is wanted meanwhile goes with the next. */
export const BATCHES = 2
/** From somebody's wish that an object be deleted to the beginning of the last try. */
export const DELETIONS_MS = 45_000
/** The longest pause before the first new try; it doubles, up to the limit, and the pause is anything between nothing and that. */
export const BACKOFF_MS = 200
export const BACKOFF_LIMIT_MS = 5_000
/** S3's own limits for one answer of a listing and one batch of a delete. */
export const PAGE = 1000

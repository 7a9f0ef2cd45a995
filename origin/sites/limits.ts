// Every wait and bound of this room, by name. Milliseconds, unless the name says otherwise.

/** How long a one-time token for a standby is good. */
export const INVITATION_MS = 60 * 60_000
/** How long a question about the log waits for something to be written. With it, a standby says at least so often that it is there. */
export const LOG_WAIT_MS = 1_000
/** A standby that asks for nothing says a word after so long. With the next figure, it must be well below the shortest lease. */
export const BEAT_EVERY_MS = 1_250
/** How often it is looked whether a word is due. */
export const BEAT_LOOK_MS = 250
/** Until such a word is answered. */
export const BEAT_ANSWER_MS = 3_000
/** What a standby says of what is in its way, in characters. */
export const STUCK_CHARACTERS = 512
/** Between two looks for what other processes on the same database wrote. */
export const LOG_LOOK_MS = 200
/** A question to the other site, from its start to the last byte of its answer. */
export const SITE_ANSWER_MS = 15_000
/** A page of a table, or a batch of the log. */
export const SITE_ANSWER_BYTES = 256 * 1024 * 1024
export const SITE_QUESTION_BYTES = 64 * 1024
/** Between two tries to reach the other site; it doubles up to the last. */
export const SITE_RETRY_FIRST_MS = 200
export const SITE_RETRY_LAST_MS = 3_000
/** Blobs that travel at once. */
export const BLOBS_AT_ONCE = 4
/** Names of bytes that a site which comes back looks up at once. */
export const STRAYS_AT_ONCE = 1_000
/** Without a byte for so long, a blob is taken up again. */
export const BLOB_STALL_MS = 30_000
/** How often a blob is taken up again without a single new byte having arrived. */
export const BLOB_FRUITLESS = 6
/** How long a primary writes after its standby's last word, unless the administrator says otherwise. */
export const LEASE_MS = 10_000
/** How long a standby that hears nothing goes on answering pulls. */
export const READ_GRACE_MS = 24 * 3_600_000
/** How often what a standby has said is written down. */
export const REACHED_EVERY_MS = 1_000
/** How long a push to a synchronous project waits for the standby. */
export const SYNCHRONOUS_MS = 30_000
/** A primary that does not answer in time is not there: it has its lease, which is waited for. */
export const STEP_DOWN_ANSWER_MS = 3_000
/** How long a primary that steps down is followed to its end. */
export const STEP_DOWN_MS = 60_000
/** Entries that a log may hold for a standby that is away; then it is given up, and the standby must be filled anew. */
export const LOG_LIMIT = 5_000_000
/** How often that is looked at. */
export const LOG_CHECK_MS = 60_000
/** Rows that are no artifacts, of those that only a site which comes back has. */
export const QUARANTINED_ROWS = 50_000
/** How long a token for the quarantine is used before another is asked for. */
export const TOKEN_REUSE_MS = 30_000
/** Until the origin of a drill answers, and how often it is looked. */
export const DRILL_START_MS = 60_000
export const DRILL_LOOK_MS = 100
/** Artifacts that a drill pulls at most. */
export const DRILL_SAMPLE = 1_000
/** How often a process that does not talk to the other site looks which role this one has. */
export const ROLE_LOOK_MS = 1_000

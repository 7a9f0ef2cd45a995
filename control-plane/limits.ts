/** The waits of the control plane, by name, in milliseconds. */

/** A job whose holder has been silent for so long is given to another. */
export const LEASE_MS = 30_000
/** How often a holder says that it is still there. */
export const RENEW_MS = 10_000
/** How often it looks whether somebody has stopped its job: stopping takes effect within a second. */
export const WATCH_MS = 500
/** How often an idle scheduler looks for jobs that other processes enqueued. */
export const POLL_MS = 2_000
/** Jobs beyond those that a process does at once, each the only one of its lane: so many endpoints may hang, and the next is still asked. */
export const FIRSTS_BEYOND = 16
export const BACKOFF_MS = 2_000
export const BACKOFF_LIMIT_MS = 10 * 60_000
/** How often progress is written down. */
export const PROGRESS_MS = 1_000

export const TAGS_OF_A_TASK = 50
/** Tags of a task that are copied at once: most of the time of a small image is that of its round trips. */
export const TAGS_AT_ONCE = 8
/** Over these tags together: requests at once, and besides, larger blobs on their way, each of which holds buffers. */
export const REQUESTS_OF_A_TASK = 16
export const STREAMS_OF_A_TASK = 4
/** Tasks that are written down at once: everybody else's writes wait meanwhile. */
export const TASKS_BATCH = 100
/** How far it is followed what a referrer refers to: a signature of an SBOM of an image in an index is three. */
export const SUBJECTS_DEPTH = 5
/** How often a tag that moves at the source while it is copied is copied again by the same task. */
export const MOVES_LIMIT = 10
/** Artifacts that retention reads at once, and those it takes away in one write: everybody else's writes wait meanwhile. */
export const CANDIDATES_PAGE = 1_000
export const RELEASE_BATCH = 250
export const LIST_PAGE = 1_000
export const CHANGES_BATCH = 500
/** How often in a row a change is tried to be followed before it is passed over. */
export const CHANGE_ATTEMPTS = 5
/** How often a follower of the feed writes down how far it has come. */
export const CURSOR_SAVE_MS = 1_000
/** Bytes in one request of a copy by chunk, as Harbor's default. */
export const CHUNK_BYTES = 10 * 1024 * 1024
/** Repositories of the destination that are thought of for a mount, before a blob travels. */
export const MOUNT_SOURCES = 4
/** Blobs that a new one may be compared with, and those of them that the destination is asked for if it is not known to have any. */
export const DELTA_CANDIDATES = 6
export const DELTA_QUESTIONS = 3

/** What is done by one process only is given to another when that one has been silent for so long. */
export const SOLE_LEASE_MS = 30_000
/** Entries of the audit log sent at once. */
export const FORWARD_BATCH = 500
/** How often the end of the audit log is looked at. */
export const FORWARD_POLL_MS = 500
/** What a receiver of syslog has kept its connection open for so long after, it has: the protocol itself acknowledges nothing. */
export const FORWARD_SETTLE_MS = 2_000
export const FORWARD_BACKOFF_LIMIT_MS = 60_000

/** How often it is looked whether there is something to begin or to do. */
export const RUNS_POLL_MS = 250
/** How often a follower writes down how far it has come while nobody wants to hear of anything, in milliseconds: a write for each look would be many. */
export const PASSED_SAVE_MS = 5_000
/** Receivers that are sent to at once. */
export const WEBHOOKS_AT_ONCE = 64
/** Until a receiver has answered. */
export const WEBHOOK_TIME_MS = 10_000
/** Of an answer that is kept, in bytes. */
export const WEBHOOK_ANSWER_LIMIT = 4 * 1024
/** With these, a receiver may be away for half a day. */
export const WEBHOOK_ATTEMPTS = 12
export const WEBHOOK_BACKOFF_MS = 5_000
export const WEBHOOK_BACKOFF_LIMIT_MS = 3 * 3_600_000

/** How often a process says that it does jobs, and after what silence it is forgotten. */
export const POOL_SEEN_MS = 10_000
export const POOL_FORGOTTEN_MS = 3_600_000

/** Artifacts that a webhook names of a run that ended. */
export const WEBHOOK_ARTIFACTS_LIMIT = 1_000

/** Edges that are warmed at once. */
export const EDGES_AT_ONCE = 16
/** Artifacts of one run. */
export const PREHEAT_LIMIT = 10_000
/** Until an edge has fetched one. */
export const PREHEAT_TIME_MS = 30 * 60_000
export const PREHEAT_ATTEMPTS = 5
export const PREHEAT_BACKOFF_MS = 5_000
export const PREHEAT_BACKOFF_LIMIT_MS = 10 * 60_000

/** How often the whole store is read for bytes that nobody knows. */
export const STRAYS_EVERY_MS = 7 * 24 * 3_600_000

/** How often an endpoint is looked at, as Harbor does, and how often it is seen whether one is due: a new one is, at once. */
export const ENDPOINT_CHECK_MS = 5 * 60_000
export const ENDPOINTS_POLL_MS = 2_000
export const ENDPOINTS_AT_ONCE = 8
/** Until an endpoint has answered. */
export const ENDPOINT_CHECK_TIME_MS = 15_000

/** Until another registry has said which labels an artifact carries. */
export const FACTS_TIME_MS = 30_000
/** Pushes of one tag that follow each other within this make one execution, which copies what the tag is in the end. */
export const DEBOUNCE_MS = 500
/** How often it is seen what runs over an endpoint in all processes together, to share its speed and those of its rules. */
export const SHARES_MS = 1_000

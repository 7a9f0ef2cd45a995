// Every bound of this room, by name.

/** How many changes one line of the feed covers at most. */
export const BATCH_CHANGES = 500
/** How many lines are kept for edges that are a little behind; others get theirs from the database. */
export const LINES_KEPT = 128
/** How long a one-time token for an edge is good, in milliseconds. */
export const ENROLMENT_MS = 60 * 60_000
/** How long after its last word an edge counts as connected, in milliseconds: three of its reports. */
export const HEARD_MS = 15_000
/** Edges in one page of their list. */
export const EDGES_PAGE = 1_000
/** Bodies of requests in this room, in bytes. */
export const BODY_BYTES = 64 * 1024
/** A batch of pulls of an edge, and how many different pulls it may hold. */
export const PULL_BATCH_BYTES = 2 * 1024 * 1024
export const PULL_BATCH_PULLS = 1_000
/** Projects read at once to find those of an endpoint. */
export const PROJECTS_PAGE = 100
/** How long an upstream may take to give a token for an edge, in milliseconds. */
export const UPSTREAM_ANSWER_MS = 10_000
/** How long a token of an upstream is said to be good when the token itself does not say, in milliseconds. */
export const UPSTREAM_TOKEN_MS = 30_000

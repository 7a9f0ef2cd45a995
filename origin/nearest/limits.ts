// Every bound of this room, by name.

/** For how long the list of edges is believed that clients are sent to, in milliseconds. */
export const EDGES_KNOWN_MS = 1_000
/** Edges that clients are sent to at most. */
export const EDGES_LIMIT = 10_000

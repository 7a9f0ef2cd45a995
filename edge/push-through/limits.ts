// Every wait and bound of pushing through, by name. Milliseconds, unless the name says otherwise.

/** Neither side moves a byte for so long: the push is given up. */
export const PUSH_STALL_MS = 60_000
/** From the last byte of a request to the head of its answer, as long as the origin is heard: the origin may have to read the whole layer once more. */
export const PUSH_ANSWER_MS = 300_000
/** The origin's feed is lost and no byte moves for so long: it is away, and the push is refused. */
export const PUSH_AWAY_MS = 3_000
/** A store that does not take a chunk for so long costs the copy, not the push. */
export const COPY_STALL_MS = 5_000
/** Uploads whose bytes are kept at once; further ones pass without being kept. */
export const COPIES = 512
/** A refusal because the origin is away says when to try again, in seconds. */
export const PUSH_RETRY_AFTER_S = 5

/** What a delta may cost, by name; bytes unless said otherwise. */

/** Smaller blobs are sent whole: there is nothing to save that a round trip more would not cost. */
export const DELTA_MIN_BLOB = 4 * 1024 * 1024
/** Chunks of a blob of up to 256 MiB. A changed file costs about one of them before and behind it, so small ones find more. */
export const CHUNK_TARGET = 4 * 1024
/** Chunks in a list, as a count: for larger blobs chunks grow, so that a list never does. */
export const CHUNKS_AIM = 65_536
/** Of `target`, the least and the most that a chunk has. */
export const CHUNK_MIN_SHARE = 4
export const CHUNK_MAX_TIMES = 4
/** In a list that somebody sends us, as a count: no chunk is shorter than a fourth of the target. */
export const CHUNKS_LIMIT = CHUNKS_AIM * CHUNK_MIN_SHARE + 1
/** A run of known bytes that is shorter than this is sent: telling of it costs about as much. */
export const COPY_MIN = 1024
/** Below this share of known bytes, a blob is sent whole. */
export const WORTHWHILE_SHARE = 0.2
/** A base that has this share of a blob is compared alone: another costs the destination a pass over one more blob. */
export const ENOUGH_SHARE = 0.8
/** What one request makes of a blob: copying it there takes time in which nothing is heard of it. */
export const DELTA_REQUEST_BYTES = 128 * 1024 * 1024
/** Blobs of the destination that are looked at for what they have in common with a new one, as a count. */
export const BASES = 3
/** Ranges asked for in one request, as a count. */
export const RANGES_LIMIT = CHUNKS_LIMIT
/** Of the JSON that names them. */
export const RANGES_BODY_LIMIT = 8 * 1024 * 1024
/** Lists of chunks that are made at once by a process, and those that wait for it; more are told to come back. */
export const LISTS_AT_ONCE = 1
export const LISTS_WAITING = 8
/** Seconds after which they may. */
export const LISTS_RETRY_AFTER = 5

/** Every limit of filling, by name. Times are milliseconds, sizes bytes. */
export interface FillLimits {
  /** Fills at once. */
  readonly fills: number
  /** Fills that wait for their turn. One more is refused. */
  readonly waiting: number
  /** Consumers of one fill, those that wait for its first byte included. */
  readonly consumers: number
  /** Ranges that come ahead of their fills, at once … */
  readonly directRanges: number
  /** … and of one fill; who wants a further one waits for its turn, or until the fill is near. */
  readonly rangesAtOnce: number
  /** So many such ranges of one fill are kept, the ended ones included. */
  readonly rangesKept: number
  /** At least so much is asked for: who reads on, or the next one, finds it here. */
  readonly rangeBytes: number
  /** A range that nobody reads any more comes to its end if no more than this is left. */
  readonly finishBytes: number
  /** For less than this that is there already, an answer that flows is not broken off to ask again behind it. */
  readonly passOverBytes: number
  /** Consumers of blobs that cannot be stored, which fell behind and are being served from the source by themselves, at once; */
  readonly ownRanges: number
  /** those that wait for it, … */
  readonly ownRangesWaiting: number
  /** … how long each waits, … */
  readonly ownRangeWaitMs: number
  /** … and how much it gets before it is the next one's turn. */
  readonly ownRangeBytes: number
  /** What all fills together keep in memory of what has just come, as far as it is stored already. */
  readonly bytesInFlight: number
  /** What one fill keeps in memory of what has just come, for consumers that keep up. */
  readonly windowBytes: number
  /** What it keeps at most, while the store has not made older bytes readable yet. */
  readonly windowLimit: number
  /** The last piece, withheld until size and digest are right. */
  readonly tailBytes: number
  /**
   * A range that begins farther than this beyond what has come is asked for ahead of the fill. While nobody reads on and on, the fill asks for no
   * more at once, so that no such range lies in what is under way.
   */
  readonly aheadBytes: number
  /** To the source of one large blob, the fill's own included. 1: never more. */
  readonly connections: number
  /** What a large blob is. */
  readonly largeBytes: number
  /** How much a connection gives before it is judged, … */
  readonly judgeBytes: number
  /** … and below which rate it is not left alone. */
  readonly slowBytesPerSecond: number
  /** What a further connection brings at a time, at most and … */
  readonly partBytes: number
  /** … at least, … */
  readonly leastPartBytes: number
  /** … and how far ahead of the fill it may be. */
  readonly partsAheadBytes: number
  /** From asking a source to the head of its answer. */
  readonly firstByteMs: number
  /** Between two chunks of a source. */
  readonly stallMs: number
  /** A fill may take so long … */
  readonly totalMs: number
  /** … and a second more for so many bytes. */
  readonly bytesPerSecond: number
  /** How often in a row a source may be asked without having given `progressBytes`. */
  readonly attempts: number
  readonly progressBytes: number
  /** Before the second attempt in a row; doubled for each further one. The first comes at once. */
  readonly backoffMs: number
  /** A longer `Retry-After` in the middle of a blob is not waited for. */
  readonly retryAfterMs: number
  /** A fill that nobody listens to goes on if no more than this is left, … */
  readonly abandonBytes: number
  /** … or no more than this share of the blob, … */
  readonly abandonShare: number
  /** … or somebody asked for it so recently. */
  readonly lingerMs: number
  /** For how long a source that gives blobs whole, and no part of them as it should be, is asked for no part. */
  readonly wholeOnlyMs: number
  /** For how long a source that lied about a digest twice is not asked for it again. */
  readonly refusalMs: number
  /** How many such sources of each kind, and how many digests that have just been stored, are remembered. */
  readonly remembered: number
}

const KIB = 1024
const MIB = 1024 * KIB

export const FILL_LIMITS: FillLimits = {
  fills: 64,
  waiting: 1_024,
  consumers: 4_096,
  directRanges: 64,
  rangesAtOnce: 8,
  rangesKept: 256,
  rangeBytes: 256 * KIB,
  finishBytes: MIB,
  passOverBytes: MIB,
  ownRanges: 32,
  ownRangesWaiting: 1_024,
  ownRangeWaitMs: 60_000,
  ownRangeBytes: 8 * MIB,
  bytesInFlight: 32 * MIB,
  windowBytes: MIB,
  windowLimit: 4 * MIB,
  tailBytes: 64 * KIB,
  aheadBytes: 8 * MIB,
  connections: 1,
  largeBytes: 64 * MIB,
  judgeBytes: 4 * MIB,
  slowBytesPerSecond: 16 * MIB,
  partBytes: 16 * MIB,
  leastPartBytes: 4 * MIB,
  partsAheadBytes: 128 * MIB,
  firstByteMs: 30_000,
  stallMs: 15_000,
  totalMs: 300_000,
  bytesPerSecond: 32 * KIB,
  attempts: 4,
  progressBytes: 256 * KIB,
  backoffMs: 200,
  retryAfterMs: 10_000,
  abandonBytes: 64 * MIB,
  abandonShare: 0.5,
  lingerMs: 60_000,
  wholeOnlyMs: 600_000,
  refusalMs: 10_000,
  remembered: 1_024,
}

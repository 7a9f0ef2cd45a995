// Every time and size that a server keeps to, by name. Times are in milliseconds, sizes in bytes.

export interface HttpLimits {
  /** From a connection's first byte to the end of the request's headers: against clients that send a header a minute. */
  readonly headersTimeout: number
  /** The longest a request's body may pause while we are ready to read it; then 408 and the connection ends. */
  readonly bodyStallTimeout: number
  /** The least that must come of a body in that time, unless it ends: against clients that send a byte a minute. */
  readonly bodyLeast: number
  /** The longest a client may read nothing of an answer that waits for it. */
  readonly answerStallTimeout: number
  /** How long an idle connection is kept for another request. */
  readonly keepAliveTimeout: number
  /** How long requests in progress may go on after `close()`. */
  readonly closeDeadline: number
  /** All headers of a request together; above it the answer is 431. */
  readonly headerSize: number
  /** What is read and thrown away of a body that was answered before its end, so that its sender sees the answer, and for how long. */
  readonly drainSize: number
  readonly drainTimeout: number
}

export const HTTP_LIMITS: HttpLimits = {
  headersTimeout: 20_000,
  bodyStallTimeout: 60_000,
  bodyLeast: 4 * 1024,
  answerStallTimeout: 120_000,
  keepAliveTimeout: 75_000,
  closeDeadline: 20_000,
  headerSize: 32 * 1024,
  drainSize: 16 * 1024 * 1024,
  drainTimeout: 2_000,
}

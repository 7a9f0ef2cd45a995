/** What a request to the upstream is for. `blob` is the redirect, `cdn` the bytes behind it. */
export type RequestKind = 'ping' | 'token' | 'manifest' | 'blob' | 'cdn' | 'tags' | 'referrers' | 'push' | 'other'

/** What goes wrong at the moment. All of it can be changed at any time; `on` says for which requests. */
export interface Faults {
  /** The requests that `status`, `hang`, `corrupt`, `cutAfter`, `stallAfter` and `lengthOff` are for. */
  on: (kind: RequestKind, path: string) => boolean
  /** Before the head of each answer, in milliseconds: a round trip. */
  delayMs: number
  /** Of the one link that all blobs share. undefined: as fast as it goes. */
  bytesPerSecond: number | undefined
  /** Answered instead of anything else. */
  status: number | undefined
  /** In seconds, with `status`. */
  retryAfter: number | undefined
  /** Requests are taken and never answered. */
  hang: boolean
  /** The connection is cut after so many bytes of a body, … */
  cutAfter: number | undefined
  /** … so often. */
  cuts: number
  /** Nothing more comes after so many bytes of a body. */
  stallAfter: number | undefined
  /** One byte in the middle is another, or all of them are. */
  corrupt: 'flip' | 'all' | undefined
  /** So often; then it is honest again. */
  lies: number
  /** What is added to Content-Length. */
  lengthOff: number
  ignoreRange: boolean
}

export function noFaults(): Faults {
  return {
    on: () => true,
    delayMs: 0,
    bytesPerSecond: undefined,
    status: undefined,
    retryAfter: undefined,
    hang: false,
    cutAfter: undefined,
    cuts: Number.POSITIVE_INFINITY,
    stallAfter: undefined,
    corrupt: undefined,
    lies: Number.POSITIVE_INFINITY,
    lengthOff: 0,
    ignoreRange: false,
  }
}

/** What an answer says of how often we may still ask. Counts are of whatever the registry counts; Docker Hub's are pulls. */
export interface RateLimit {
  readonly limit?: number
  readonly remaining?: number
  /** For how many seconds the limit holds. */
  readonly windowSeconds?: number
  /** Whom the registry counts: Docker Hub names an address or an account. */
  readonly source?: string
  /** The registry refuses now, for so many seconds if it says so. */
  readonly refused?: { readonly retryAfterSeconds?: number }
}

/** `ratelimit-limit: 100;w=21600`, `ratelimit-remaining: 76;w=21600`, or the same with `x-`. undefined: it says nothing. */
export function rateLimitOf(status: number, headers: Headers, retryAfterSeconds: number | undefined): RateLimit | undefined {
  const limit = count(headers, 'limit')
  const remaining = count(headers, 'remaining')
  const source = headers.get('docker-ratelimit-source')?.slice(0, 200)
  const windowSeconds = limit?.window ?? remaining?.window
  if (limit === undefined && remaining === undefined && status !== 429) return undefined
  return {
    ...(limit && { limit: limit.count }),
    ...(remaining && { remaining: remaining.count }),
    ...(windowSeconds !== undefined && { windowSeconds }),
    ...(source !== undefined && { source }),
    ...(status === 429 && { refused: retryAfterSeconds === undefined ? {} : { retryAfterSeconds } }),
  }
}

function count(headers: Headers, field: 'limit' | 'remaining'): { count: number; window?: number } | undefined {
  const text = headers.get(`ratelimit-${field}`) ?? headers.get(`x-ratelimit-${field}`)
  const match = text?.match(/^\s*(\d{1,9})\s*(?:;\s*w=(\d{1,9}))?/)
  if (!match) return undefined
  return { count: Number(match[1]), ...(match[2] !== undefined && { window: Number(match[2]) }) }
}

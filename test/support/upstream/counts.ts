/** What the upstream was asked. */
export interface Counts {
  tokens: number
  /** Answers with a challenge. */
  challenges: number
  manifestHeads: number
  manifestGets: number
  blobHeads: number
  /** GETs of blobs at the registry, each answered with a redirect. */
  blobGets: number
  /** GETs of blobs where the bytes are. */
  cdnGets: number
  /** Bytes of blobs that went out. */
  blobBytes: number
  tags: number
  referrers: number
  other: number
}

export function noCounts(): Counts {
  return {
    tokens: 0,
    challenges: 0,
    manifestHeads: 0,
    manifestGets: 0,
    blobHeads: 0,
    blobGets: 0,
    cdnGets: 0,
    blobBytes: 0,
    tags: 0,
    referrers: 0,
    other: 0,
  }
}

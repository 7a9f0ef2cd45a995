// The feed from an origin to its edges: one outgoing stream of signed batches, at least one a second.

import type { JWK } from 'jose'
import type { Digest } from '../registry/spec/digests.ts'

/** A thing that changed, as far as an edge needs to know: what it must forget or read again. */
export type FeedEntry =
  | { readonly kind: 'project'; readonly seq: number; readonly projectId: number; readonly name: string }
  | { readonly kind: 'principal'; readonly seq: number; readonly id: string }
  /** Which proxy caches stand for which registries may have changed. */
  | { readonly kind: 'mirrors'; readonly seq: number }
  /** An edge has joined, or was revoked. */
  | { readonly kind: 'edges'; readonly seq: number }
  | { readonly kind: 'tag'; readonly seq: number; readonly repository: string; readonly tag: string; readonly digest: Digest | null }
  | { readonly kind: 'manifest-deleted'; readonly seq: number; readonly repository: string; readonly digest: Digest }
  | { readonly kind: 'blob-deleted'; readonly seq: number; readonly repository: string; readonly digest: Digest }
  | { readonly kind: 'repository-deleted'; readonly seq: number; readonly repository: string }
  /** The origin's public keys from here on: what any other signed is good no more. */
  | { readonly kind: 'keys'; readonly seq: number; readonly keys: readonly JWK[] }

/**
 * One line of the stream is the compact JWS of one batch. It covers the sequence numbers (after, upto] without a hole; without
 * entries it is a heartbeat. An edge whose cursor is not `after` asks again from its cursor.
 */
export interface FeedBatch {
  readonly after: number
  readonly upto: number
  readonly entries: readonly FeedEntry[]
  /** Milliseconds since the epoch, by the origin's clock. */
  readonly time: number
  /** At a pair of sites: where both are, and which of the primaries that there have been says this. Absent: this origin stands alone. */
  readonly sites?: FeedSites
  /** In the first batch of a stream: what the edge asked for it with. So that one is new, whatever the clock of the origin shows. */
  readonly nonce?: string
}

export interface FeedSites {
  /** Goes up when the other site takes over. A feed of a lower one is that of a primary of old. */
  readonly epoch: number
  readonly urls: readonly string[]
}

export const HEARTBEAT_MS = 1_000
/** Without a batch for so long an edge is disconnected. */
export const DISCONNECTED_AFTER_MS = 2_000

// The port for what a collector asks of the metadata. schema/ implements it on libSQL.

import type { Digest } from '../spec/digests.ts'
import type { RepositoryName } from '../spec/names.ts'

/**
 * What nobody needs, in the order in which it goes: manifests that nothing keeps, links to blobs that no manifest of their repository
 * names, blobs that no repository has. Every method that changes something looks again, in its own transaction, whether that still holds.
 */
export interface GarbageIndex {
  /** Manifests older than the grace that no tag, no index and no subject keeps, with what refers to nothing but them. */
  untagged(step: Step): Promise<Found<UnneededManifest>>
  releaseManifests(manifests: readonly UnneededManifest[]): Promise<readonly UnneededManifest[]>
  /** Links that no manifest of their repository names, and no push has counted on within the grace. */
  unneeded(step: Step): Promise<Found<UnneededLink>>
  releaseLinks(links: readonly UnneededLink[]): Promise<readonly UnneededLink[]>
  /** Which of these the metadata knows nothing of: an upload that broke off between its bytes and its row. */
  unknown(digests: readonly Digest[]): Promise<readonly Digest[]>
  /** Makes them known, condemned from now on; resolves with those that still were not. */
  adopt(blobs: readonly StoredBlob[]): Promise<readonly StoredBlob[]>
  /** Blobs that no repository has had for the grace. */
  condemned(step: Step): Promise<Found<StoredBlob>>
  /** Takes condemned blobs, and what an earlier collector took and never finished: from now on nobody can link them. */
  claim(limit: number): Promise<Claim>
  /** Forgets blobs of this claim whose bytes are gone. */
  settle(claim: Claim, gone: readonly Digest[]): Promise<void>
}

export interface Step {
  /** `next` of the step before; absent: from the beginning. */
  readonly after?: string | undefined
  readonly limit: number
}

export interface Found<T> {
  readonly items: readonly T[]
  /** Where to go on; undefined: that was all. */
  readonly next: string | undefined
}

export interface UnneededManifest {
  readonly repository: RepositoryName
  readonly digest: Digest
  /** Bytes of the manifest itself. */
  readonly size: number
}

export interface UnneededLink {
  readonly repository: RepositoryName
  readonly digest: Digest
  readonly size: number
  /** Once it and the other unneeded ones are gone, no repository has the blob: true of one link of such a blob. */
  readonly last: boolean
}

export interface StoredBlob {
  readonly digest: Digest
  readonly size: number
}

export interface Claim {
  readonly blobs: readonly StoredBlob[]
  /** When, in milliseconds since the epoch: the claim is good for CLAIM_MS. */
  readonly at: number
}

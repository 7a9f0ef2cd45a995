// The one idea: everything that holds images is a Registry. No I/O here, no HTTP, no SQL.

import type { Descriptor } from './spec/descriptors.ts'
import type { Digest, DigestAlgorithm } from './spec/digests.ts'
import type { Reference, RepositoryName, Tag } from './spec/names.ts'
import type { Page, Slice } from './spec/pages.ts'
import type { ByteRange } from './spec/ranges.ts'
import type { Dot, TagState, TagVersion } from './versions/version.ts'

/**
 * A Registry as one caller sees it: whoever opened it gave the caller's AbortSignal (and, for `local`, who the caller is),
 * so the nouns below need neither. Absence is `undefined` or `false`; a refusal or a failure throws a RegistryError.
 */
export interface Registry {
  repository(name: RepositoryName): Repository
  /** In the order of their names' bytes (distribution-spec has no catalog; this is Docker's `_catalog`). */
  repositories(page: Page): Promise<Slice<RepositoryName>>
}

export interface Repository {
  readonly name: RepositoryName
  readonly manifests: Manifests
  readonly tags: Tags
  readonly blobs: Blobs
  readonly uploads: Uploads
  readonly referrers: Referrers
  /** Absent: this registry keeps none, or its caller may not set any. */
  readonly versions?: TagVersions | undefined
}

/** Tags with when and where they were set, between sites that send each other theirs. */
export interface TagVersions {
  /** What is known of a tag; `false`: it turns out that no versions are kept there, or not for us. */
  state(tag: Tag): Promise<TagState | undefined | false>
  /** As `Manifests.put` for one tag, as of a version; what is as new stays. Resolves with the version that stands. @throws as it, and RegistryError UNAVAILABLE for a version too far ahead */
  put(manifest: Omit<ManifestInput, 'tags'>, tag: Tag, version: TagVersion): Promise<Dot>
  /** The same for a tag that was deleted. */
  delete(tag: Tag, version: TagVersion): Promise<Dot>
  /** Tells of what another site has, for the audit log: of two that did not know of each other. Absent where nobody would listen. */
  notice?(tag: Tag, other: TagState): Promise<void>
}

/** What a client must be told beside the answer, for instance 110 "response is stale" (RFC 9111 once 5.5; distribution-spec, "Warnings"). */
export interface Warning {
  readonly code: number
  readonly text: string
}

export interface ManifestHead {
  readonly descriptor: Descriptor
  readonly warnings?: readonly Warning[]
}

/** A manifest with the very bytes it was pushed with, at most MANIFEST_LIMIT. */
export interface Manifest extends ManifestHead {
  readonly bytes: Uint8Array
}

export interface ManifestInput {
  readonly bytes: Uint8Array
  readonly mediaType: string
  /** What the pusher says it hashes to. Without it, the digest is the sha256 of the bytes. */
  readonly digest?: Digest
  readonly tags: readonly Tag[]
}

export interface ManifestReceipt {
  readonly descriptor: Descriptor
  /** The digest this manifest refers to as its subject: this registry lists it among that one's referrers. */
  readonly subject?: Digest
}

export interface Manifests {
  stat(reference: Reference): Promise<ManifestHead | undefined>
  get(reference: Reference): Promise<Manifest | undefined>
  /** Durable when it resolves. @throws RegistryError DIGEST_INVALID, MANIFEST_INVALID, SIZE_INVALID */
  put(manifest: ManifestInput): Promise<ManifestReceipt>
  /** Also removes the tags that point at it. */
  delete(digest: Digest): Promise<boolean>
}

export interface Tags {
  /** undefined: there is no such repository. */
  list(page: Page): Promise<Slice<Tag> | undefined>
  delete(tag: Tag): Promise<boolean>
}

/** Bytes on their way out: a stream that the caller must read to its end or cancel, or an address to go to instead. `size` is the whole blob's. */
export type BlobBody = BlobStream | BlobLocation

export interface BlobStream {
  readonly size: number
  readonly range?: ByteRange
  /** Errors before its end if the bytes turn out not to be the blob's: what ended well was right. */
  readonly stream: ReadableStream<Uint8Array>
  readonly location?: never
  readonly warnings?: readonly Warning[]
}

export interface BlobLocation {
  readonly size: number
  readonly location: URL
  readonly expires: Date
  readonly stream?: never
}

export interface Blobs {
  /** The descriptor's media type is application/octet-stream: a registry does not know better. */
  stat(digest: Digest): Promise<Descriptor | undefined>
  /** `size`: the blob's, as far as the caller knows it, for a source that does not say. */
  open(digest: Digest, range?: ByteRange, size?: number): Promise<BlobBody | undefined>
  delete(digest: Digest): Promise<boolean>
}

/** An upload session; `size` is how many bytes of it are durable. A foreign registry may move it: go on with the `id` that came back last. */
export interface Upload {
  readonly id: string
  readonly size: number
}

export interface Uploads {
  begin(options?: { readonly algorithm?: DigestAlgorithm }): Promise<Upload>
  stat(id: string): Promise<Upload | undefined>
  /**
   * Adds the stream's bytes at the end; what has arrived is kept even if the stream breaks.
   * `range` is what the client says it sends: it must begin where the upload ends and have the stream's length.
   * @throws RegistryError BLOB_UPLOAD_UNKNOWN, RANGE_INVALID, SIZE_INVALID
   */
  append(id: string, stream: ReadableStream<Uint8Array>, range?: ByteRange): Promise<Upload>
  /**
   * A blob in one request (distribution-spec, "Single POST"), for small ones: sent again, it changes nothing. undefined: it is there. Else this registry
   * wants an upload, and this is one, without any bytes. Absent: nothing is saved by it here.
   */
  atOnce?(digest: Digest, bytes: Uint8Array): Promise<Upload | undefined>
  /** Durable and visible when it resolves. @throws RegistryError BLOB_UPLOAD_UNKNOWN, DIGEST_INVALID */
  finish(id: string, digest: Digest): Promise<Descriptor>
  cancel(id: string): Promise<boolean>
  /** Makes a blob of another repository one of this repository's, without moving bytes. undefined: that cannot be done, upload it. */
  mount(digest: Digest, from: RepositoryName): Promise<Descriptor | undefined>
  /** Some repositories that `mount` could take the blob from, at most `limit`. */
  mountable(digest: Digest, limit: number): Promise<readonly RepositoryName[]>
}

export interface ReferrersQuery {
  readonly artifactType?: string
  readonly page: Page
}

export interface Referrers {
  /** Manifests whose subject is `subject`, which itself need not exist, in the order of their digests. */
  list(subject: Digest, query: ReferrersQuery): Promise<Slice<Descriptor>>
}

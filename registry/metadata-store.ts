// The port for what a local registry knows besides bytes. schema/ implements it on libSQL.

import type { Manifest, ManifestHead, ReferrersQuery } from './registry.ts'
import type { Descriptor } from './spec/descriptors.ts'
import type { Digest, DigestAlgorithm } from './spec/digests.ts'
import type { ParsedManifest } from './spec/manifests.ts'
import type { Reference, RepositoryName, Tag } from './spec/names.ts'
import type { Page, Slice } from './spec/pages.ts'
import type { Dot, TagState, TagVersion } from './versions/version.ts'

/** Who causes a change, for the feed: `user:3`, `robot:12`, `system`. */
export type Actor = string

/**
 * Every method that changes something is one transaction, durable when it resolves, with its row in `changes`.
 * What a rule of the project keeps as it is (an immutable tag) is refused with DENIED and the status 412.
 * A repository comes into being with the first thing put into it; its project must exist (NAME_UNKNOWN otherwise).
 */
export interface MetadataStore {
  repositories(page: Page): Promise<Slice<RepositoryName>>
  repositoryExists(name: RepositoryName): Promise<boolean>

  statManifest(name: RepositoryName, reference: Reference): Promise<ManifestHead | undefined>
  getManifest(name: RepositoryName, reference: Reference): Promise<Manifest | undefined>
  putManifest(name: RepositoryName, manifest: ManifestRecord, actor: Actor): Promise<void>
  /**
   * With all that is there for it alone: its tags, what is signed or said about it, untagged children that no other index names. An index that names
   * it stays, and lacks a child from now on (distribution-spec, "Deleting Manifests").
   */
  deleteManifest(name: RepositoryName, digest: Digest, actor: Actor): Promise<boolean>

  listTags(name: RepositoryName, page: Page): Promise<Slice<Tag>>
  deleteTag(name: RepositoryName, tag: Tag, actor: Actor): Promise<boolean>

  /** Tags as other sites know them. */
  readonly versions: TagVersionStore

  listReferrers(name: RepositoryName, subject: Digest, query: ReferrersQuery): Promise<Slice<Descriptor>>

  /** Whether the blob belongs to this repository. Who is told so may count on it for the grace of the garbage collection. */
  statBlob(name: RepositoryName, digest: Digest): Promise<{ readonly size: number } | undefined>
  /** Asked before bytes become a blob in the store, so that `linkBlob` can tell whether they were collected meanwhile. @throws RegistryError UNAVAILABLE: they are being deleted now */
  reserveBlob(digest: Digest): Promise<Reservation>
  /**
   * Makes a blob that is in the store one of this repository's.
   * @throws RegistryError DENIED when the project's quota does not allow it, UNAVAILABLE when it was collected since it was reserved: it must be uploaded again
   */
  linkBlob(name: RepositoryName, blob: { readonly digest: Digest; readonly size: number }, reservation: Reservation, actor: Actor): Promise<void>
  /** Makes a blob of `from` one of this repository's; undefined: `from` has none. @throws RegistryError DENIED when the project's quota does not allow it */
  mountBlob(name: RepositoryName, digest: Digest, from: RepositoryName, actor: Actor): Promise<{ readonly size: number } | undefined>
  unlinkBlob(name: RepositoryName, digest: Digest, actor: Actor): Promise<boolean>
  repositoriesWithBlob(digest: Digest, limit: number): Promise<readonly RepositoryName[]>

  createUpload(name: RepositoryName, upload: UploadRecord, actor: Actor): Promise<void>
  findUpload(name: RepositoryName, id: string): Promise<UploadRecord | undefined>
  deleteUpload(name: RepositoryName, id: string): Promise<boolean>
}

/** Tags with when and where they were set. What is set here by `putManifest` and deleted by `deleteTag` gets a version of its own. */
export interface TagVersionStore {
  /** undefined: nothing is known of it, not even that it was deleted. */
  state(name: RepositoryName, tag: Tag): Promise<TagState | undefined>
  /**
   * Stores the manifest under the tag, as of that version, unless what is here is as new. Resolves with the version that stands.
   * @throws as putManifest does, RegistryError UNAVAILABLE when the version is further ahead than our clock may be behind
   */
  put(name: RepositoryName, manifest: Omit<ManifestRecord, 'tags'>, tag: Tag, version: TagVersion, actor: Actor): Promise<Dot>
  /** The same for a tag that was deleted elsewhere. */
  delete(name: RepositoryName, tag: Tag, version: TagVersion, actor: Actor): Promise<Dot>
  /** Keeps in mind what another site has, and tells the audit log if that is in conflict with what is here. */
  notice(name: RepositoryName, tag: Tag, other: TagState, actor: Actor): Promise<void>
}

/** What was known of a blob before its bytes were put into the store. */
export interface Reservation {
  readonly known: boolean
  /** When, in milliseconds since the epoch. */
  readonly at: number
}

export interface ManifestRecord {
  readonly descriptor: Descriptor
  readonly bytes: Uint8Array
  readonly parsed: ParsedManifest
  readonly tags: readonly Tag[]
}

export interface UploadRecord {
  readonly id: string
  readonly algorithm: DigestAlgorithm
}

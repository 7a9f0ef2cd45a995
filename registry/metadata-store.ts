// The port for what a local registry knows besides bytes. schema/ implements it on libSQL.

import type { Manifest, ManifestHead, ReferrersQuery } from './registry.ts'
import type { Descriptor } from './spec/descriptors.ts'
import type { Digest, DigestAlgorithm } from './spec/digests.ts'
import type { ParsedManifest } from './spec/manifests.ts'
import type { Reference, RepositoryName, Tag } from './spec/names.ts'
import type { Page, Slice } from './spec/pages.ts'

/** Who causes a change, for the feed: `user:3`, `robot:12`, `system`. */
export type Actor = string

/**
 * Every method that changes something is one transaction, durable when it resolves, with its row in `changes`.
 * A repository comes into being with the first thing put into it; its project must exist (NAME_UNKNOWN otherwise).
 */
export interface MetadataStore {
  repositories(page: Page): Promise<Slice<RepositoryName>>
  repositoryExists(name: RepositoryName): Promise<boolean>

  statManifest(name: RepositoryName, reference: Reference): Promise<ManifestHead | undefined>
  getManifest(name: RepositoryName, reference: Reference): Promise<Manifest | undefined>
  putManifest(name: RepositoryName, manifest: ManifestRecord, actor: Actor): Promise<void>
  deleteManifest(name: RepositoryName, digest: Digest, actor: Actor): Promise<boolean>

  listTags(name: RepositoryName, page: Page): Promise<Slice<Tag>>
  deleteTag(name: RepositoryName, tag: Tag, actor: Actor): Promise<boolean>

  listReferrers(name: RepositoryName, subject: Digest, query: ReferrersQuery): Promise<Slice<Descriptor>>

  /** Whether the blob belongs to this repository. */
  statBlob(name: RepositoryName, digest: Digest): Promise<{ readonly size: number } | undefined>
  /** @throws RegistryError DENIED when the project's quota does not allow it */
  linkBlob(name: RepositoryName, blob: { readonly digest: Digest; readonly size: number }, actor: Actor): Promise<void>
  unlinkBlob(name: RepositoryName, digest: Digest, actor: Actor): Promise<boolean>
  repositoriesWithBlob(digest: Digest, limit: number): Promise<readonly RepositoryName[]>

  createUpload(name: RepositoryName, upload: UploadRecord, actor: Actor): Promise<void>
  findUpload(name: RepositoryName, id: string): Promise<UploadRecord | undefined>
  deleteUpload(name: RepositoryName, id: string): Promise<boolean>
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

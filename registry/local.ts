// What the origin owns: bytes in a BlobStore, everything else in a MetadataStore.

import type { LocalParts, LocalRegistryOptions } from './local/parts.ts'
import { RunningHashes } from './local/running-hashes.ts'
import { LocalUploads } from './local/uploads.ts'
import type { Actor, ManifestRecord, MetadataStore } from './metadata-store.ts'
import type {
  BlobBody,
  Blobs,
  Manifest,
  ManifestHead,
  ManifestInput,
  ManifestReceipt,
  Manifests,
  Referrers,
  Registry,
  Repository,
  Tags,
  TagVersions,
} from './registry.ts'
import type { Descriptor } from './spec/descriptors.ts'
import { algorithmOf, type Digest } from './spec/digests.ts'
import { RegistryError } from './spec/errors.ts'
import { parseManifest } from './spec/manifests.ts'
import { essence, OCTETS } from './spec/media-types.ts'
import type { Reference, RepositoryName, Tag } from './spec/names.ts'
import type { Page, Slice } from './spec/pages.ts'
import type { ByteRange } from './spec/ranges.ts'
import type { Dot, TagState, TagVersion } from './versions/version.ts'

/** How many uploads in progress keep their hash in memory; the hash of another is made again from its draft. A hash takes some hundred bytes. */
const RUNNING_HASHES = 4096

/**
 * A Registry over a BlobStore and a MetadataStore. A blob is one of a repository's only by a link in the metadata, and a manifest
 * may name blobs that are not there (sparse manifests). Keep one instance for a store: it is what keeps writers of an upload apart.
 */
export class LocalRegistry {
  readonly #parts: LocalParts

  constructor(options: LocalRegistryOptions) {
    this.#parts = { ...options, hashes: new RunningHashes(RUNNING_HASHES), locks: new Map() }
  }

  /** The registry as `actor` changes it; the actor is what the feed will say. `versions`: whether he may say when tags were set, and is told. */
  as(actor: Actor, { versions = false }: { readonly versions?: boolean } = {}): Registry {
    const parts = this.#parts
    return {
      repository: (name) => new LocalRepository(parts, name, actor, versions),
      repositories: (page) => parts.metadata.repositories(page),
    }
  }
}

class LocalRepository implements Repository {
  readonly name: RepositoryName
  readonly #parts: LocalParts
  readonly #actor: Actor
  readonly #versions: boolean

  constructor(parts: LocalParts, name: RepositoryName, actor: Actor, versions: boolean) {
    this.#parts = parts
    this.name = name
    this.#actor = actor
    this.#versions = versions
  }

  // Made when asked for: most requests need one of them.
  get manifests(): Manifests {
    return new LocalManifests(this.#parts, this.name, this.#actor)
  }
  get tags(): Tags {
    return new LocalTags(this.#parts.metadata, this.name, this.#actor)
  }
  get blobs(): Blobs {
    return new LocalBlobs(this.#parts, this.name, this.#actor)
  }
  get uploads(): LocalUploads {
    return new LocalUploads(this.#parts, this.name, this.#actor)
  }
  get referrers(): Referrers {
    return { list: (subject, query) => this.#parts.metadata.listReferrers(this.name, subject, query) }
  }
  get versions(): TagVersions | undefined {
    return this.#versions ? new LocalVersions(this.#parts, this.name, this.#actor) : undefined
  }
}

class LocalManifests implements Manifests {
  readonly #parts: LocalParts
  readonly #name: RepositoryName
  readonly #actor: Actor

  constructor(parts: LocalParts, name: RepositoryName, actor: Actor) {
    this.#parts = parts
    this.#name = name
    this.#actor = actor
  }

  stat(reference: Reference): Promise<ManifestHead | undefined> {
    return (this.#parts.manifests ?? this.#parts.metadata).statManifest(this.#name, reference)
  }

  get(reference: Reference): Promise<Manifest | undefined> {
    return (this.#parts.manifests ?? this.#parts.metadata).getManifest(this.#name, reference)
  }

  async put(manifest: ManifestInput): Promise<ManifestReceipt> {
    const record = recordOf(this.#parts, manifest)
    await this.#parts.metadata.putManifest(this.#name, { ...record, tags: manifest.tags }, this.#actor)
    this.#parts.onStep?.('manifest stored')
    const { descriptor, parsed } = record
    return { descriptor, ...(parsed.subject && { subject: parsed.subject.digest }) }
  }

  delete(digest: Digest): Promise<boolean> {
    return this.#parts.metadata.deleteManifest(this.#name, digest, this.#actor)
  }
}

class LocalVersions implements TagVersions {
  readonly #parts: LocalParts
  readonly #name: RepositoryName
  readonly #actor: Actor

  constructor(parts: LocalParts, name: RepositoryName, actor: Actor) {
    this.#parts = parts
    this.#name = name
    this.#actor = actor
  }

  state(tag: Tag): Promise<TagState | undefined> {
    return this.#parts.metadata.versions.state(this.#name, tag)
  }

  async put(manifest: Omit<ManifestInput, 'tags'>, tag: Tag, version: TagVersion): Promise<Dot> {
    const standing = await this.#parts.metadata.versions.put(this.#name, recordOf(this.#parts, manifest), tag, version, this.#actor)
    this.#parts.onStep?.('manifest stored')
    return standing
  }

  delete(tag: Tag, version: TagVersion): Promise<Dot> {
    return this.#parts.metadata.versions.delete(this.#name, tag, version, this.#actor)
  }

  notice(tag: Tag, other: TagState): Promise<void> {
    return this.#parts.metadata.versions.notice(this.#name, tag, other, this.#actor)
  }
}

/** What is kept of a manifest that somebody gives. @throws RegistryError DIGEST_INVALID, MANIFEST_INVALID */
function recordOf({ createHasher }: LocalParts, { bytes, mediaType, digest: claimed }: Omit<ManifestInput, 'tags'>): Omit<ManifestRecord, 'tags'> {
  const hasher = createHasher(claimed === undefined ? 'sha256' : algorithmOf(claimed))
  hasher.update(bytes)
  const digest = hasher.digest()
  if (claimed !== undefined && digest !== claimed) {
    throw new RegistryError('DIGEST_INVALID', 'The manifest does not have the digest it was pushed under.', { expected: claimed, actual: digest })
  }
  const parsed = parseManifest(bytes, mediaType)
  return { descriptor: { mediaType: parsed.mediaType || essence(mediaType), digest, size: bytes.byteLength }, bytes, parsed }
}

class LocalTags implements Tags {
  readonly #metadata: MetadataStore
  readonly #name: RepositoryName
  readonly #actor: Actor

  constructor(metadata: MetadataStore, name: RepositoryName, actor: Actor) {
    this.#metadata = metadata
    this.#name = name
    this.#actor = actor
  }

  async list(page: Page): Promise<Slice<Tag> | undefined> {
    const slice = await this.#metadata.listTags(this.#name, page)
    if (slice.items.length === 0 && !(await this.#metadata.repositoryExists(this.#name))) return undefined
    return slice
  }

  delete(tag: Tag): Promise<boolean> {
    return this.#metadata.deleteTag(this.#name, tag, this.#actor)
  }
}

class LocalBlobs implements Blobs {
  readonly #parts: LocalParts
  readonly #name: RepositoryName
  readonly #actor: Actor

  constructor(parts: LocalParts, name: RepositoryName, actor: Actor) {
    this.#parts = parts
    this.#name = name
    this.#actor = actor
  }

  async stat(digest: Digest): Promise<Descriptor | undefined> {
    const blob = await this.#parts.metadata.statBlob(this.#name, digest)
    return blob && { mediaType: OCTETS, digest, size: blob.size }
  }

  async open(digest: Digest, range?: ByteRange): Promise<BlobBody | undefined> {
    if ((await this.#parts.metadata.statBlob(this.#name, digest)) === undefined) return undefined
    return this.#parts.blobs.open(digest, range)
  }

  /** Takes the blob from this repository only; its bytes go when no repository has it any more, which garbage collection decides. */
  delete(digest: Digest): Promise<boolean> {
    return this.#parts.metadata.unlinkBlob(this.#name, digest, this.#actor)
  }
}

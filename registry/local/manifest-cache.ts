import { LRUCache } from 'lru-cache'
import type { MetadataStore } from '../metadata-store.ts'
import type { Manifest, ManifestHead } from '../registry.ts'
import type { Reference, RepositoryName } from '../spec/names.ts'
import { type ChangeSource, CurrentChanges, type SeenChange } from './current-changes.ts'

/** What an entry takes besides its manifest's bytes, roughly. */
const ENTRY_OVERHEAD = 1024

export interface ManifestCacheOptions {
  readonly metadata: Pick<MetadataStore, 'getManifest'>
  readonly changes: ChangeSource
  /** See CurrentChangesOptions. */
  readonly soon: (run: () => void) => void
  /** Memory for manifests, in bytes. */
  readonly limit: number
}

/**
 * The manifests asked for last, with the tags they were asked by. Reading one from the database is four tables and the
 * most of what a pull of a manifest costs; one look at the feed, shared by all requests of a moment, is a small part of that.
 * Only what exists is remembered.
 */
export class ManifestCache implements Pick<MetadataStore, 'getManifest' | 'statManifest'> {
  readonly #metadata: Pick<MetadataStore, 'getManifest'>
  readonly #changes: CurrentChanges
  /** By the names that the feed has for them: `repository:tag` and `repository@digest`. */
  readonly #manifests: LRUCache<string, Manifest>

  constructor({ metadata, changes, soon, limit }: ManifestCacheOptions) {
    this.#metadata = metadata
    this.#manifests = new LRUCache({ maxSize: limit, sizeCalculation: ({ bytes }) => bytes.byteLength + ENTRY_OVERHEAD })
    this.#changes = new CurrentChanges({ source: changes, soon, onChanges: (told) => this.#forget(told) })
  }

  async getManifest(name: RepositoryName, reference: Reference): Promise<Manifest | undefined> {
    const seen = await this.#changes.current()
    const key = reference.tag === undefined ? `${name}@${reference.digest}` : `${name}:${reference.tag}`
    const held = this.#manifests.get(key)
    if (held) return held
    const manifest = await this.#metadata.getManifest(name, reference)
    // If a change was told of meanwhile, this answer may be from before it, and nobody would take it out again.
    if (manifest && this.#changes.unchangedSince(seen)) this.#manifests.set(key, manifest)
    return manifest
  }

  statManifest(name: RepositoryName, reference: Reference): Promise<ManifestHead | undefined> {
    return this.getManifest(name, reference)
  }

  /** The database has become another. */
  restart(): void {
    this.#changes.restart()
    this.#manifests.clear()
  }

  #forget(told: readonly SeenChange[] | 'anything'): void {
    if (told === 'anything') {
      this.#manifests.clear()
      return
    }
    for (const { kind, subject } of told) {
      if (kind.startsWith('tag.') || kind.startsWith('manifest.')) this.#manifests.delete(subject)
      else if (kind === 'repository.deleted' || kind === 'project.deleted') this.#manifests.clear()
    }
  }
}

// Tells of what is taken from a Registry.

import type { Blobs, Manifests, Referrers, Registry, Repository, Tags, TagVersions, Uploads } from './registry.ts'
import type { Digest } from './spec/digests.ts'
import type { RepositoryName, Tag } from './spec/names.ts'

/** A manifest that was handed out whole. `HEAD` asks, and is none. */
export interface Pull {
  readonly repository: RepositoryName
  readonly digest: Digest
  /** The tag that it was asked by, if it was. */
  readonly tag?: Tag
}

/** The same registry; `pulled` is told of each manifest that it gives. It must not throw. */
export function observePulls(registry: Registry, pulled: (pull: Pull) => void): Registry {
  return {
    repositories: (page) => registry.repositories(page),
    repository: (name) => new ObservedRepository(registry.repository(name), pulled),
  }
}

/** A class for the sake of its getters, as in access.ts: those of an object literal would keep its request until the next full collection. */
class ObservedRepository implements Repository {
  readonly name: RepositoryName
  readonly #repository: Repository
  readonly #pulled: (pull: Pull) => void

  constructor(repository: Repository, pulled: (pull: Pull) => void) {
    this.name = repository.name
    this.#repository = repository
    this.#pulled = pulled
  }

  get manifests(): Manifests {
    const { manifests } = this.#repository
    return {
      stat: (reference) => manifests.stat(reference),
      put: (manifest) => manifests.put(manifest),
      delete: (digest) => manifests.delete(digest),
      get: async (reference) => {
        const manifest = await manifests.get(reference)
        if (manifest !== undefined) {
          const repository = this.name
          const { digest } = manifest.descriptor
          this.#pulled(reference.tag === undefined ? { repository, digest } : { repository, digest, tag: reference.tag })
        }
        return manifest
      },
    }
  }

  get tags(): Tags {
    return this.#repository.tags
  }

  get blobs(): Blobs {
    return this.#repository.blobs
  }

  get uploads(): Uploads {
    return this.#repository.uploads
  }

  get referrers(): Referrers {
    return this.#repository.referrers
  }
  get versions(): TagVersions | undefined {
    return this.#repository.versions
  }
}

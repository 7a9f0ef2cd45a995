// Tells of what is taken from a Registry.

import type { Manifests, Registry } from './registry.ts'
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
    repository(name) {
      const repository = registry.repository(name)
      return {
        name: repository.name,
        get manifests(): Manifests {
          const { manifests } = repository
          return {
            stat: (reference) => manifests.stat(reference),
            put: (manifest) => manifests.put(manifest),
            delete: (digest) => manifests.delete(digest),
            async get(reference) {
              const manifest = await manifests.get(reference)
              if (manifest !== undefined) {
                const { digest } = manifest.descriptor
                pulled(reference.tag === undefined ? { repository: name, digest } : { repository: name, digest, tag: reference.tag })
              }
              return manifest
            },
          }
        },
        get tags() {
          return repository.tags
        },
        get blobs() {
          return repository.blobs
        },
        get uploads() {
          return repository.uploads
        },
        get referrers() {
          return repository.referrers
        },
      }
    },
  }
}

// Who may do what, at the border of a Registry: every noun asks the gate before it does anything.

import type { Blobs, Manifests, Referrers, Registry, Repository, Tags, TagVersions, Uploads } from './registry.ts'
import type { RepositoryName } from './spec/names.ts'
import type { Page, Slice } from './spec/pages.ts'

export type AccessAction = 'pull' | 'push' | 'delete'

/** Decides for one caller. Whoever opens a Registry for a request brings the gate of that request. */
export interface Gate {
  /** @throws RegistryError UNAUTHORIZED with a challenge, or DENIED */
  require(name: RepositoryName, action: AccessAction): Promise<void>
  /** Whether the caller has the right: of repositories that the request does not name in its path, and which the answer must not tell of. */
  allows(name: RepositoryName, action: AccessAction): Promise<boolean>
}

/** How many candidates for a mount without a source are looked at. */
const MOUNT_CANDIDATES = 64

/** How many names are read at once to fill a page of the catalog with those that the caller may see. */
const CATALOG_BATCH = 1000

/** The same registry, as far as the gate lets its caller in. */
export function restrict(registry: Registry, gate: Gate): Registry {
  return {
    repository: (name) => new RestrictedRepository(registry.repository(name), gate),
    repositories: (page) => allowedRepositories(registry, gate, page),
  }
}

/**
 * A class for the sake of its getters: the engine makes a shape for each object literal that has some, and keeps it, with the request that it
 * was made for, until the next full collection.
 */
class RestrictedRepository implements Repository {
  readonly name: RepositoryName
  readonly #repository: Repository
  readonly #gate: Gate

  constructor(repository: Repository, gate: Gate) {
    this.name = repository.name
    this.#repository = repository
    this.#gate = gate
  }

  get manifests(): Manifests {
    const { manifests } = this.#repository
    const pull = () => this.#require('pull')
    const push = () => this.#require('push')
    const remove = () => this.#require('delete')
    return {
      stat: async (reference) => {
        await pull()
        return manifests.stat(reference)
      },
      get: async (reference) => {
        await pull()
        return manifests.get(reference)
      },
      put: async (manifest) => {
        await push()
        return manifests.put(manifest)
      },
      delete: async (digest) => {
        await remove()
        return manifests.delete(digest)
      },
    }
  }

  get tags(): Tags {
    const { tags } = this.#repository
    const pull = () => this.#require('pull')
    const remove = () => this.#require('delete')
    return {
      list: async (page) => {
        await pull()
        return tags.list(page)
      },
      delete: async (tag) => {
        await remove()
        return tags.delete(tag)
      },
    }
  }

  get blobs(): Blobs {
    const { blobs } = this.#repository
    const pull = () => this.#require('pull')
    const remove = () => this.#require('delete')
    return {
      stat: async (digest) => {
        await pull()
        return blobs.stat(digest)
      },
      open: async (digest, range) => {
        await pull()
        return blobs.open(digest, range)
      },
      delete: async (digest) => {
        await remove()
        return blobs.delete(digest)
      },
    }
  }

  get uploads(): Uploads {
    const { uploads } = this.#repository
    const gate = this.#gate
    const push = () => this.#require('push')
    return {
      begin: async (options) => {
        await push()
        return uploads.begin(options)
      },
      stat: async (id) => {
        await push()
        return uploads.stat(id)
      },
      append: async (id, stream, range) => {
        await push()
        return uploads.append(id, stream, range)
      },
      finish: async (id, digest) => {
        await push()
        return uploads.finish(id, digest)
      },
      cancel: async (id) => {
        await push()
        return uploads.cancel(id)
      },
      // A source that the caller may not read is no source: the answer must not tell whether the blob is there.
      mount: async (digest, from) => {
        await push()
        return (await gate.allows(from, 'pull')) ? uploads.mount(digest, from) : undefined
      },
      mountable: async (digest, limit) => {
        await push()
        const allowed: RepositoryName[] = []
        for (const candidate of await uploads.mountable(digest, MOUNT_CANDIDATES)) {
          if (allowed.length >= limit) break
          if (await gate.allows(candidate, 'pull')) allowed.push(candidate)
        }
        return allowed
      },
    }
  }

  get referrers(): Referrers {
    const { referrers } = this.#repository
    const pull = () => this.#require('pull')
    return {
      list: async (subject, query) => {
        await pull()
        return referrers.list(subject, query)
      },
    }
  }

  get versions(): TagVersions | undefined {
    const { versions } = this.#repository
    if (versions === undefined) return undefined
    return {
      state: async (tag) => {
        await this.#require('pull')
        return versions.state(tag)
      },
      put: async (manifest, tag, version) => {
        await this.#require('push')
        return versions.put(manifest, tag, version)
      },
      delete: async (tag, version) => {
        await this.#require('delete')
        return versions.delete(tag, version)
      },
    }
  }

  #require(action: AccessAction): Promise<void> {
    return this.#gate.require(this.name, action)
  }
}

async function allowedRepositories(registry: Registry, gate: Gate, page: Page): Promise<Slice<RepositoryName>> {
  const allowed: RepositoryName[] = []
  let { last } = page
  for (;;) {
    const slice = await registry.repositories({ limit: CATALOG_BATCH, ...(last !== undefined && { last }) })
    for (const name of slice.items) {
      if (!(await gate.allows(name, 'pull'))) continue
      if (allowed.length === page.limit) return { items: allowed, more: true }
      allowed.push(name)
    }
    last = slice.items.at(-1)
    if (!slice.more || last === undefined) return { items: allowed, more: false }
  }
}

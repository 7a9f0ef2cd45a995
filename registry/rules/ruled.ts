// What a source may give, at the border of a Registry.

import { Memory } from '../pull-through/memory.ts'
import type { Manifest, Registry, Repository } from '../registry.ts'
import type { Digest } from '../spec/digests.ts'
import { parseManifest } from '../spec/manifests.ts'
import type { Reference, RepositoryName, Tag } from '../spec/names.ts'
import { createdAt } from './created.ts'

/** The rules of one repository. */
export interface RepositoryRules {
  /** Whether something of this name may be asked for; without a reference, a blob or the list of tags. @throws RegistryError DENIED */
  name(reference?: Reference): void
  /** Whether what an artifact says of itself matters. */
  looksInside(digest: Digest): boolean
  /** Whether this artifact may be served. `created` is milliseconds since the epoch. @throws RegistryError DENIED */
  content(artifact: { readonly digest: Digest; readonly created: number | undefined }): void
}

/** The rules that hold for a repository now; undefined: none do. */
export type RulesOf = (name: RepositoryName) => Promise<RepositoryRules | undefined>

const TIMES_REMEMBERED = 20_000

/** When artifacts were created, by digest: it never changes. Lives as long as the process. */
export class CreationTimes {
  readonly #own = new Memory<{ readonly created: number | undefined }>(TIMES_REMEMBERED)
  readonly #inherited = new Memory<number>(TIMES_REMEMBERED)

  /** Children that do not say it themselves are as old as their index. */
  async of(repository: Repository, manifest: Manifest): Promise<number | undefined> {
    const { digest, mediaType } = manifest.descriptor
    let own = this.#own.get(digest)
    if (own === undefined) {
      own = { created: await createdAt(repository, manifest) }
      this.#own.set(digest, own)
    }
    const created = own.created ?? this.#inherited.get(digest)
    if (created !== undefined) for (const child of parseManifest(manifest.bytes, mediaType).manifests) this.#inherited.set(child.digest, created)
    return created
  }
}

/** The same registry, as far as the rules let through what it has. */
export function ruled(registry: Registry, rulesOf: RulesOf, times: CreationTimes): Registry {
  return {
    repository: (name) => ruledRepository(registry.repository(name), rulesOf, times),
    repositories: (page) => registry.repositories(page),
  }
}

function ruledRepository(repository: Repository, rulesOf: RulesOf, times: CreationTimes): Repository {
  const { name, manifests, tags, blobs, uploads, referrers } = repository
  const admit = async (rules: RepositoryRules, manifest: Manifest | undefined) => {
    if (manifest !== undefined && rules.looksInside(manifest.descriptor.digest)) {
      rules.content({ digest: manifest.descriptor.digest, created: await times.of(repository, manifest) })
    }
    return manifest
  }
  const checked = async (reference?: Reference) => {
    const rules = await rulesOf(name)
    rules?.name(reference)
    return rules
  }
  return {
    name,
    uploads,
    manifests: {
      stat: async (reference) => {
        const rules = await checked(reference)
        const found = await manifests.stat(reference)
        if (rules === undefined || found === undefined || !rules.looksInside(found.descriptor.digest)) return found
        const whole = await admit(rules, await manifests.get({ digest: found.descriptor.digest }))
        return whole && found
      },
      get: async (reference) => {
        const rules = await checked(reference)
        const found = await manifests.get(reference)
        return rules === undefined ? found : await admit(rules, found)
      },
      put: (manifest) => manifests.put(manifest),
      delete: (digest) => manifests.delete(digest),
    },
    tags: {
      list: async (page) => {
        await checked()
        return await tags.list(page)
      },
      delete: (tag: Tag) => tags.delete(tag),
    },
    blobs: {
      stat: async (digest) => {
        await checked()
        return await blobs.stat(digest)
      },
      open: async (digest, range) => {
        await checked()
        return await blobs.open(digest, range)
      },
      delete: (digest) => blobs.delete(digest),
    },
    referrers: {
      list: async (subject, query) => {
        await checked()
        return await referrers.list(subject, query)
      },
    },
  }
}

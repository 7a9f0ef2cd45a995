import type { Registry, Repository } from '../../registry/registry.ts'
import type { RepositoryName } from '../../registry/spec/names.ts'

/** Asked before a change to a repository: undefined, or what resolves once the change is at the other site. @throws when it cannot get there now */
export type Settling = (name: RepositoryName) => Promise<(() => Promise<void>) | undefined>

/** A registry whose changes are acknowledged once they are settled. What is read is read as it is. */
export function synchronous(registry: Registry, settling: Settling): Registry {
  return {
    repository: (name) => waiting(registry.repository(name), () => settling(name)),
    repositories: (page) => registry.repositories(page),
  }
}

function waiting(repository: Repository, settling: () => ReturnType<Settling>): Repository {
  const settled = async <T>(work: () => Promise<T>): Promise<T> => {
    const settle = await settling()
    const done = await work()
    await settle?.()
    return done
  }
  const { name } = repository
  return {
    name,
    referrers: repository.referrers,
    get manifests() {
      const { manifests } = repository
      return {
        stat: (reference) => manifests.stat(reference),
        get: (reference) => manifests.get(reference),
        put: (manifest) => settled(() => manifests.put(manifest)),
        delete: (digest) => settled(() => manifests.delete(digest)),
      } satisfies Repository['manifests']
    },
    get tags() {
      const { tags } = repository
      return { list: (page) => tags.list(page), delete: (tag) => settled(() => tags.delete(tag)) } satisfies Repository['tags']
    },
    get blobs() {
      const { blobs } = repository
      return {
        stat: (digest) => blobs.stat(digest),
        open: (digest, range) => blobs.open(digest, range),
        delete: (digest) => settled(() => blobs.delete(digest)),
      } satisfies Repository['blobs']
    },
    get versions() {
      const { versions } = repository
      if (versions === undefined) return undefined
      return {
        state: (tag) => versions.state(tag),
        put: (manifest, tag, version) => settled(() => versions.put(manifest, tag, version)),
        delete: (tag, version) => settled(() => versions.delete(tag, version)),
        notice: (tag, other) => versions.notice?.(tag, other) ?? Promise.resolve(),
      } satisfies Repository['versions']
    },
    get uploads() {
      const { uploads } = repository
      return {
        begin: async (options) => {
          // Nothing is taken that could not be finished.
          await settling()
          return await uploads.begin(options)
        },
        stat: (id) => uploads.stat(id),
        append: (id, stream, range) => uploads.append(id, stream, range),
        finish: (id, digest) => settled(() => uploads.finish(id, digest)),
        cancel: (id) => uploads.cancel(id),
        mount: (digest, from) => settled(() => uploads.mount(digest, from)),
        mountable: (digest, limit) => uploads.mountable(digest, limit),
      } satisfies Repository['uploads']
    },
  }
}

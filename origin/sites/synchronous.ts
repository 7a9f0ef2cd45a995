import type { Registry, Repository } from '../../registry/registry.ts'
import type { RepositoryName } from '../../registry/spec/names.ts'

/** A registry whose changes are acknowledged once `settled` has resolved for their repository. What is read is read as it is. */
export function synchronous(registry: Registry, settled: (name: RepositoryName) => Promise<void>): Registry {
  return {
    repository: (name) => waiting(registry.repository(name), () => settled(name)),
    repositories: (page) => registry.repositories(page),
  }
}

function waiting(repository: Repository, settled: () => Promise<void>): Repository {
  const after = async <T>(work: Promise<T>): Promise<T> => {
    const done = await work
    await settled()
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
        put: (manifest) => after(manifests.put(manifest)),
        delete: (digest) => after(manifests.delete(digest)),
      } satisfies Repository['manifests']
    },
    get tags() {
      const { tags } = repository
      return { list: (page) => tags.list(page), delete: (tag) => after(tags.delete(tag)) } satisfies Repository['tags']
    },
    get blobs() {
      const { blobs } = repository
      return {
        stat: (digest) => blobs.stat(digest),
        open: (digest, range) => blobs.open(digest, range),
        delete: (digest) => after(blobs.delete(digest)),
      } satisfies Repository['blobs']
    },
    get versions() {
      const { versions } = repository
      if (versions === undefined) return undefined
      return {
        state: (tag) => versions.state(tag),
        put: (manifest, tag, version) => after(versions.put(manifest, tag, version)),
        delete: (tag, version) => after(versions.delete(tag, version)),
        notice: (tag, other) => versions.notice?.(tag, other) ?? Promise.resolve(),
      } satisfies Repository['versions']
    },
    get uploads() {
      const { uploads } = repository
      return {
        begin: (options) => uploads.begin(options),
        stat: (id) => uploads.stat(id),
        append: (id, stream, range) => uploads.append(id, stream, range),
        finish: (id, digest) => after(uploads.finish(id, digest)),
        cancel: (id) => uploads.cancel(id),
        mount: (digest, from) => after(uploads.mount(digest, from)),
        mountable: (digest, limit) => uploads.mountable(digest, limit),
      } satisfies Repository['uploads']
    },
  }
}

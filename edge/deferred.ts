import type { Registry, Repository } from '../registry/registry.ts'
import type { RepositoryName } from '../registry/spec/names.ts'

/** A registry whose repositories are somewhere that has yet to be found out: `pick` is asked when a noun is first used. */
export function deferred(pick: (name: RepositoryName) => Promise<Repository>, repositories: Registry['repositories']): Registry {
  return { repository: (name) => deferredRepository(name, pick), repositories }
}

function deferredRepository(name: RepositoryName, pick: (name: RepositoryName) => Promise<Repository>): Repository {
  let found: Promise<Repository> | undefined
  const there = () => {
    found ??= pick(name)
    return found
  }
  return {
    name,
    manifests: {
      stat: async (reference) => (await there()).manifests.stat(reference),
      get: async (reference) => (await there()).manifests.get(reference),
      put: async (manifest) => (await there()).manifests.put(manifest),
      delete: async (digest) => (await there()).manifests.delete(digest),
    },
    tags: {
      list: async (page) => (await there()).tags.list(page),
      delete: async (tag) => (await there()).tags.delete(tag),
    },
    blobs: {
      stat: async (digest) => (await there()).blobs.stat(digest),
      open: async (digest, range, size) => (await there()).blobs.open(digest, range, size),
      delete: async (digest) => (await there()).blobs.delete(digest),
    },
    uploads: {
      begin: async (options) => (await there()).uploads.begin(options),
      stat: async (id) => (await there()).uploads.stat(id),
      append: async (id, stream, range) => (await there()).uploads.append(id, stream, range),
      finish: async (id, digest) => (await there()).uploads.finish(id, digest),
      cancel: async (id) => (await there()).uploads.cancel(id),
      mount: async (digest, from) => (await there()).uploads.mount(digest, from),
      mountable: async (digest, limit) => (await there()).uploads.mountable(digest, limit),
    },
    referrers: {
      list: async (subject, query) => (await there()).referrers.list(subject, query),
    },
  }
}

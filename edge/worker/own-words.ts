import type { Registry, Repository } from '../../registry/registry.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import type { RepositoryName } from '../../registry/spec/names.ts'
import { RETRY_AFTER_S } from '../limits.ts'
import { OBJECT_HOST } from './ask-object.ts'

/**
 * A registry behind one of our own objects. What the object says goes on as it is; what goes wrong on the way to it is told without the
 * address that only this Worker knows, and that nobody could do anything about.
 */
export function inOwnWords(registry: Registry): Registry {
  return {
    repository: (name) => repositoryInOwnWords(registry.repository(name), name),
    repositories: (page) => own(registry.repositories(page)),
  }
}

function repositoryInOwnWords({ manifests, tags, blobs, uploads, referrers }: Repository, name: RepositoryName): Repository {
  return {
    name,
    manifests: {
      stat: (reference) => own(manifests.stat(reference)),
      get: (reference) => own(manifests.get(reference)),
      put: (manifest) => own(manifests.put(manifest)),
      delete: (digest) => own(manifests.delete(digest)),
    },
    tags: { list: (page) => own(tags.list(page)), delete: (tag) => own(tags.delete(tag)) },
    blobs: {
      stat: (digest) => own(blobs.stat(digest)),
      open: (digest, range) => own(blobs.open(digest, range)),
      delete: (digest) => own(blobs.delete(digest)),
    },
    uploads: {
      begin: (options) => own(uploads.begin(options)),
      stat: (id) => own(uploads.stat(id)),
      append: (id, stream, range) => own(uploads.append(id, stream, range)),
      finish: (id, digest) => own(uploads.finish(id, digest)),
      cancel: (id) => own(uploads.cancel(id)),
      mount: (digest, from) => own(uploads.mount(digest, from)),
      mountable: (digest, limit) => own(uploads.mountable(digest, limit)),
    },
    referrers: { list: (subject, query) => own(referrers.list(subject, query)) },
  }
}

/** @throws RegistryError without the address of the object */
async function own<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    if (!(error instanceof RegistryError) || !JSON.stringify(error).includes(OBJECT_HOST)) throw error
    throw new RegistryError('UNAVAILABLE', 'A part of this edge does not answer as it should. Try again.', undefined, {
      cause: error,
      headers: { 'Retry-After': String(RETRY_AFTER_S) },
    })
  }
}

import type { Source } from '../../registry/pull-through/source.ts'
import type { BlobStream, Blobs, Registry, Repository } from '../../registry/registry.ts'
import type { Digest } from '../../registry/spec/digests.ts'
import type { RepositoryName } from '../../registry/spec/names.ts'
import type { ByteRange } from '../../registry/spec/ranges.ts'

/** Somebody nearer than the source who may have a blob. */
export interface Nearby {
  /** The blob as it comes; undefined: the source is to be asked. What it throws comes from the caller's own signal. */
  open(name: RepositoryName, digest: Digest, range: ByteRange | undefined, signal: AbortSignal | undefined): Promise<BlobStream | undefined>
}

/** The same source, its blobs asked of somebody nearer first. `ours`: what a repository of the source is called here. */
export function withNearby(source: Source, nearby: Nearby, ours: (name: RepositoryName) => RepositoryName): Source {
  const blobsOf = (repository: Repository, signal: AbortSignal | undefined): Blobs => ({
    // Rights are the source's to say, and there is no byte to be saved.
    stat: (digest) => repository.blobs.stat(digest),
    open: async (digest, range, size) =>
      (await nearby.open(ours(repository.name), digest, range, signal)) ?? (await repository.blobs.open(digest, range, size)),
    delete: (digest) => repository.blobs.delete(digest),
  })
  return {
    ...source,
    with(signal): Registry {
      const registry = source.with(signal)
      return {
        repositories: (page) => registry.repositories(page),
        repository: (name) => {
          const repository = registry.repository(name)
          const { manifests, tags, uploads, referrers } = repository
          return { name, manifests, tags, uploads, referrers, blobs: blobsOf(repository, signal) }
        },
      }
    },
  }
}

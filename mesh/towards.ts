import type { BlobLocation, Registry } from '../registry/registry.ts'
import type { Descriptor } from '../registry/spec/descriptors.ts'
import type { RepositoryName } from '../registry/spec/names.ts'
import { TICKET_PARAMETER } from './nearest.ts'

/**
 * The same registry, its blobs elsewhere where `locate` says so; it is asked only for what is there. To be put behind the gate: whoever gets
 * an address may have the blob.
 */
export function towards(registry: Registry, locate: (name: RepositoryName, blob: Descriptor) => Promise<BlobLocation | undefined>): Registry {
  return {
    repositories: (page) => registry.repositories(page),
    repository: (name) => {
      const repository = registry.repository(name)
      const { blobs, manifests, tags, uploads, referrers, versions } = repository
      return {
        name,
        manifests,
        tags,
        uploads,
        referrers,
        versions,
        blobs: {
          stat: (digest) => blobs.stat(digest),
          open: async (digest, range) => {
            const found = await blobs.stat(digest)
            return (found && (await locate(name, found))) ?? (await blobs.open(digest, range))
          },
          delete: (digest) => blobs.delete(digest),
        },
      }
    },
  }
}

/** A blob's address at an edge, for whoever holds this ticket. */
export function addressAt(edge: { readonly url: string }, name: RepositoryName, { digest }: Pick<Descriptor, 'digest'>, ticket: string): URL {
  const location = new URL(edge.url)
  location.pathname = `${location.pathname.replace(/\/$/, '')}/v2/${name}/blobs/${digest}`
  location.searchParams.set(TICKET_PARAMETER, ticket)
  return location
}

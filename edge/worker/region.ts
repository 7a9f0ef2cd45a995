import { systemClock } from '../../registry/clock.ts'
import type { Log } from '../../registry/log.ts'
import { PULL_THROUGH_LIMITS } from '../../registry/pull-through/limits.ts'
import { Records } from '../../registry/pull-through/records.ts'
import type { Blobs, Registry } from '../../registry/registry.ts'
import { RemoteRegistry } from '../../registry/remote/index.ts'
import type { Digest } from '../../registry/spec/digests.ts'
import { OCTETS } from '../../registry/spec/media-types.ts'
import { type RepositoryName, splitProject } from '../../registry/spec/names.ts'
import { r2ObjectStore } from '../../stores/r2-object-store.ts'
import type { Mesh } from '../mesh.ts'
import { originSourceId } from '../sources.ts'
import { upstreamSourceId } from '../upstreams.ts'
import { askObject, OBJECT_HOST } from './ask-object.ts'
import { bucketOf, type Env } from './env.ts'
import { inOwnWords } from './own-words.ts'
import type { Spaces } from './space/spaces.ts'
import { untilStalled } from './stall.ts'
import type { Counts } from './teller.ts'

export interface RegionOptions {
  readonly env: Env
  /** The binding of the bucket near the client. */
  readonly bucket: string
  readonly mesh: Mesh
  readonly spaces: Spaces
  readonly log: Log
  /** No client wants it yet. */
  readonly ahead?: boolean
  /** Told of each blob that is given. */
  readonly given?: (counts: Partial<Counts>) => void
}

const LIMITS = { ...PULL_THROUGH_LIMITS, tagsInMemory: 0, linksInMemory: 0, manifestBytesInMemory: 0 }

/** The registry of one region for one request: blobs that are there come out of the bucket, everything else from the object that fetches it. */
export function regionRegistry(options: RegionOptions, signal: AbortSignal): Registry {
  return {
    repository: (name) => {
      const byName = remote(options, `repository ${name}`).with(signal).repository(name)
      return { ...byName, name, manifests: byName.manifests, tags: byName.tags, uploads: byName.uploads, blobs: blobsOf(options, name, signal) }
    },
    repositories: (page) => remote(options, 'catalog').with(signal).repositories(page),
  }
}

function blobsOf(options: RegionOptions, name: RepositoryName, signal: AbortSignal): Blobs {
  const elsewhere = (digest: Digest) => remote(options, `blob ${digest}`).with(signal).repository(name).blobs
  const objects = r2ObjectStore(bucketOf(options.env, options.bucket))
  const here = options.spaces.blobs(options.bucket)
  /** Its size, if this repository is known to have it. */
  const linked = async (digest: Digest) => await new Records(objects, await sourceId(name, options.mesh), LIMITS).link(name, digest)
  return {
    async stat(digest) {
      const size = await linked(digest)
      if (size === undefined) return await elsewhere(digest).stat(digest)
      // What the source said of its size may be wrong; what is stored is not.
      const stored = await here.stat(digest)
      return { mediaType: OCTETS, digest, size: stored?.size ?? size }
    },
    async open(digest, range) {
      const stored = (await linked(digest)) === undefined ? undefined : await here.open(digest, range)
      const body = stored ?? (await elsewhere(digest).open(digest, range))
      if (body === undefined) return undefined
      const bytesServed = range?.length ?? body.size
      options.given?.({ bytesServed, ...(stored && !options.ahead && { hits: 1 }) })
      return stored || body.stream === undefined ? body : { ...body, stream: untilStalled(body.stream, systemClock, bytesServed) }
    },
    delete: (digest) => elsewhere(digest).delete(digest),
  }
}

async function sourceId(name: RepositoryName, mesh: Mesh): Promise<string> {
  const document = await mesh.facts.project(splitProject(name).project)
  return document?.upstream === undefined ? originSourceId(mesh.status().run) : upstreamSourceId(document, document.upstream)
}

/** One of the objects that fetch, as a registry. */
function remote({ env, bucket, log, ahead = false }: RegionOptions, what: string): { with(signal: AbortSignal): Registry } {
  const registry = new RemoteRegistry({
    url: new URL(`https://${OBJECT_HOST}`),
    // Redirects and tokens are the object's business: what it answers is for our client.
    fetch: (url, init) => askObject({ env, bucket, what, ahead }, url, init),
    authorizer: { headers: async () => ({}) },
    clock: systemClock,
    limits: { attempts: 1 },
    // It keeps the length and the digest.
    passBlobs: true,
    log,
  })
  return { with: (signal) => inOwnWords(registry.with(signal)) }
}

import { LRUCache } from 'lru-cache'
import type { ProjectDocument, UpstreamFacts } from '../mesh/documents.ts'
import type { FeedEntry } from '../mesh/feed.ts'
import type { BlobStore, CreateHasher } from '../registry/blob-store.ts'
import type { Clock } from '../registry/clock.ts'
import type { Fills } from '../registry/fill/index.ts'
import type { Log } from '../registry/log.ts'
import type { ObjectStore } from '../registry/object-store.ts'
import { type Freshness, followed } from '../registry/pull-through/freshness.ts'
import type { PullThroughLimits } from '../registry/pull-through/limits.ts'
import type { Source } from '../registry/pull-through/source.ts'
import { PullThrough } from '../registry/pull-through.ts'
import type { Registry, Repository } from '../registry/registry.ts'
import { type Fetch, RemoteRegistry, vendorOf } from '../registry/remote/index.ts'
import { RegistryError } from '../registry/spec/errors.ts'
import { isRepositoryName, isTag, parseRepositoryName, type RepositoryName, splitProject } from '../registry/spec/names.ts'
import { deferred } from './deferred.ts'
import { UPSTREAMS_IN_MEMORY } from './limits.ts'
import type { Mesh } from './mesh.ts'
import { PasswordsOnly, UpstreamTokens } from './upstream-tokens.ts'

export interface SourcesOptions {
  readonly mesh: Mesh
  /** For the origin, and for upstreams: one whose certificate need not be right is asked with another fetch. */
  readonly fetchFor: (options: { readonly verifyTls: boolean }) => Fetch
  readonly cache: { readonly blobs: BlobStore; readonly records: ObjectStore }
  readonly fills: Fills
  readonly createHasher: CreateHasher
  readonly clock: Clock
  readonly log: Log
  /** Milliseconds that tags may be served while the origin is away. */
  readonly grace: number
  readonly limits?: Partial<PullThroughLimits>
}

/** Where the images of each project come from, with a cache in front: the origin, or for a proxy cache its upstream, asked from here. */
export class Sources {
  readonly #options: SourcesOptions
  readonly #upstreams = new LRUCache<string, PullThrough>({ max: UPSTREAMS_IN_MEMORY })
  readonly #origin: RemoteRegistry
  #ofOrigin: { readonly run: number; readonly cache: PullThrough } | undefined

  constructor(options: SourcesOptions) {
    this.#options = options
    const { mesh, fetchFor, clock, log } = options
    this.#origin = new RemoteRegistry({
      url: mesh.origin.url,
      vendor: vendorOf('atoll'),
      fetch: fetchFor({ verifyTls: true }),
      authorizer: mesh.origin.authorizer(),
      clock,
      log,
    })
  }

  /** All projects as one registry, for one caller. Who may see what is for others to say. */
  open(signal: AbortSignal): Registry {
    return deferred(
      async (name) => (await this.#cacheOf(name)).with(signal).repository(name),
      (page) => this.#originCache().with(signal).repositories(page),
    )
  }

  /** What the feed names is asked for anew. Durable when it resolves. */
  async forget(entries: readonly FeedEntry[]): Promise<void> {
    for (const entry of entries) {
      if (!('repository' in entry) || !isRepositoryName(entry.repository)) continue
      const { repository: name } = entry
      for (const cache of [this.#originCache(), ...this.#upstreams.values()]) await forget(cache, name, entry)
    }
  }

  /** What is known of the origin's repositories: what is pushed to it through here is kept there. */
  get ofOrigin(): PullThrough {
    return this.#originCache()
  }

  counters(): { readonly hits: number; readonly misses: number; readonly bytesHit: number } {
    const all = [...this.#upstreams.values(), ...(this.#ofOrigin ? [this.#ofOrigin.cache] : [])].map(({ counters }) => counters)
    const sum = (of: (counters: PullThrough['counters']) => number) => all.reduce((total, counters) => total + of(counters), 0)
    return {
      hits: sum(({ blobHits, manifestHits }) => blobHits + manifestHits),
      misses: sum(({ blobMisses, manifestMisses }) => blobMisses + manifestMisses),
      bytesHit: sum(({ bytesHit }) => bytesHit),
    }
  }

  async #cacheOf(name: RepositoryName): Promise<PullThrough> {
    const document = await this.#options.mesh.facts.project(splitProject(name).project)
    if (document?.upstream === undefined) return this.#originCache()
    const source = this.#upstreamSource(document, document.upstream)
    const known = this.#upstreams.get(source.id)
    if (known !== undefined) return known
    const made = this.#pullThrough(source)
    this.#upstreams.set(source.id, made)
    return made
  }

  #originCache(): PullThrough {
    const { run } = this.#options.mesh.status()
    if (this.#ofOrigin?.run !== run) {
      const { mesh, clock, grace } = this.#options
      const heardAt = () => {
        const { lag } = mesh.status()
        return lag === null ? undefined : clock.now() - lag
      }
      const freshness = followed({ connected: () => mesh.status().state === 'connected', heardAt, graceMs: () => grace })
      this.#ofOrigin = { run, cache: this.#pullThrough(this.#originSource(), freshness) }
    }
    return this.#ofOrigin.cache
  }

  #originSource(): Source {
    return { id: originSourceId(this.#options.mesh.status().run), name: 'the origin', with: (signal) => this.#origin.with(signal) }
  }

  #upstreamSource(document: ProjectDocument, upstream: UpstreamFacts): Source {
    const { facts } = document
    const { mesh, fetchFor, clock, log } = this.#options
    const url = new URL(upstream.url)
    const common = { url, vendor: vendorOf(upstream.kind), fetch: fetchFor(upstream), clock, log }
    const id = upstreamSourceId(document, upstream)
    if (upstream.credentials === 'anonymous') {
      const remote = new RemoteRegistry(common)
      return { id, name: url.host, nameAt: withoutProject, with: (signal) => remote.with(signal) }
    }
    const tokens = new UpstreamTokens(mesh.origin, facts.name)
    const remote = new RemoteRegistry({ ...common, authorizer: tokens.authorizer() })
    const pick = async (name: RepositoryName, signal: AbortSignal | undefined): Promise<Repository> => {
      try {
        await tokens.token(`repository:${remote.vendor.repository(name)}:pull`, { signal })
        return remote.with(signal).repository(name)
      } catch (error) {
        if (!(error instanceof PasswordsOnly)) throw error
        return this.#origin.with(signal).repository(parseRepositoryName(`${facts.name}/${name}`))
      }
    }
    return {
      id,
      name: url.host,
      nameAt: withoutProject,
      with: (signal) =>
        deferred(
          (name) => pick(name, signal),
          (page) => remote.with(signal).repositories(page),
        ),
    }
  }

  #pullThrough(source: Source, freshness?: Freshness): PullThrough {
    const { cache, fills, createHasher, clock, log, limits } = this.#options
    return new PullThrough({ source, cache, fills, createHasher, clock, log, ...(freshness && { freshness }), ...(limits && { limits }) })
  }
}

async function forget(cache: PullThrough, name: RepositoryName, entry: FeedEntry): Promise<void> {
  switch (entry.kind) {
    case 'tag':
      if (isTag(entry.tag)) await cache.pushed.tagMoved(name, entry.tag, entry.digest)
      return
    case 'manifest-deleted':
      await cache.forgetManifest(name, entry.digest)
      return
    case 'blob-deleted':
      await cache.forgetBlob(name, entry.digest)
      return
    case 'repository-deleted':
      await cache.forgetRepository(name)
      return
    case 'project':
    case 'principal':
      return
  }
}

/** `dockerhub-proxy/library/nginx` is `library/nginx` at the upstream. */
function withoutProject(name: RepositoryName): RepositoryName {
  const { rest } = splitProject(name)
  if (rest === '') throw new RegistryError('NAME_UNKNOWN', 'Give the image after the project, as in dockerhub-proxy/library/alpine.')
  return parseRepositoryName(rest)
}

/** In each run of the feed the origin is another source: what was said in an earlier one may have changed unseen. Bytes stay, under their digests. */
export function originSourceId(run: number): string {
  return `origin.${run}`
}

/** With another address or other credentials it is another source: what the old one showed says nothing of the new one. */
export function upstreamSourceId({ facts }: ProjectDocument, upstream: UpstreamFacts): string {
  return `upstream.${facts.id}.${fingerprint(JSON.stringify(upstream))}`
}

/** Tells one configuration of an upstream from the next; nothing secret is in it (FNV-1a, 32 bits, over its length). */
function fingerprint(text: string): string {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return `${(hash >>> 0).toString(16)}-${text.length}`
}

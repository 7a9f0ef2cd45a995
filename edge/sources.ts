import { LRUCache } from 'lru-cache'
import type { ProjectDocument, UpstreamFacts } from '../mesh/documents.ts'
import type { UpstreamBudget } from '../mesh/enrolment.ts'
import type { FeedEntry } from '../mesh/feed.ts'
import type { BlobStore, CreateHasher } from '../registry/blob-store.ts'
import type { Clock } from '../registry/clock.ts'
import type { Fills } from '../registry/fill/index.ts'
import type { Log } from '../registry/log.ts'
import type { ObjectStore } from '../registry/object-store.ts'
import { SourceCounters } from '../registry/pull-through/counters.ts'
import { type Freshness, followed, leases } from '../registry/pull-through/freshness.ts'
import { type LeaseRule, leaseTimesOf, parseLeaseRules } from '../registry/pull-through/lease-rules.ts'
import type { PullThroughLimits } from '../registry/pull-through/limits.ts'
import type { Warm } from '../registry/pull-through/prefetch.ts'
import type { Source } from '../registry/pull-through/source.ts'
import { PullThrough } from '../registry/pull-through.ts'
import type { Registry } from '../registry/registry.ts'
import { type Fetch, RemoteRegistry, vendorOf } from '../registry/remote/index.ts'
import { isRepositoryName, isTag, parseRepositoryName, type RepositoryName, splitProject } from '../registry/spec/names.ts'
import { deferred } from './deferred.ts'
import { keptIn } from './kept.ts'
import { SOURCE_LIMITS, UPSTREAMS_IN_MEMORY } from './limits.ts'
import type { Mesh } from './mesh.ts'
import { type Nearby, withNearby } from './neighbours/nearby.ts'
import { whileHeard } from './patience.ts'
import { UpstreamMemory } from './upstream-memory.ts'
import { openUpstream, upstreamSourceId } from './upstreams.ts'

export interface SourcesOptions {
  readonly mesh: Mesh
  /** For the origin, and for upstreams: one whose certificate need not be right is asked with another fetch. */
  readonly fetchFor: (options: { readonly verifyTls: boolean }) => Fetch
  readonly cache: { readonly blobs: BlobStore; readonly records: ObjectStore }
  readonly fills: Fills
  /** Who brings a blob ahead of its client; by default a fill of `fills`. */
  readonly warm?: Warm
  readonly createHasher: CreateHasher
  readonly clock: Clock
  readonly log: Log
  readonly limits?: Partial<PullThroughLimits>
  /** Who may have a blob nearer than its source, for what comes from the source of this id. */
  readonly nearby?: (sourceId: string) => Nearby
  /** Told what upstreams say of their limits. */
  readonly budgetHeard?: (budget: UpstreamBudget) => void
  /** Other sources, with which these share what is learned of upstreams and what is counted. */
  readonly beside?: Pick<Sources, 'memory' | 'counters'>
}

interface Upstream {
  opening: Promise<PullThrough> | undefined
  opened: PullThrough | undefined
  /** undefined: nothing need be learned of it any more, or it is not open yet. */
  acquaint: Source['acquaint']
  /** The project's rules for leases, as written and as read. */
  text: string
  rules: readonly LeaseRule[]
}

/** Where the images of each project come from, with a cache in front: the origin, or for a proxy cache its upstream, asked from here. */
export class Sources {
  readonly #options: SourcesOptions
  /** What is learned of upstreams, and of how often they may be asked. */
  readonly memory: UpstreamMemory
  readonly #upstreams = new LRUCache<string, Upstream>({ max: UPSTREAMS_IN_MEMORY })
  /** What was done for each source, by its name: two projects of one upstream are one source here. */
  readonly counters: SourceCounters
  #remote: { readonly url: URL; readonly registry: RemoteRegistry } | undefined
  #ofOrigin: { readonly run: number; readonly url: URL; readonly cache: PullThrough } | undefined

  constructor(options: SourcesOptions) {
    this.#options = options
    const { cache, clock, log, beside } = options
    this.memory = beside?.memory ?? new UpstreamMemory({ kept: keptIn(cache.records), clock, log, heard: options.budgetHeard })
    this.counters = beside?.counters ?? new SourceCounters()
  }

  /** All projects as one registry, for one caller. Who may see what is for others to say. `ahead`: no client wants it yet, so it counts as no hit and no miss. */
  open(signal: AbortSignal, how: { readonly ahead?: boolean } = {}): Registry {
    return deferred(
      async (name) => (await this.#cacheOf(name)).with(signal, how).repository(name),
      (page) => this.#originCache().with(signal, how).repositories(page),
    )
  }

  /** Has what a project's upstream wants of those who come learned before a client asks for anything of it. @throws RegistryError when it does not answer; the signal's reason */
  async acquaint(project: string, signal: AbortSignal): Promise<void> {
    const document = await this.#options.mesh.facts.project(project)
    if (document?.upstream === undefined) return
    await this.#upstream(document, document.upstream)
    const upstream = this.#upstreams.get(upstreamSourceId(document, document.upstream))
    await upstream?.acquaint?.(signal)
    if (upstream) upstream.acquaint = undefined
  }

  /** What the feed names is asked for anew. Durable when it resolves. */
  async forget(entries: readonly FeedEntry[]): Promise<void> {
    for (const entry of entries) {
      if (!('repository' in entry) || !isRepositoryName(entry.repository)) continue
      const { repository: name } = entry
      for (const cache of [this.#originCache(), ...this.#opened()]) await forget(cache, name, entry)
    }
  }

  /** What is known of the origin's repositories: what is pushed to it through here is kept there. */
  get ofOrigin(): PullThrough {
    return this.#originCache()
  }

  async #cacheOf(name: RepositoryName): Promise<PullThrough> {
    const document = await this.#options.mesh.facts.project(splitProject(name).project)
    if (document?.upstream === undefined) return this.#originCache()
    return await this.#upstream(document, document.upstream)
  }

  #originCache(): PullThrough {
    const { run } = this.#options.mesh.status()
    const { mesh } = this.#options
    const { url } = mesh.origin
    // Another site, or another run of the feed: what is believed of tags is asked for anew.
    if (this.#ofOrigin?.run !== run || this.#ofOrigin.url !== url) {
      const freshness = followed(() => mesh.status().state === 'connected')
      this.#ofOrigin = { run, url, cache: this.#pullThrough(this.#originSource(), freshness) }
    }
    return this.#ofOrigin.cache
  }

  #originSource(): Source {
    const id = originSourceId(this.#options.mesh.status().run)
    const origin = this.#remoteOrigin()
    return this.#near({ id, name: 'the origin', with: (signal) => origin.with(signal) }, (name) => name)
  }

  /** Where the origin is asked now. */
  #remoteOrigin(): RemoteRegistry {
    const { mesh, fetchFor, clock, log } = this.#options
    const { url } = mesh.origin
    if (this.#remote?.url !== url) {
      const registry = new RemoteRegistry({
        url,
        vendor: vendorOf('atoll'),
        fetch: whileHeard(fetchFor({ verifyTls: true }), { mesh, clock, log }),
        authorizer: mesh.origin.authorizer(),
        clock,
        log,
        limits: SOURCE_LIMITS,
      })
      this.#remote = { url, registry }
    }
    return this.#remote.registry
  }

  #near(source: Source, ours: (name: RepositoryName) => RepositoryName): Source {
    const { nearby } = this.#options
    return nearby === undefined ? source : withNearby(source, nearby(source.id), ours)
  }

  #opened(): PullThrough[] {
    return [...this.#upstreams.values()].flatMap(({ opened }) => (opened ? [opened] : []))
  }

  /** The one of this upstream, or a new one. Lease times are those of the document that came last. */
  async #upstream(document: ProjectDocument, facts: UpstreamFacts): Promise<PullThrough> {
    const id = upstreamSourceId(document, facts)
    const upstream = this.#upstreams.get(id) ?? { opening: undefined, opened: undefined, acquaint: undefined, text: '', rules: [] }
    this.#upstreams.set(id, upstream)
    const { tagLeases = '' } = document
    if (upstream.text !== tagLeases) Object.assign(upstream, { text: tagLeases, rules: parseLeaseRules(tagLeases) ?? [] })
    if (upstream.opened) return upstream.opened
    upstream.opening ??= this.#open(document, facts, upstream)
    try {
      upstream.opened = await upstream.opening
      return upstream.opened
    } catch (error) {
      upstream.opening = undefined
      throw error
    }
  }

  async #open(document: ProjectDocument, facts: UpstreamFacts, upstream: Upstream): Promise<PullThrough> {
    const { mesh, fetchFor, clock, log } = this.#options
    const source = await openUpstream(document, facts, { mesh, fetchFor, origin: this.#remoteOrigin(), memory: this.memory, clock, log })
    upstream.acquaint = source.acquaint
    return this.#pullThrough(
      this.#near(source, (name) => parseRepositoryName(`${document.facts.name}/${name}`)),
      leases((tag) => leaseTimesOf(upstream.rules, tag)),
    )
  }

  #pullThrough(source: Source, freshness?: Freshness): PullThrough {
    const { cache, fills, warm, createHasher, clock, log, limits } = this.#options
    return new PullThrough({
      source,
      counters: this.counters.of(source.name),
      cache,
      fills,
      createHasher,
      clock,
      log,
      ...(warm && { warm }),
      ...(freshness && { freshness }),
      ...(limits && { limits }),
    })
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

/** In each run of the feed the origin is another source: what was said in an earlier one may have changed unseen. Bytes stay, under their digests. */
export function originSourceId(run: number): string {
  return `origin.${run}`
}

import type { BlobStore, CreateHasher } from './blob-store.ts'
import type { Clock } from './clock.ts'
import type { Fills } from './fill/fills.ts'
import type { Log } from './log.ts'
import type { ObjectStore } from './object-store.ts'
import { BlobCache } from './pull-through/blobs.ts'
import { Budget } from './pull-through/budget.ts'
import { atSource, type Context, keyOf } from './pull-through/context.ts'
import { newCounters, type PullThroughCounters } from './pull-through/counters.ts'
import { type Freshness, leases } from './pull-through/freshness.ts'
import { Guard } from './pull-through/guard.ts'
import { Health } from './pull-through/health.ts'
import { PULL_THROUGH_LIMITS, type PullThroughLimits } from './pull-through/limits.ts'
import { ManifestCache } from './pull-through/manifests.ts'
import { Named } from './pull-through/named.ts'
import { Negatives } from './pull-through/negatives.ts'
import { Prefetch, type Warm } from './pull-through/prefetch.ts'
import { Pushed } from './pull-through/pushed.ts'
import { Records } from './pull-through/records.ts'
import { Refusals } from './pull-through/refusals.ts'
import { type Counted, countedAs, UNCOUNTED } from './pull-through/request.ts'
import type { Source } from './pull-through/source.ts'
import { TagCache } from './pull-through/tags.ts'
import type { Manifest, Manifests, Registry, Repository, Uploads } from './registry.ts'
import type { Digest } from './spec/digests.ts'
import { RegistryError } from './spec/errors.ts'
import { OCTETS } from './spec/media-types.ts'
import type { RepositoryName, Tag } from './spec/names.ts'

export interface PullThroughOptions {
  readonly source: Source
  readonly cache: {
    readonly blobs: BlobStore
    /** Manifests, tags' leases, and which repository has which blob. */
    readonly records: ObjectStore
  }
  readonly fills: Fills
  /** By default leases as for an upstream. */
  readonly freshness?: Freshness
  /** Who brings a blob ahead of its client; by default a fill here does. */
  readonly warm?: Warm
  readonly createHasher: CreateHasher
  readonly clock: Clock
  readonly log: Log
  readonly limits?: Partial<PullThroughLimits>
  /** Where to count; by itself when absent. */
  readonly counters?: PullThroughCounters
}

/**
 * A Registry made of a cache in front of a source. It lives as long as the source is known: what it remembers is shared by all that
 * `with` opens. It does not take pushes (UNSUPPORTED), and knows no rights but those of repositories: a blob is served through a repository
 * only after the source has confirmed that this repository has it.
 */
export class PullThrough {
  readonly counters: PullThroughCounters
  /** For what goes to the source through whoever owns this cache. */
  readonly pushed: Pushed
  readonly #context: Context
  readonly #manifests: ManifestCache
  readonly #tags: TagCache
  readonly #blobs: BlobCache

  constructor({ source, cache, fills, freshness = leases(), createHasher, clock, log, ...options }: PullThroughOptions) {
    const limits = { ...PULL_THROUGH_LIMITS, ...options.limits }
    const budget = source.budget ?? new Budget(clock)
    const { name } = source
    const negatives = new Negatives(clock, limits.negatives)
    this.counters = options.counters ?? newCounters()
    this.#context = {
      source,
      fills,
      freshness,
      createHasher,
      clock,
      log,
      limits,
      counters: this.counters,
      blobs: cache.blobs,
      records: new Records(cache.records, source.id, limits),
      guard: new Guard(),
      budget,
      health: new Health({ clock, limits, name, budget }),
      blobHealth: new Health({ clock, limits, name, budget: new Budget(clock) }),
      negatives,
      named: new Named(negatives, log, limits.linksInMemory),
      refusals: new Refusals(clock, limits.negatives),
    }
    this.#blobs = new BlobCache(this.#context)
    const warm = options.warm ?? ((repository, digest) => this.#blobs.warm(repository, digest))
    this.#manifests = new ManifestCache(this.#context, new Prefetch(this.#context, warm))
    this.#tags = new TagCache(this.#context, this.#manifests)
    this.pushed = new Pushed(this.#context, { forgetTag: (name, tag) => this.forgetTag(name, tag), spoil: (key) => this.#spoil(key) })
  }

  /** Whose cache this is. */
  get source(): Pick<Source, 'id' | 'name'> {
    return this.#context.source
  }

  /** The registry for one caller: `signal` ends what only this caller waits for. `ahead`: what it asks for is no hit and no miss, since no client wants it yet. */
  with(signal?: AbortSignal, { ahead = false }: { readonly ahead?: boolean } = {}): Registry {
    const count = (kind: Kind) => (ahead ? UNCOUNTED : countedAs(kind, this.counters))
    return {
      repository: (name) => this.#repository(name, signal, count),
      repositories: (page) => {
        const { source } = this.#context
        if (source.nameAt) throw new RegistryError('UNSUPPORTED', `The repositories of ${source.name} have other names here, so they are not listed.`)
        return source.with(signal).repositories(page)
      },
    }
  }

  /** The tag was set, moved or deleted at the source. */
  async forgetTag(repository: RepositoryName, tag: Tag): Promise<void> {
    await this.#spoil(keyOf(repository, tag))
    await this.#tags.forget(repository, tag)
  }

  /** The manifest was deleted at the source, and the tags that pointed at it. */
  async forgetManifest(repository: RepositoryName, digest: Digest): Promise<void> {
    await this.#spoil(keyOf(repository, digest))
    await this.#manifests.forget(repository, digest)
    await this.#context.records.dropLeasesOf(repository, digest)
  }

  /** The repository lost this blob. Its bytes stay for others. */
  async forgetBlob(repository: RepositoryName, digest: Digest): Promise<void> {
    await this.#spoil(keyOf(repository, digest))
    await this.#blobs.forget(repository, digest)
  }

  async forgetRepository(repository: RepositoryName): Promise<void> {
    const prefix = keyOf(repository, '')
    const matches = (key: string) => key.startsWith(prefix)
    for (const cache of [this.#tags, this.#manifests, this.#blobs]) cache.leave(matches)
    await this.#context.guard.spoil(matches)
    this.#context.negatives.deletePrefix(prefix)
    this.#context.refusals.deletePrefix(prefix)
    this.#blobs.doubt(repository)
    await this.#context.records.dropRepository(repository)
  }

  async #spoil(key: string): Promise<void> {
    const matches = (other: string) => other === key
    for (const cache of [this.#tags, this.#manifests, this.#blobs]) cache.leave(matches)
    await this.#context.guard.spoil(matches)
    this.#context.negatives.delete(key)
    this.#context.refusals.delete(key)
  }

  #repository(name: RepositoryName, signal: AbortSignal | undefined, count: Count): Repository {
    const blobs = this.#blobs
    return {
      name,
      manifests: this.#manifestsOf(name, signal, count),
      tags: {
        list: (page) => atSource(this.#context, name, signal).tags.list(page),
        delete: unsupported,
      },
      blobs: {
        stat: async (digest) => {
          const size = await blobs.size(name, digest, signal)
          return size === undefined ? undefined : { mediaType: OCTETS, digest, size }
        },
        open: (digest, range) => blobs.open(name, digest, range, signal, count('blob')),
        delete: unsupported,
      },
      uploads: NO_UPLOADS,
      referrers: { list: (subject, query) => atSource(this.#context, name, signal).referrers.list(subject, query) },
    }
  }

  #manifestsOf(name: RepositoryName, signal: AbortSignal | undefined, count: Count): Manifests {
    const counted = async <T>(kind: Kind, find: (request: Counted) => Promise<T | undefined>): Promise<T | undefined> => {
      const request = count(kind)
      const found = await find(request)
      if (found !== undefined) request.found()
      return found
    }
    return {
      stat: async ({ digest, tag }) =>
        digest === undefined
          ? await counted('tag', (request) => this.#tags.resolve(name, tag, signal, request))
          : await counted('manifest', (request) => this.#manifests.stat(name, digest, signal, request)),
      get: async ({ digest, tag }) =>
        digest === undefined
          ? await counted('tag', (request) => this.#byTag(name, tag, signal, request))
          : await counted('manifest', (request) => this.#manifests.get(name, digest, signal, request)),
      put: unsupported,
      delete: unsupported,
    }
  }

  async #byTag(name: RepositoryName, tag: Tag, signal: AbortSignal | undefined, request: Counted): Promise<Manifest | undefined> {
    for (let round = 1; ; round++) {
      const resolved = await this.#tags.resolve(name, tag, signal, request)
      if (resolved === undefined) return undefined
      const manifest = await this.#manifests.get(name, resolved.descriptor.digest, signal, request)
      if (manifest) return { ...manifest, ...(resolved.warnings && { warnings: resolved.warnings }) }
      if (round > 1) return undefined
      // The source has lost what it said the tag was: the tag is something else by now.
      await this.forgetTag(name, tag)
    }
  }
}

type Kind = Parameters<typeof countedAs>[0]
type Count = (kind: Kind) => Counted

async function unsupported(): Promise<never> {
  throw new RegistryError('UNSUPPORTED', 'This is a cache of another registry: push and delete there.')
}

const NO_UPLOADS: Uploads = {
  begin: unsupported,
  stat: unsupported,
  append: unsupported,
  finish: unsupported,
  cancel: unsupported,
  mount: unsupported,
  mountable: async () => [],
}

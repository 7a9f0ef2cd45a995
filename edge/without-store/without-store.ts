import type { FeedEntry } from '../../mesh/feed.ts'
import type { BlobStore } from '../../registry/blob-store.ts'
import { type Clock, inTime } from '../../registry/clock.ts'
import { FillTable, type FillTableOptions } from '../../registry/fill/index.ts'
import type { Log } from '../../registry/log.ts'
import type { ObjectStore } from '../../registry/object-store.ts'
import type { Registry } from '../../registry/registry.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import { deferred } from '../deferred.ts'
import type { Kept } from '../kept.ts'
import { Sources, type SourcesOptions } from '../sources.ts'
import { repositoriesOf, Unforgotten } from './unforgotten.ts'

/** How long the feed waits for a store to forget, in milliseconds. */
const FORGET_MS = 1_000

export interface WithoutStoreOptions {
  /** Those whose blobs and records are in the store. */
  readonly stored: Sources
  /** How they were opened. */
  readonly sources: Omit<SourcesOptions, 'cache' | 'fills' | 'beside'>
  /** How fills are made of what cannot be stored. */
  readonly fills: Omit<FillTableOptions, 'blobs' | 'leases'>
  /** Whether the store does not answer now. */
  readonly away: () => boolean
  /** On another store. */
  readonly kept: Kept
  readonly clock: Clock
  readonly log: Log
}

/**
 * The sources of an edge whose store may be away. As long as it is, everything is handed out as it comes, and what is known of it is in
 * memory alone; the feed goes on, and the store forgets what it named when it is back.
 */
export class WithoutStore {
  readonly #options: WithoutStoreOptions
  readonly #passing: Sources
  readonly #unforgotten: Unforgotten
  /** Of what is passed through. */
  readonly fills: FillTable

  private constructor(options: WithoutStoreOptions, unforgotten: Unforgotten) {
    this.fills = new FillTable({ ...options.fills, blobs: NO_BLOBS })
    this.#options = options
    const cache = { blobs: NO_BLOBS, records: NO_RECORDS }
    this.#passing = new Sources({ ...options.sources, cache, fills: this.fills, beside: options.stored })
    this.#unforgotten = unforgotten
  }

  static async open(options: WithoutStoreOptions): Promise<WithoutStore> {
    const { kept, clock, log, away, stored } = options
    return new WithoutStore(options, await Unforgotten.open({ kept, clock, log, away, forget: (entries) => stored.forget(entries) }))
  }

  open(signal: AbortSignal, how?: { readonly ahead?: boolean }): Registry {
    const registry = () => this.#now().open(signal, how)
    return deferred(
      async (name) => registry().repository(name),
      (page) => registry().repositories(page),
    )
  }

  /** Durable when it resolves. */
  async forget(entries: readonly FeedEntry[]): Promise<void> {
    const { stored, clock, log } = this.#options
    // In memory alone it cannot be found which tags named a manifest.
    await this.#passing.forget(repositoriesOf(entries))
    if (this.#now() === this.#passing) return await this.#unforgotten.note(entries)
    const forgotten = stored.forget(entries).then(
      () => true,
      (error: unknown) => {
        log.warn({ err: error }, 'The store cannot forget now what has changed; it is not read until it has.')
        return false
      },
    )
    if ((await inTime(clock, FORGET_MS, forgotten)) !== true) await this.#unforgotten.note(entries)
  }

  /** Has the store forget what it could not, until the signal ends it. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#unforgotten.run(signal)
  }

  #now(): Sources {
    return this.#options.away() || this.#unforgotten.pending ? this.#passing : this.#options.stored
  }
}

/** Has nothing and takes nothing. */
const NO_BLOBS: BlobStore = {
  stat: nothing,
  open: nothing,
  delete: async () => false,
  list: none,
  drafts: none,
  draft: () => ({
    size: nothing,
    writer: away,
    read: away,
    commit: away,
    discard: async () => false,
  }),
}

/** Forgets whatever it is given. */
const NO_RECORDS: ObjectStore = {
  put: nothing,
  putIfAbsent: async () => true,
  get: nothing,
  stat: nothing,
  delete: nothing,
  list: none,
}

async function nothing(): Promise<undefined> {
  return undefined
}

async function none() {
  return { items: [], more: false }
}

async function away(): Promise<never> {
  throw new RegistryError('UNAVAILABLE', 'The store of this edge does not answer.')
}

import { LRUCache } from 'lru-cache'
import type { KnownEdge } from '../../mesh/documents.ts'
import { homeOf } from '../../mesh/home.ts'
import type { Clock } from '../../registry/clock.ts'
import type { Log } from '../../registry/log.ts'
import type { BlobStream } from '../../registry/registry.ts'
import { type Fetch, RemoteRegistry, vendorOf } from '../../registry/remote/index.ts'
import type { Digest } from '../../registry/spec/digests.ts'
import type { RepositoryName } from '../../registry/spec/names.ts'
import type { ByteRange } from '../../registry/spec/ranges.ts'
import {
  NEIGHBOUR_ANSWER_MS,
  NEIGHBOUR_DIGEST_MS,
  NEIGHBOUR_DIGESTS,
  NEIGHBOUR_LEFT_OUT_MOST_MS,
  NEIGHBOUR_LEFT_OUT_MS,
  NEIGHBOUR_STALL_MS,
  NEIGHBOURS_IN_MEMORY,
} from '../limits.ts'
import type { Mesh } from '../mesh.ts'
import type { Nearby } from './nearby.ts'
import { signOfLife } from './sign-of-life.ts'

export interface NeighboursOptions {
  readonly mesh: Pick<Mesh, 'facts' | 'origin'>
  readonly fetch: Fetch
  /** `region`: edges of our own region; `all`: of every region. */
  readonly scope: 'region' | 'all'
  readonly clock: Clock
  readonly log: Log
}

const LIMITS = { attempts: 1, firstByteMs: NEIGHBOUR_ANSWER_MS, stallMs: NEIGHBOUR_STALL_MS }

/**
 * The other edges that we know from the origin's signed document. Of all that know one another, one is the home of a digest: it fetches the
 * blob from the source, and the others from it, also while it is still coming. So the source gives it once, however many edges want it.
 *
 * The home itself asks no other, and neither does who was asked by a neighbour, so there are no circles. A neighbour that fails is left out
 * for a while, and what it has begun is gone on with at the source.
 */
export class Neighbours implements Nearby {
  /** Bytes of blobs that neighbours gave. */
  bytes = 0
  readonly #options: NeighboursOptions
  readonly #remotes = new LRUCache<string, RemoteRegistry>({ max: NEIGHBOURS_IN_MEMORY })
  /** Those that failed, and until when they are asked for nothing. After that, one request tries it for all. */
  readonly #leftOut = new LRUCache<string, { readonly until: number; readonly ms: number }>({ max: NEIGHBOURS_IN_MEMORY })
  /** Until when the source is asked for a digest. */
  readonly #atSource = new LRUCache<Digest, number>({ max: NEIGHBOUR_DIGESTS })
  /** Who gave a digest as a whole, and until when asking again means that it was wrong. */
  readonly #given = new LRUCache<Digest, { readonly by: string; readonly until: number }>({ max: NEIGHBOUR_DIGESTS })

  constructor(options: NeighboursOptions) {
    this.#options = options
  }

  /** A neighbour has asked us for it: whatever we may think, the source is who we ask. */
  askedFor(digest: Digest): void {
    this.#atSource.set(digest, this.#options.clock.now() + NEIGHBOUR_DIGEST_MS)
  }

  async open(name: RepositoryName, digest: Digest, range: ByteRange | undefined, signal: AbortSignal | undefined): Promise<BlobStream | undefined> {
    const { clock, log } = this.#options
    const given = this.#given.get(digest)
    if (given !== undefined && range === undefined && clock.now() < given.until) {
      this.#given.delete(digest)
      this.#leaveOut(given.by)
      this.askedFor(digest)
      log.warn({ neighbour: given.by, digest }, 'what a neighbour gave is asked for again: it was wrong, or is gone already')
    }
    if (clock.now() < (this.#atSource.get(digest) ?? 0)) return undefined
    const home = await this.#homeOf(digest)
    if (home === undefined) return undefined
    const failed = this.#leftOut.get(home.id)
    if (failed !== undefined) this.#leftOut.set(home.id, { ...failed, until: clock.now() + NEIGHBOUR_LEFT_OUT_MS })
    try {
      const body = await this.#ask(home, signal, (watched) => this.#remote(home).with(watched).repository(name).blobs.open(digest, range))
      if (body?.stream !== undefined) return { size: body.size, ...(range && { range }), stream: this.#watched(body, home, digest) }
      this.askedFor(digest)
    } catch (error) {
      signal?.throwIfAborted()
      this.#leaveOut(home.id)
      this.askedFor(digest)
      log.info({ neighbour: home.name, digest, error }, 'a neighbour could not give a blob; the source is asked')
    }
    return undefined
  }

  /** What it answers. @throws as soon as it is known to hang */
  async #ask<T>({ url }: KnownEdge, signal: AbortSignal | undefined, question: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { fetch, clock } = this.#options
    const answered = new AbortController()
    const hangs = new AbortController()
    signOfLife({ fetch, url, clock }, answered.signal).catch((error) => hangs.abort(error))
    try {
      return await question(signal === undefined ? hangs.signal : AbortSignal.any([signal, hangs.signal]))
    } finally {
      answered.abort()
    }
  }

  async #homeOf(digest: Digest): Promise<KnownEdge | undefined> {
    const { mesh, scope, clock, log } = this.#options
    try {
      const { id, region } = mesh.origin.member.enrolment
      const { edges = [] } = (await mesh.facts.edges()) ?? {}
      const there = edges.filter(
        (edge) => !edge.draining && (scope === 'all' || edge.region === region) && clock.now() >= (this.#leftOut.get(edge.id)?.until ?? 0),
      )
      // The document may be older than we are.
      if (!there.some((edge) => edge.id === id)) return undefined
      const home = homeOf(digest, there)
      return home?.id === id ? undefined : home
    } catch (error) {
      log.debug({ error }, 'which neighbours there are cannot be said now')
      return undefined
    }
  }

  #remote({ id, url }: KnownEdge): RemoteRegistry {
    const key = `${id} ${url}`
    const { mesh, fetch, clock, log } = this.#options
    const known = this.#remotes.get(key)
    if (known !== undefined) return known
    const authorizer = mesh.origin.neighbourAuthorizer(id)
    const made = new RemoteRegistry({ url: new URL(url), vendor: vendorOf('atoll'), fetch, authorizer, clock, log, limits: LIMITS })
    this.#remotes.set(key, made)
    return made
  }

  #leaveOut(id: string): void {
    const ms = Math.min(NEIGHBOUR_LEFT_OUT_MOST_MS, (this.#leftOut.get(id)?.ms ?? NEIGHBOUR_LEFT_OUT_MS / 2) * 2)
    this.#leftOut.set(id, { until: this.#options.clock.now() + ms, ms })
  }

  /** Whoever gives up reading it before its end goes on at the source. */
  #watched({ stream, size, range }: BlobStream, { id }: KnownEdge, digest: Digest): ReadableStream<Uint8Array> {
    const reader = stream.getReader()
    let left = range?.length ?? size
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          try {
            const { done, value } = await reader.read()
            if (!done) {
              this.bytes += value.byteLength
              left -= value.byteLength
              return controller.enqueue(value)
            }
          } catch (error) {
            this.#leaveOut(id)
            this.askedFor(digest)
            throw error
          }
          this.#leftOut.delete(id)
          if (range === undefined) this.#given.set(digest, { by: id, until: this.#options.clock.now() + NEIGHBOUR_DIGEST_MS })
          controller.close()
        },
        cancel: async (reason) => {
          if (left > 0) this.askedFor(digest)
          await reader.cancel(reason)
        },
      },
      { highWaterMark: 0 },
    )
  }
}

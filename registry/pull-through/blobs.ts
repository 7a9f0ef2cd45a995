import { sourceFails } from '../fill/errors.ts'
import type { FillSource } from '../fill/fills.ts'
import { readOn, restFrom } from '../fill/read-on.ts'
import { orAborted } from '../fill/wait.ts'
import type { BlobBody, Blobs } from '../registry.ts'
import type { Digest } from '../spec/digests.ts'
import { RegistryError } from '../spec/errors.ts'
import type { RepositoryName } from '../spec/names.ts'
import type { ByteRange } from '../spec/ranges.ts'
import { atSource, type Context, keyOf, nameAtSource } from './context.ts'
import { Flights } from './flights.ts'
import { type Counted, UNCOUNTED } from './request.ts'

/** Blobs: from the store when they are there, else through a fill; in both cases only if the source has them in this very repository. */
export class BlobCache {
  readonly #context: Context
  readonly #stats: Flights<number | undefined>
  readonly #linking = new Set<string>()

  constructor(context: Context) {
    this.#context = context
    const { clock, guard, limits, source } = context
    this.#stats = new Flights({ clock, guard, ms: limits.sourceMs, late: () => sourceFails(source.name, 'did not answer in time') })
  }

  /** Its size; undefined: the source does not have it in this repository. */
  async size(repository: RepositoryName, digest: Digest, signal: AbortSignal | undefined, request = UNCOUNTED): Promise<number | undefined> {
    const { blobs, records, negatives, counters, limits, blobHealth } = this.#context
    const linked = await records.link(repository, digest)
    // What the source said of its size may be wrong; what is stored is not.
    if (linked !== undefined) return (await blobs.stat(digest))?.size ?? linked
    const key = keyOf(repository, digest)
    if (negatives.has(key)) {
      counters.negativeHits++
      return undefined
    }
    request.asked()
    const flight = this.#stats.run(key, async (ticket, own) => {
      blobHealth.refuseWhileLimited()
      const found = await blobHealth.watch(() => atSource(this.#context, repository, own).blobs.stat(digest))
      if (found === undefined) negatives.add(key, limits.unknownDigestMs)
      else await ticket.keep(() => records.keepLink(repository, digest, found.size))
      return found?.size
    })
    return await orAborted(flight.answer, signal)
  }

  async open(
    repository: RepositoryName,
    digest: Digest,
    range: ByteRange | undefined,
    signal: AbortSignal | undefined,
    request: Counted,
  ): Promise<BlobBody | undefined> {
    const { blobs, records, negatives, counters, fills, guard, limits } = this.#context
    const size = await records.link(repository, digest)
    const linked = size !== undefined
    // Without a link it is looked for only: a digest alone is no right to bytes that came through another repository.
    if (linked || (await blobs.stat(digest)) !== undefined) {
      if (!linked && (await this.size(repository, digest, signal, request)) === undefined) return undefined
      const body = await blobs.open(digest, range)
      if (body !== undefined) {
        request.found(range?.length ?? body.size)
        if (body.stream === undefined || blobs.mayVanish !== true) return body
        const wanted = { digest, source: this.#source(repository, digest), confirmed: true, size: body.size, signal }
        return { ...body, stream: readOn(body, restFrom(this.#context, wanted)) }
      }
    }
    const key = keyOf(repository, digest)
    if (negatives.has(key)) {
      counters.negativeHits++
      return undefined
    }
    request.asked()
    return await guard.run(key, async (ticket) => {
      try {
        const body = await fills.open({ digest, range, source: this.#source(repository, digest), confirmed: linked, size, signal })
        if (body === undefined) await ticket.keep(async () => negatives.add(key, limits.unknownDigestMs))
        else if (!linked) void this.#linkWhenStored(repository, digest)
        return body
      } catch (error) {
        if (linked && error instanceof RegistryError && error.code === 'UPSTREAM_INVALID') await records.dropLink(repository, digest)
        throw error
      }
    })
  }

  /** That the source gave it says that this repository has it. How long it is, only what was verified says. */
  async #linkWhenStored(repository: RepositoryName, digest: Digest): Promise<void> {
    const { blobs, records, fills, guard, source, log } = this.#context
    const key = keyOf(repository, digest)
    if (this.#linking.has(key)) return
    this.#linking.add(key)
    try {
      await guard.run(key, async (ticket) => {
        await fills.ended?.(source.id, digest)
        const stored = await blobs.stat(digest)
        if (stored !== undefined) await ticket.keep(() => records.keepLink(repository, digest, stored.size))
      })
    } catch (error) {
      log.warn({ repository, digest, error }, 'what the source confirmed could not be noted')
    } finally {
      this.#linking.delete(key)
    }
  }

  /** Has it come, or has it on its way; resolves when no fill of it is under way. */
  async warm(repository: RepositoryName, digest: Digest): Promise<void> {
    const { blobs, fills, source } = this.#context
    if ((await blobs.stat(digest)) !== undefined) {
      await this.size(repository, digest, undefined)
      return
    }
    const body = await this.open(repository, digest, undefined, undefined, UNCOUNTED)
    await body?.stream?.cancel()
    await fills.ended?.(source.id, digest)
  }

  forget(repository: RepositoryName, digest: Digest): Promise<void> {
    const key = keyOf(repository, digest)
    this.leave((other) => other === key)
    this.doubt(repository, digest)
    return this.#context.records.dropLink(repository, digest)
  }

  /** For fills under way: of one blob, or of all of a repository. */
  doubt(repository: RepositoryName, digest?: Digest): void {
    const { fills, source } = this.#context
    fills.doubt?.(source.id, nameAtSource(source, repository), digest)
  }

  leave(matches: (key: string) => boolean): void {
    this.#stats.leave(matches)
  }

  #source(repository: RepositoryName, digest: Digest): FillSource {
    const { source, blobHealth, counters, named } = this.#context
    const ask = async <T>(signal: AbortSignal, question: (blobs: Blobs) => Promise<T>): Promise<T> => {
      // Not watched: a refusal of ours is no answer of the source, and would begin its wait anew.
      blobHealth.refuseWhileLimited()
      return await blobHealth.watch(() => question(atSource(this.#context, repository, signal).blobs))
    }
    return {
      id: source.id,
      name: source.name,
      repository: nameAtSource(source, repository),
      stat: async (signal) => {
        const size = await this.size(repository, digest, signal)
        return size === undefined ? undefined : { size }
      },
      open: (range, signal) => ask(signal, (blobs) => blobs.open(digest, range, named.size(repository, digest))),
      fetched: (bytes) => {
        counters.bytesFetched += bytes
      },
    }
  }
}

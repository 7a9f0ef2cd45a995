import { pause } from '../clock.ts'
import { sourceFails } from '../fill/errors.ts'
import { orAborted } from '../fill/wait.ts'
import type { Warning } from '../registry.ts'
import type { Descriptor } from '../spec/descriptors.ts'
import type { RepositoryName, Tag } from '../spec/names.ts'
import { atSource, type Context, keyOf } from './context.ts'
import { type Flight, Flights } from './flights.ts'
import type { TagLease } from './freshness.ts'
import type { Ticket } from './guard.ts'
import { isSourceFailure } from './health.ts'
import type { ManifestCache } from './manifests.ts'

export interface ResolvedTag {
  readonly descriptor: Descriptor
  readonly warnings?: readonly Warning[]
}

/** Tags as leases: repeated while fresh, confirmed by HEAD afterwards, served stale while the source fails. */
export class TagCache {
  readonly #context: Context
  readonly #manifests: ManifestCache
  readonly #flights: Flights<TagLease | undefined>

  constructor(context: Context, manifests: ManifestCache) {
    this.#context = context
    this.#manifests = manifests
    const { clock, guard, limits, source } = context
    this.#flights = new Flights({ clock, guard, ms: limits.sourceMs, late: () => sourceFails(source.name, 'did not answer in time') })
  }

  /**
   * What the tag points at. `whole`: the manifest itself is wanted, so a tag that is not known is asked for by GET and not by HEAD.
   * undefined: there is no such tag.
   */
  async resolve(repository: RepositoryName, tag: Tag, whole: boolean, signal: AbortSignal | undefined): Promise<ResolvedTag | undefined> {
    const { records, freshness, clock, counters, negatives, health, limits } = this.#context
    const lease = await records.lease(repository, tag)
    const now = clock.now()
    const verdict = lease && freshness.judge(lease, now, repository, tag)
    if (lease && verdict === 'fresh') {
      counters.tagHits++
      return { descriptor: lease.descriptor }
    }
    if (negatives.has(keyOf(repository, tag))) {
      counters.negativeHits++
      return undefined
    }
    if (lease === undefined || verdict === 'expired') {
      counters.tagMisses++
      const answer = await orAborted(this.#ask(repository, tag, whole).answer, signal)
      return answer && { descriptor: answer.descriptor }
    }
    counters.tagHits++
    if (health.failing) return verdict === 'behind' ? { descriptor: lease.descriptor } : this.#stale(lease)
    const flight = this.#ask(repository, tag, false)
    if (verdict === 'behind') {
      flight.answer.catch((error: unknown) => this.#context.log.info({ repository, tag, error }, 'a tag could not be confirmed behind'))
      return { descriptor: lease.descriptor }
    }
    return await this.#soon(flight, lease, limits.staleAfterMs - (now - flight.startedAt), signal)
  }

  forget(repository: RepositoryName, tag: Tag): Promise<void> {
    const key = keyOf(repository, tag)
    this.leave((other) => other === key)
    return this.#context.records.dropLease(repository, tag)
  }

  leave(matches: (key: string) => boolean): void {
    this.#flights.leave(matches)
  }

  #ask(repository: RepositoryName, tag: Tag, whole: boolean): Flight<TagLease | undefined> {
    return this.#flights.run(keyOf(repository, tag), (ticket, signal) =>
      whole ? this.#get(repository, tag, ticket, signal) : this.#head(repository, tag, ticket, signal),
    )
  }

  async #get(repository: RepositoryName, tag: Tag, ticket: Ticket, signal: AbortSignal): Promise<TagLease | undefined> {
    const manifest = await this.#manifests.fetch(repository, { tag }, ticket, signal)
    return this.#learn(repository, tag, manifest?.descriptor, ticket)
  }

  async #head(repository: RepositoryName, tag: Tag, ticket: Ticket, signal: AbortSignal): Promise<TagLease | undefined> {
    const { health, counters } = this.#context
    health.refuseWhileLimited()
    counters.sourceHeads++
    let head: { readonly descriptor: Descriptor } | undefined
    try {
      head = await atSource(this.#context, repository, signal).manifests.stat({ tag })
      health.answered()
    } catch (error) {
      health.failed(error)
      throw error
    }
    return this.#learn(repository, tag, head?.descriptor, ticket)
  }

  async #learn(repository: RepositoryName, tag: Tag, descriptor: Descriptor | undefined, ticket: Ticket): Promise<TagLease | undefined> {
    const { clock, freshness, records, negatives, limits } = this.#context
    const now = clock.now()
    if (descriptor === undefined) {
      await ticket.keep(async () => {
        negatives.add(keyOf(repository, tag), limits.unknownTagMs)
        await records.dropLease(repository, tag)
      })
      return undefined
    }
    const { mediaType, digest, size } = descriptor
    const lease = { descriptor: { mediaType, digest, size }, fetchedAt: now, ...freshness.grant(repository, tag, now) }
    await ticket.keep(() => records.keepLease(repository, tag, lease))
    return lease
  }

  /** The source's answer, if it comes soon enough; else what it said before. */
  async #soon(flight: Flight<TagLease | undefined>, lease: TagLease, ms: number, signal: AbortSignal | undefined): Promise<ResolvedTag | undefined> {
    const { clock, health, log } = this.#context
    const late = new AbortController()
    try {
      const answer = await orAborted(Promise.race([flight.answer, pause(clock, Math.max(0, ms), late.signal).then(() => 'late' as const)]), signal)
      if (answer !== 'late') return answer && { descriptor: answer.descriptor }
      health.stalled()
      flight.answer.catch((error: unknown) => log.info({ error }, 'a tag could not be confirmed'))
      return this.#stale(lease)
    } catch (error) {
      if (signal?.aborted || !isSourceFailure(error)) throw error
      return this.#stale(lease)
    } finally {
      late.abort()
    }
  }

  #stale({ descriptor }: TagLease): ResolvedTag {
    const { counters, source } = this.#context
    counters.tagsStale++
    return { descriptor, warnings: [{ code: 110, text: `response is stale: ${source.name} does not answer` }] }
  }
}

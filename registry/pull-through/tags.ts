import { pause, steady } from '../clock.ts'
import { sourceFails } from '../fill/errors.ts'
import { orAborted } from '../fill/wait.ts'
import type { Warning } from '../registry.ts'
import type { Descriptor } from '../spec/descriptors.ts'
import { RegistryError } from '../spec/errors.ts'
import type { RepositoryName, Tag } from '../spec/names.ts'
import { atSource, type Context, keyOf } from './context.ts'
import { type Flight, Flights } from './flights.ts'
import type { TagLease } from './freshness.ts'
import type { Ticket } from './guard.ts'
import { isSourceFailure } from './health.ts'
import type { ManifestCache } from './manifests.ts'
import type { Counted } from './request.ts'

export interface ResolvedTag {
  readonly descriptor: Descriptor
  readonly warnings?: readonly Warning[]
}

/** Tags as leases (docs/decisions/0011): repeated while fresh, renewed by HEAD afterwards, served stale while the source fails. */
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

  /** What the tag points at. undefined: there is no such tag. */
  async resolve(repository: RepositoryName, tag: Tag, signal: AbortSignal | undefined, request: Counted): Promise<ResolvedTag | undefined> {
    const { records, freshness, clock, counters, negatives, refusals, health, budget, limits, log } = this.#context
    const lease = await records.lease(repository, tag)
    const now = clock.now()
    const verdict = lease && freshness.judge(lease, now, repository, tag)
    if (lease && verdict === 'fresh') return { descriptor: lease.descriptor }
    const key = keyOf(repository, tag)
    if (negatives.has(key)) {
      counters.negativeHits++
      return undefined
    }
    refusals.check(key)
    if (lease === undefined || verdict === 'expired') {
      request.asked()
      const answer = await orAborted(this.#ask(repository, tag, undefined).answer, signal)
      return answer && { descriptor: answer.descriptor }
    }
    if (verdict === 'behind') {
      if (!health.failing && !budget.low && this.#flights.get(key) === undefined) {
        counters.renewals++
        this.#ask(repository, tag, lease).answer.catch((error: unknown) => log.info({ repository, tag, error }, 'a tag could not be renewed'))
      }
      return { descriptor: lease.descriptor }
    }
    if (health.failing) return this.#stale(lease)
    const flight = this.#ask(repository, tag, lease)
    const answer = await this.#soon(flight, lease, limits.staleAfterMs - (steady(clock) - flight.startedAt), signal)
    // What is served stale came from the cache, for all that the source was asked.
    if (answer?.warnings === undefined) request.asked()
    return answer
  }

  forget(repository: RepositoryName, tag: Tag): Promise<void> {
    const key = keyOf(repository, tag)
    this.leave((other) => other === key)
    return this.#context.records.dropLease(repository, tag)
  }

  leave(matches: (key: string) => boolean): void {
    this.#flights.leave(matches)
  }

  /** `lease`: what is known, and only to be renewed. */
  #ask(repository: RepositoryName, tag: Tag, lease: TagLease | undefined): Flight<TagLease | undefined> {
    const { limits } = this.#context
    return this.#flights.run(
      keyOf(repository, tag),
      async (ticket, signal) => {
        try {
          const descriptor = await (lease ? this.#renew(repository, tag, lease, ticket, signal) : this.#get(repository, tag, ticket, signal))
          return await this.#learn(repository, tag, descriptor, ticket)
        } catch (error) {
          if (error instanceof RegistryError && error.code === 'DENIED') await this.#refused(repository, tag, error, ticket)
          throw error
        }
      },
      lease ? limits.renewalMs : limits.sourceMs,
    )
  }

  /** What is cold is asked for at once as a whole: whoever asks for its head asks for the rest next. */
  async #get(repository: RepositoryName, tag: Tag, ticket: Ticket, signal: AbortSignal): Promise<Descriptor | undefined> {
    return (await this.#manifests.fetch(repository, { tag }, ticket, signal))?.descriptor
  }

  /** Until what the tag points at now is here and right, it points at what it did before. */
  async #renew(repository: RepositoryName, tag: Tag, lease: TagLease, ticket: Ticket, signal: AbortSignal): Promise<Descriptor | undefined> {
    const { health, counters } = this.#context
    health.refuseWhileLimited()
    counters.sourceHeads++
    const head = await health.watch(() => atSource(this.#context, repository, signal).manifests.stat({ tag }))
    if (head === undefined) return undefined
    const { digest } = head.descriptor
    if (digest === lease.descriptor.digest || (await this.#manifests.has(repository, digest))) return head.descriptor
    const manifest = await this.#manifests.fetch(repository, { digest }, ticket, signal)
    // It moved on in between.
    return manifest?.descriptor ?? (await this.#get(repository, tag, ticket, signal))
  }

  async #learn(repository: RepositoryName, tag: Tag, descriptor: Descriptor | undefined, ticket: Ticket): Promise<TagLease | undefined> {
    const { clock, records, negatives, limits, log } = this.#context
    if (descriptor === undefined) {
      await ticket.keep(async () => {
        negatives.add(keyOf(repository, tag), limits.unknownTagMs)
        await records.dropLease(repository, tag)
      })
      return undefined
    }
    const { mediaType, digest, size } = descriptor
    const lease = { descriptor: { mediaType, digest, size }, fetchedAt: clock.now() }
    ticket
      .keep(() => records.keepLease(repository, tag, lease))
      .catch((error: unknown) => log.warn({ repository, tag, error }, 'a tag could not be kept'))
    return lease
  }

  /** A repository that was closed to us is not ours to show any more. */
  async #refused(repository: RepositoryName, tag: Tag, error: RegistryError, ticket: Ticket): Promise<void> {
    const { records, refusals, limits } = this.#context
    await ticket.keep(async () => {
      refusals.add(keyOf(repository, tag), error, limits.refusalMs)
      await records.dropLease(repository, tag)
    })
  }

  /** The source's answer, if it comes soon enough; else what it said before. */
  async #soon(flight: Flight<TagLease | undefined>, lease: TagLease, ms: number, signal: AbortSignal | undefined): Promise<ResolvedTag | undefined> {
    const { clock, health, log } = this.#context
    const late = new AbortController()
    try {
      const answer = await orAborted(Promise.race([flight.answer, pause(clock, Math.max(0, ms), late.signal).then(() => 'late' as const)]), signal)
      if (answer !== 'late') return answer && { descriptor: answer.descriptor }
      health.stalled()
      flight.answer.catch((error: unknown) => log.info({ error }, 'a tag could not be renewed'))
      return this.#stale(lease)
    } catch (error) {
      if (signal?.aborted || !isSourceFailure(error)) throw error
      return this.#stale(lease, true)
    } finally {
      late.abort()
    }
  }

  /** RFC 7234, 5.5.1 and 5.5.2: 110 says that it is stale, 111 that an attempt to renew it has failed just now. */
  #stale({ descriptor }: TagLease, failed = false): ResolvedTag {
    const { counters, source } = this.#context
    counters.tagsStale++
    const warnings: Warning[] = [{ code: 110, text: `response is stale: ${source.name} does not answer` }]
    if (failed) warnings.push({ code: 111, text: `revalidation failed: ${source.name} could not be asked` })
    return { descriptor, warnings }
  }
}

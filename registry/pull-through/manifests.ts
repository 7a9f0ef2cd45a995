import { sourceFails } from '../fill/errors.ts'
import { orAborted } from '../fill/wait.ts'
import type { Manifest, ManifestHead } from '../registry.ts'
import { algorithmOf, type Digest } from '../spec/digests.ts'
import { RegistryError } from '../spec/errors.ts'
import { MANIFEST_LIMIT, manifestTooLarge } from '../spec/manifests.ts'
import type { Reference, RepositoryName } from '../spec/names.ts'
import { atSource, type Context, keyOf } from './context.ts'
import { Flights } from './flights.ts'
import type { Ticket } from './guard.ts'
import { Memory } from './memory.ts'

/** Manifests by digest: asked for once, verified, and kept for ever. */
export class ManifestCache {
  readonly #context: Context
  readonly #gets: Flights<Manifest | undefined>
  readonly #heads: Flights<ManifestHead | undefined>
  readonly #refusals: Memory<{ readonly until: number; readonly error: RegistryError }>

  constructor(context: Context) {
    this.#context = context
    const { clock, guard, limits, source } = context
    const options = { clock, guard, ms: limits.sourceMs, late: () => sourceFails(source.name, 'did not answer in time') }
    this.#gets = new Flights(options)
    this.#heads = new Flights(options)
    this.#refusals = new Memory(limits.negatives)
  }

  async get(repository: RepositoryName, digest: Digest, signal: AbortSignal | undefined): Promise<Manifest | undefined> {
    const { records, counters } = this.#context
    const kept = await records.manifest(repository, digest)
    if (kept) {
      counters.manifestHits++
      return kept
    }
    if (this.#known(repository, digest)) return undefined
    counters.manifestMisses++
    const flight = this.#gets.run(keyOf(repository, digest), (ticket, own) => this.#fetch(repository, digest, ticket, own))
    return await orAborted(flight.answer, signal)
  }

  async stat(repository: RepositoryName, digest: Digest, signal: AbortSignal | undefined): Promise<ManifestHead | undefined> {
    const { records, counters, health } = this.#context
    const kept = await records.manifest(repository, digest)
    if (kept) {
      counters.manifestHits++
      return { descriptor: kept.descriptor }
    }
    if (this.#known(repository, digest)) return undefined
    counters.manifestMisses++
    const flight = this.#heads.run(keyOf(repository, digest), async (_ticket, own) => {
      health.refuseWhileLimited()
      counters.sourceHeads++
      const head = await this.#ask(() => atSource(this.#context, repository, own).manifests.stat({ digest }))
      if (head === undefined) this.#unknown(repository, digest)
      return head && { descriptor: head.descriptor }
    })
    return await orAborted(flight.answer, signal)
  }

  /** What the source has under a reference, verified and kept. */
  async fetch(repository: RepositoryName, reference: Reference, ticket: Ticket, signal: AbortSignal): Promise<Manifest | undefined> {
    const { counters, health, records, source } = this.#context
    health.refuseWhileLimited()
    for (let round = 1; ; round++) {
      counters.sourceGets++
      const manifest = await this.#ask(() => atSource(this.#context, repository, signal).manifests.get(reference))
      if (manifest === undefined) return undefined
      const { descriptor, bytes } = manifest
      if (bytes.length > MANIFEST_LIMIT) throw manifestTooLarge(bytes.length)
      const digest = reference.digest ?? descriptor.digest
      if (this.#hash(digest, bytes) === digest) {
        const verified = { descriptor: { mediaType: descriptor.mediaType, digest, size: bytes.length }, bytes }
        await ticket.keep(() => records.keepManifest(repository, verified))
        return verified
      }
      if (round > 1) throw wrongManifest(source.name)
    }
  }

  forget(repository: RepositoryName, digest: Digest): Promise<void> {
    const key = keyOf(repository, digest)
    this.#refusals.delete(key)
    this.leave((other) => other === key)
    return this.#context.records.dropManifest(repository, digest)
  }

  leave(matches: (key: string) => boolean): void {
    this.#gets.leave(matches)
    this.#heads.leave(matches)
  }

  async #fetch(repository: RepositoryName, digest: Digest, ticket: Ticket, signal: AbortSignal): Promise<Manifest | undefined> {
    const { clock, limits } = this.#context
    const key = keyOf(repository, digest)
    const refusal = this.#refusals.get(key)
    if (refusal && clock.now() < refusal.until) throw refusal.error
    try {
      const manifest = await this.fetch(repository, { digest }, ticket, signal)
      if (manifest === undefined) this.#unknown(repository, digest)
      return manifest
    } catch (error) {
      if (error instanceof RegistryError && error.code === 'UPSTREAM_INVALID') {
        this.#refusals.set(key, { until: clock.now() + limits.refusalMs, error })
      }
      throw error
    }
  }

  async #ask<T>(question: () => Promise<T>): Promise<T> {
    const { health } = this.#context
    try {
      const answer = await question()
      health.answered()
      return answer
    } catch (error) {
      health.failed(error)
      throw error
    }
  }

  #known(repository: RepositoryName, digest: Digest): boolean {
    const unknown = this.#context.negatives.has(keyOf(repository, digest))
    if (unknown) this.#context.counters.negativeHits++
    return unknown
  }

  #unknown(repository: RepositoryName, digest: Digest): void {
    this.#context.negatives.add(keyOf(repository, digest), this.#context.limits.unknownDigestMs)
  }

  #hash(digest: Digest, bytes: Uint8Array): Digest {
    const hasher = this.#context.createHasher(algorithmOf(digest))
    hasher.update(bytes)
    return hasher.digest()
  }
}

function wrongManifest(source: string): RegistryError {
  return new RegistryError('UPSTREAM_INVALID', `${source} sends a manifest that has another digest than it should. It was not kept.`, {
    upstream: source,
  })
}

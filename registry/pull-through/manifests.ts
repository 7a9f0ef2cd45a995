import { sourceFails } from '../fill/errors.ts'
import { orAborted } from '../fill/wait.ts'
import type { Manifest, ManifestHead } from '../registry.ts'
import { algorithmOf, type Digest } from '../spec/digests.ts'
import { RegistryError } from '../spec/errors.ts'
import { MANIFEST_LIMIT, manifestTooLarge } from '../spec/manifests.ts'
import { type Reference, type RepositoryName, referenceText } from '../spec/names.ts'
import { atSource, type Context, keyOf } from './context.ts'
import { Flights } from './flights.ts'
import type { Ticket } from './guard.ts'
import type { Prefetch } from './prefetch.ts'
import type { Counted } from './request.ts'

/** Manifests by digest: asked for once, verified, and kept for ever. */
export class ManifestCache {
  readonly #context: Context
  readonly #prefetch: Prefetch
  readonly #gets: Flights<Manifest | undefined>

  constructor(context: Context, prefetch: Prefetch) {
    this.#context = context
    this.#prefetch = prefetch
    const { clock, guard, limits, source } = context
    this.#gets = new Flights({ clock, guard, ms: limits.sourceMs, late: () => sourceFails(source.name, 'did not answer in time') })
  }

  /** For a client who takes it: what it refers to is next. */
  async get(repository: RepositoryName, digest: Digest, signal: AbortSignal | undefined, request: Counted): Promise<Manifest | undefined> {
    const manifest = await this.#find(repository, digest, signal, request)
    if (manifest) this.#prefetch.taken(repository, manifest)
    return manifest
  }

  async stat(repository: RepositoryName, digest: Digest, signal: AbortSignal | undefined, request: Counted): Promise<ManifestHead | undefined> {
    // Who asks for its head asks for the whole next, and then it should be here.
    const manifest = await this.#find(repository, digest, signal, request)
    return manifest && { descriptor: manifest.descriptor }
  }

  /**
   * What the source has under a reference, verified and kept. Wrong bytes are asked for once more.
   * @throws RegistryError UPSTREAM_INVALID when they are wrong again, DENIED: both are repeated for a moment without asking
   */
  async fetch(repository: RepositoryName, reference: Reference, ticket: Ticket, signal: AbortSignal): Promise<Manifest | undefined> {
    const { counters, health, limits, log, refusals, source } = this.#context
    const key = keyOf(repository, referenceText(reference))
    refusals.check(key)
    health.refuseWhileLimited()
    for (let round = 1; ; round++) {
      try {
        counters.sourceGets++
        const manifest = await health.watch(() => atSource(this.#context, repository, signal).manifests.get(reference))
        return manifest && this.#keep(repository, this.#verified(reference, manifest), ticket)
      } catch (error) {
        if (!(error instanceof RegistryError) || (error.code !== 'UPSTREAM_INVALID' && error.code !== 'DENIED')) throw error
        if (error.code === 'UPSTREAM_INVALID') {
          counters.sourceWrong++
          log.warn({ repository, reference, source: source.name, round, reason: error.message }, 'a source sent a wrong manifest')
          if (round === 1) continue
        }
        refusals.add(key, error, limits.refusalMs)
        throw error
      }
    }
  }

  /** Whether it is here. */
  async has(repository: RepositoryName, digest: Digest): Promise<boolean> {
    return (await this.#context.records.manifest(repository, digest)) !== undefined
  }

  forget(repository: RepositoryName, digest: Digest): Promise<void> {
    const key = keyOf(repository, digest)
    this.leave((other) => other === key)
    return this.#context.records.dropManifest(repository, digest)
  }

  leave(matches: (key: string) => boolean): void {
    this.#gets.leave(matches)
  }

  async #find(repository: RepositoryName, digest: Digest, signal: AbortSignal | undefined, request: Counted): Promise<Manifest | undefined> {
    const { records, counters, negatives, limits } = this.#context
    const kept = await records.manifest(repository, digest)
    if (kept) return kept
    const key = keyOf(repository, digest)
    if (negatives.has(key)) {
      counters.negativeHits++
      return undefined
    }
    request.asked()
    const flight = this.#gets.run(key, async (ticket, own) => {
      const manifest = await this.fetch(repository, { digest }, ticket, own)
      if (manifest === undefined) negatives.add(key, limits.unknownDigestMs)
      return manifest
    })
    return await orAborted(flight.answer, signal)
  }

  /** @throws RegistryError UPSTREAM_INVALID, SIZE_INVALID */
  #verified(reference: Reference, { descriptor, bytes }: Manifest): Manifest {
    if (bytes.length > MANIFEST_LIMIT) throw manifestTooLarge(bytes.length)
    const digest = reference.digest ?? descriptor.digest
    const hasher = this.#context.createHasher(algorithmOf(digest))
    hasher.update(bytes)
    if (hasher.digest() !== digest) throw wrongManifest(this.#context.source.name)
    return { descriptor: { mediaType: descriptor.mediaType, digest, size: bytes.length }, bytes }
  }

  /** Nobody who waits for it waits for the store as well. */
  #keep(repository: RepositoryName, manifest: Manifest, ticket: Ticket): Manifest {
    const { named, records, log } = this.#context
    named.note(repository, manifest)
    this.#prefetch.fetched(repository, manifest.descriptor.digest)
    ticket
      .keep(() => records.keepManifest(repository, manifest))
      .catch((error: unknown) => log.warn({ repository, digest: manifest.descriptor.digest, error }, 'a manifest could not be kept'))
    return manifest
  }
}

function wrongManifest(source: string): RegistryError {
  return new RegistryError('UPSTREAM_INVALID', `${source} sends a manifest that has another digest than it should. It was not kept.`, {
    upstream: source,
  })
}

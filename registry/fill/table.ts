import type { BlobStore, CreateHasher } from '../blob-store.ts'
import { type Clock, steady } from '../clock.ts'
import type { Log } from '../log.ts'
import { dropOldest } from '../oldest.ts'
import type { BlobStream } from '../registry.ts'
import { type Digest, hexOf } from '../spec/digests.ts'
import { RegistryError } from '../spec/errors.ts'
import type { RepositoryName } from '../spec/names.ts'
import { Attempt } from './attempt.ts'
import { sourceFails } from './errors.ts'
import { Fill } from './fill.ts'
import type { FillCounters, FillRequest, FillSource, Fills } from './fills.ts'
import { Keeper } from './keeper.ts'
import type { FillLeases } from './leases.ts'
import { FILL_LIMITS, type FillLimits } from './limits.ts'
import { Parts, WholeOnly } from './parts.ts'
import { Patches } from './patches.ts'
import { readOn, restFrom } from './read-on.ts'
import { Turns } from './turns.ts'

export interface FillTableOptions {
  readonly blobs: BlobStore
  readonly createHasher: CreateHasher
  readonly clock: Clock
  readonly log: Log
  readonly limits?: Partial<FillLimits>
  /** Where other processes share the blobs. */
  readonly leases?: FillLeases
  /** Where to count; by itself when absent. */
  readonly counters?: FillCounters
}

/** The fills of a process: one for a digest and a source, however many ask. */
export class FillTable implements Fills {
  readonly counters: FillCounters
  readonly #blobs: BlobStore
  readonly #createHasher: CreateHasher
  readonly #clock: Clock
  readonly #log: Log
  readonly #limits: FillLimits
  readonly #leases: FillLeases | undefined
  readonly #fills = new Map<string, Fill>()
  readonly #wholeOnly: WholeOnly
  readonly #turns: Turns
  readonly #rangeTurns: Turns
  readonly #ownTurns: Turns
  /** Sources that lied about a digest, for a moment. Oldest first. */
  readonly #refusals = new Map<string, { readonly until: number; readonly error: RegistryError }>()
  /** Digests that became blobs a moment ago: who looked before that finds them now. */
  readonly #stored = new Set<Digest>()

  constructor({ blobs, createHasher, clock, log, limits, leases, counters = newCounters() }: FillTableOptions) {
    this.counters = counters
    this.#leases = leases
    this.#blobs = blobs
    this.#createHasher = createHasher
    this.#clock = clock
    this.#log = log
    this.#limits = { ...FILL_LIMITS, ...limits }
    this.#wholeOnly = new WholeOnly(clock, this.#limits)
    this.#turns = new Turns({ atOnce: this.#limits.fills, waiting: this.#limits.waiting })
    this.#rangeTurns = new Turns({ atOnce: this.#limits.directRanges, waiting: 0 })
    this.#ownTurns = new Turns({ atOnce: this.#limits.ownRanges, waiting: this.#limits.ownRangesWaiting })
  }

  /** Fills under way or waiting for their turn. */
  get size(): number {
    return this.#fills.size
  }

  /** What all fills hold in memory, in bytes. */
  get bytesHeld(): number {
    let bytes = 0
    for (const fill of this.#fills.values()) bytes += fill.bytesHeld
    return bytes
  }

  async open(request: FillRequest): Promise<BlobStream | undefined> {
    const { digest, range, source, signal } = request
    const key = `${source.id} ${digest}`
    let { confirmed } = request
    for (;;) {
      signal?.throwIfAborted()
      this.#refuse(key)
      const found = this.#fills.get(key)
      if (found?.stopping) {
        await found.ended
        continue
      }
      const stored = found === undefined && this.#stored.has(digest)
      if ((found || stored) && !confirmed && !found?.vouchesFor(source.repository)) {
        // A digest is no right to its bytes: what another repository is being given may be unknown to this one.
        confirmed = await this.#confirm(source, signal)
        if (!confirmed) return undefined
        continue
      }
      if (stored) {
        const body = await this.#blobs.open(digest, range)
        if (body?.stream !== undefined)
          return this.#blobs.mayVanish ? { ...body, stream: readOn(body, this.#again({ ...request, size: body.size })) } : body
        this.#stored.delete(digest)
        continue
      }
      const fill = found?.reaches(range?.offset ?? 0) ? found : this.#begin(key, digest, source)
      if (fill === found) this.counters.joined++
      return await fill.open(request)
    }
  }

  #again(wanted: FillRequest) {
    return restFrom({ blobs: this.#blobs, fills: this, log: this.#log }, wanted)
  }

  async ended(source: string, digest: Digest): Promise<void> {
    await this.#fills.get(`${source} ${digest}`)?.ended
  }

  doubt(source: string, repository: RepositoryName, digest?: Digest): void {
    for (const fill of this.#fills.values()) fill.doubt(source, repository, digest)
  }

  /** Resolves when no fill is under way. */
  async idle(): Promise<void> {
    while (this.#fills.size > 0) await Promise.all([...this.#fills.values()].map(({ ended }) => ended))
  }

  /** Stops all fills; what has come stays for the next start. */
  async close(): Promise<void> {
    const fills = [...this.#fills.values()]
    for (const fill of fills) fill.stop()
    await Promise.all(fills.map(({ ended }) => ended))
    this.#leases?.close()
  }

  #begin(key: string, digest: Digest, source: FillSource): Fill {
    const { counters } = this
    let giveBack: (() => void) | undefined
    const stored = { blobs: this.#blobs, id: this.#draftId(digest, source), digest, log: this.#log }
    const common = {
      clock: this.#clock,
      log: this.#log,
      limits: this.#limits,
      counters,
      parts: new Parts(source.id, this.#wholeOnly),
      windowBytes: () => Math.min(this.#limits.windowBytes, this.#limits.bytesInFlight / Math.max(1, this.#fills.size)),
    }
    const onFreed = () => {
      for (const waiting of this.#fills.values()) waiting.nudge()
    }
    const fill = new Fill({
      ...common,
      digest,
      source,
      keeper: new Keeper(stored),
      shared: this.#leases && { leases: this.#leases, id: stored.id, blobs: this.#blobs },
      patches: new Patches({ ...common, ...stored, tryTake: () => this.#rangeTurns.tryTake(), onFreed }),
      createHasher: this.#createHasher,
      ownTurns: this.#ownTurns,
      again: (wanted) => this.#again({ ...wanted, digest, confirmed: true }),
      turn: async (signal) => {
        giveBack = await this.#turns.take(signal)
      },
    })
    counters.fills++
    this.#fills.set(key, fill)
    void fill.ended.then((end) => {
      giveBack?.()
      if (this.#fills.get(key) === fill) this.#fills.delete(key)
      if (end === 'stored') this.#remember(digest)
      if (end === 'wrong' && fill.failure instanceof RegistryError) {
        this.#refusals.delete(key)
        this.#refusals.set(key, { until: steady(this.#clock) + this.#limits.refusalMs, error: fill.failure })
        dropOldest(this.#refusals, this.#limits.remembered)
      }
    })
    return fill
  }

  async #confirm(source: FillSource, signal: AbortSignal | undefined): Promise<boolean> {
    const attempt = new Attempt(this.#clock, signal ?? new AbortController().signal)
    try {
      const late = () => sourceFails(source.name, 'did not answer in time')
      return (await attempt.within(this.#limits.firstByteMs, late, source.stat(attempt.signal))) !== undefined
    } finally {
      attempt.end(new DOMException('The question is answered.', 'AbortError'))
    }
  }

  #refuse(key: string): void {
    const refusal = this.#refusals.get(key)
    if (refusal === undefined) return
    if (steady(this.#clock) < refusal.until) throw refusal.error
    this.#refusals.delete(key)
  }

  #remember(digest: Digest): void {
    this.#stored.delete(digest)
    this.#stored.add(digest)
    dropOldest(this.#stored, this.#limits.remembered)
  }

  /** Of the digest and the source, so that a draft is taken up by who would have written the same; at most 64 + 9 + 5 characters. */
  #draftId(digest: Digest, source: FillSource): string {
    const hasher = this.#createHasher('sha256')
    hasher.update(new TextEncoder().encode(source.id))
    return `fill-${hexOf(digest).slice(0, 64)}-${hexOf(hasher.digest()).slice(0, 8)}`
  }
}

function newCounters(): FillCounters {
  return {
    fills: 0,
    joined: 0,
    completed: 0,
    abandoned: 0,
    resumed: 0,
    cuts: 0,
    wrong: 0,
    failed: 0,
    unstored: 0,
    bytesFetched: 0,
    bytesServed: 0,
    behind: 0,
    bytesDirect: 0,
  }
}

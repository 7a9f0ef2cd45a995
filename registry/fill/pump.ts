import type { BlobStore, CreateHasher, Hasher } from '../blob-store.ts'
import type { Clock } from '../clock.ts'
import { giveBack } from '../lent.ts'
import type { Log } from '../log.ts'
import { algorithmOf, type Digest } from '../spec/digests.ts'
import { RegistryError } from '../spec/errors.ts'
import { Attempt } from './attempt.ts'
import type { Audience } from './audience.ts'
import { Abandoned, Absent, sourceFails, Wrong, wrongBytes } from './errors.ts'
import type { FillCounters, FillSource } from './fills.ts'
import type { Flow } from './flow.ts'
import { follow } from './follow.ts'
import { inOrder } from './in-order.ts'
import type { Keeper } from './keeper.ts'
import type { FillLeases, Lease } from './leases.ts'
import type { FillLimits } from './limits.ts'
import { keepPace, trim } from './pace.ts'
import { Parallel } from './parallel.ts'
import type { Parts } from './parts.ts'
import type { Patches } from './patches.ts'

export interface PumpOptions {
  readonly digest: Digest
  readonly source: FillSource
  readonly keeper: Keeper
  readonly patches: Patches
  readonly parts: Parts
  /** Where other processes may fill the same blob. */
  readonly shared: { readonly leases: FillLeases; readonly id: string; readonly blobs: BlobStore } | undefined
  readonly createHasher: CreateHasher
  readonly clock: Clock
  readonly log: Log
  readonly limits: FillLimits
  readonly counters: FillCounters
  /** How many bytes this fill may keep in memory now, of those that are stored already. */
  readonly windowBytes: () => number
  /** Resolves when it is this fill's turn. */
  readonly turn: (signal: AbortSignal) => Promise<void>
}

/** How a fill ended. `wrong`: the source lied twice. `absent`: the source does not have it. `stopped`: nobody wanted it any more. */
export type FillEnd = 'stored' | 'passed' | 'absent' | 'stopped' | 'failed' | 'wrong'

/**
 * Brings one blob from its source: hashes it in order, stores it, and tells its flow. It waits for the source and the store, never for a consumer.
 * The exception is a store that takes nothing: then the fastest consumer sets the pace.
 */
export class Pump {
  readonly #options: PumpOptions
  readonly #flow: Flow
  readonly #audience: Audience
  readonly #stop: AbortController
  #lease: Lease | undefined

  /** `stop` ends it, from outside as from inside. */
  constructor(options: PumpOptions, flow: Flow, audience: Audience, stop: AbortController) {
    this.#options = options
    this.#flow = flow
    this.#audience = audience
    this.#stop = stop
  }

  /** Never rejects. */
  async run(): Promise<FillEnd> {
    const { digest, source, keeper, patches, parts, counters, log, turn } = this.#options
    const stop = this.#stop.signal
    let edition: string | undefined
    try {
      await turn(stop)
      const lease = await this.#lead(stop)
      if (lease === 'stored') return 'stored'
      this.#lease = lease
      lease?.lost.addEventListener('abort', () => this.#stop.abort(sourceFails(source.name, 'is being asked by another process')), { once: true })
      for (let round = 1; ; round++) {
        try {
          await this.#pour(round)
          parts.came()
          break
        } catch (error) {
          if (!(error instanceof Wrong)) throw error
          counters.wrong++
          log.warn({ digest, source: source.name, round, reason: error.message }, 'a source sent wrong bytes')
          parts.wrong()
          if (round === 1) this.#flow.restart()
          else this.#flow.fail(wrongBytes(source.name, error.message))
          await Promise.all([keeper.discard(), patches.discard()])
          if (this.#flow.failure) throw this.#flow.failure.error
        }
      }
      // A store that has just failed is no reason to take from anybody what has come: it is found out when the blob is stored.
      if (this.#lease !== undefined) edition = await keeper.edition().catch(() => undefined)
      return await this.#store()
    } catch (error) {
      return await this.#fail(stop.aborted ? stop.reason : error)
    } finally {
      await this.#release(edition)
    }
  }

  /** The lease, where there are any; `'stored'`: another process had it, and has brought the blob. */
  async #lead(signal: AbortSignal): Promise<Lease | 'stored' | undefined> {
    const { shared, digest, source, keeper, clock, limits } = this.#options
    if (shared === undefined) return undefined
    const lease = await shared.leases.take(shared.id)
    if (lease === undefined)
      return await follow({ ...shared, digest, source, keeper, flow: this.#flow, clock, limits, wanted: () => this.#wanted, signal })
    // Between the look that found nothing and the lease, another process may have ended.
    const stored = await shared.blobs.stat(digest)
    if (stored === undefined) return lease
    this.#lease = lease
    await this.#release()
    this.#flow.sized(stored.size)
    keeper.committed(stored.size)
    // What is stored is no sign that this repository has it.
    if ((await source.stat(signal)) === undefined) throw new Absent()
    this.#flow.verify()
    return 'stored'
  }

  /** `verified`: the edition of the draft that turned out right. Should it fail, the lease runs out. */
  async #release(verified?: string): Promise<void> {
    const lease = this.#lease
    this.#lease = undefined
    try {
      await lease?.release(verified)
    } catch (error) {
      this.#options.log.warn({ digest: this.#options.digest, error }, 'a lease could not be given back')
    }
  }

  /** All bytes, hashed, handed on and written; the last piece is withheld until they are known to be right. */
  async #pour(round: number): Promise<void> {
    const { digest, source, keeper, patches, parts, createHasher, clock, log, limits, counters, windowBytes } = this.#options
    const flow = this.#flow
    const audience = this.#audience
    const paced = { flow, keeper, limits, windowBytes }
    const parallel = new Parallel({ source, patches, clock, limits })
    const total = new Attempt(clock, this.#stop.signal)
    let hasher = createHasher(algorithmOf(digest))
    try {
      let known: number | undefined
      let from = round === 1 ? await keeper.leftover() : 0
      if (from > 0) {
        const asked = source.stat(total.signal)
        const found = await total.within(limits.firstByteMs, () => sourceFails(source.name, 'did not answer in time'), asked)
        if (found === undefined) throw new Absent()
        known = found.size
        if (!(await this.#takeUp(from, known, hasher, total.signal))) {
          from = 0
          hasher = createHasher(algorithmOf(digest))
        } else await patches.takeUp(source.name, known)
      }
      const begin = async (size: number) => {
        total.deadline(limits.totalMs + (size / limits.bytesPerSecond) * 1000, () => sourceFails(source.name, 'is too slow'))
        await keeper.begin(from, size)
        // Who waits for it to be stored waits in vain.
        if (!keeper.storing) await this.#release()
        flow.startAt(from)
        flow.sized(size)
      }
      if (known !== undefined) await begin(known)
      if (from !== known) {
        const options = {
          from,
          size: known,
          signal: total.signal,
          clock,
          log,
          limits,
          counters,
          parts,
          onSize: begin,
          followed: () => audience.streams,
        }
        for await (const chunk of inOrder(source, patches, options)) {
          const before = keeper.storing ? undefined : hasher.copy()
          hasher.update(chunk)
          flow.push(chunk, before)
          await keeper.write(chunk)
          if (keeper.storing) {
            patches.passed(keeper.readable)
            if (flow.size !== undefined) parallel.look(flow.head, flow.size)
          }
          trim(paced)
          await keepPace(paced, () => audience.keepsUp, total.signal)
          if (!this.#wanted) this.#stop.abort(new Abandoned())
          total.signal.throwIfAborted()
        }
      }
      if (hasher.digest() !== digest) throw new Wrong('its bytes have another digest')
      flow.verify()
    } finally {
      total.end(new Abandoned())
    }
  }

  /** Hashes what an earlier fill left. false: it is of no use, and gone. */
  async #takeUp(left: number, size: number, hasher: Hasher, signal: AbortSignal): Promise<boolean> {
    const { digest, keeper, log, counters } = this.#options
    let hashed = 0
    try {
      if (left <= size) {
        for await (const chunk of await keeper.read({ offset: 0, length: left })) {
          signal.throwIfAborted()
          hasher.update(chunk)
          hashed += chunk.length
          giveBack(chunk)
        }
      }
      if (hashed === left) {
        counters.resumed++
        return true
      }
      log.warn({ digest, left, hashed, size }, 'what an earlier fill left is of no use')
    } catch (error) {
      signal.throwIfAborted()
      log.warn({ digest, left, error }, 'what an earlier fill left cannot be read')
    }
    await keeper.discardLeftover()
    return false
  }

  async #store(): Promise<FillEnd> {
    const { keeper, patches, counters } = this.#options
    const stored = await keeper.commit()
    await patches.discard()
    if (stored) {
      counters.completed++
      this.#flow.window.clear()
      return 'stored'
    }
    counters.unstored++
    await keeper.discard()
    return 'passed'
  }

  async #fail(error: unknown): Promise<FillEnd> {
    const { digest, source, keeper, patches, log, counters } = this.#options
    const reason = error instanceof RegistryError || error instanceof Absent ? error : sourceFails(source.name, 'cannot give this blob now', error)
    this.#flow.fail(reason)
    await Promise.all([keeper.keep(), patches.close()])
    if (error instanceof Absent) return 'absent'
    if (error instanceof Abandoned) {
      counters.abandoned++
      return 'stopped'
    }
    counters.failed++
    log.warn({ digest, source: source.name, error }, 'a blob could not be fetched')
    return reason instanceof RegistryError && reason.code === 'UPSTREAM_INVALID' ? 'wrong' : 'failed'
  }

  /** Whether to go on. */
  get #wanted(): boolean {
    const size = this.#flow.size ?? Number.POSITIVE_INFINITY
    return this.#audience.wants({ storing: this.#options.keeper.storing, size, left: size - this.#flow.head })
  }
}

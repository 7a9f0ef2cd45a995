import type { BlobStore, CreateHasher, Hasher } from '../blob-store.ts'
import { type Clock, steady } from '../clock.ts'
import type { Log } from '../log.ts'
import type { BlobStream } from '../registry.ts'
import { algorithmOf, type Digest } from '../spec/digests.ts'
import { RegistryError } from '../spec/errors.ts'
import type { RepositoryName } from '../spec/names.ts'
import type { ByteRange } from '../spec/ranges.ts'
import { Attempt } from './attempt.ts'
import { consumerStream } from './consumer.ts'
import { Abandoned, Absent, fellBehind, Moved, sourceFails, tooBusy, Wrong, wrongBytes } from './errors.ts'
import type { FillCounters, FillRequest, FillSource } from './fills.ts'
import { Flow } from './flow.ts'
import { follow } from './follow.ts'
import { inOrder } from './in-order.ts'
import type { Keeper } from './keeper.ts'
import type { FillLeases, Lease } from './leases.ts'
import type { FillLimits } from './limits.ts'
import { type OwnRangeOptions, ownRange } from './own-range.ts'
import { keepPace, trim } from './pace.ts'
import { Parallel } from './parallel.ts'
import type { Patch } from './patch.ts'
import type { Patches } from './patches.ts'
import { type Placed, rangeStream } from './range-stream.ts'
import type { Turns } from './turns.ts'
import { orAborted } from './wait.ts'

export interface FillOptions {
  readonly digest: Digest
  readonly source: FillSource
  readonly keeper: Keeper
  readonly patches: Patches
  /** Where other processes may fill the same blob. */
  readonly shared: { readonly leases: FillLeases; readonly id: string; readonly blobs: BlobStore } | undefined
  readonly createHasher: CreateHasher
  readonly clock: Clock
  readonly log: Log
  readonly limits: FillLimits
  readonly counters: FillCounters
  /** How many bytes this fill may keep in memory now, of those that are stored already. */
  readonly windowBytes: () => number
  /** How much each consumer reads of the store at once. */
  readonly pieceBytes: () => number
  /** For consumers that fall behind what cannot be stored: of all fills together. */
  readonly ownTurns: Turns
  /** Resolves when it is this fill's turn. */
  readonly turn: (signal: AbortSignal) => Promise<void>
}

type Wanted = Omit<FillRequest, 'digest' | 'confirmed'>

/** How a fill ended. `wrong`: the source lied twice. `absent`: the source does not have it. `stopped`: nobody wanted it any more. */
export type FillEnd = 'stored' | 'passed' | 'absent' | 'stopped' | 'failed' | 'wrong'

/**
 * One cold blob coming through: a pump that reads the source, hashes in order and stores, and consumers that follow at their own speed.
 * The pump waits for the source and the store, never for a consumer, and belongs to none of them. The exception is a store that
 * takes nothing: then the fastest consumer sets the pace, and those who fall behind it go on from the source by themselves.
 */
export class Fill {
  /** Never rejects. */
  readonly ended: Promise<FillEnd>
  readonly #options: FillOptions
  readonly #flow: Flow
  readonly #stop = new AbortController()
  #consumers = 0
  /** Of the consumers, those that read on and on, and not a part here and there. */
  #streams = 0
  /** Of the consumers, those that go on without this fill. */
  #behind = 0
  #doubted = false
  #lastAsked: number

  constructor(options: FillOptions) {
    this.#options = options
    this.#flow = new Flow(options.limits.tailBytes)
    this.#lastAsked = steady(options.clock)
    this.ended = this.#run()
  }

  /** How many bytes have come. */
  get head(): number {
    return this.#flow.head
  }

  /** What it holds in memory. */
  get bytesHeld(): number {
    return this.#flow.window.bytes + this.#options.patches.bytesHeld
  }

  /** Why it failed, if it has. */
  get failure(): unknown {
    return this.#flow.failure?.error
  }

  /** It is about to end without its blob: ask again when it has. */
  get stopping(): boolean {
    return this.#stop.signal.aborted
  }

  /** Whether its own question to the source tells that this repository has the blob: `open` resolves only when the source has answered it. */
  vouchesFor(repository: RepositoryName): boolean {
    return !this.#doubted && this.#options.source.repository === repository
  }

  /** What its question to the source told of this repository need not be so any more. */
  doubt(source: string, repository: RepositoryName, digest: Digest | undefined): void {
    const { source: own, digest: ours } = this.#options
    if (own.id === source && own.repository === repository && (digest === undefined || digest === ours)) this.#doubted = true
  }

  /** Whether a reader that begins at `offset` can be served: without a store, what has gone by is gone. */
  reaches(offset: number): boolean {
    const { keeper } = this.#options
    return keeper.storing || offset < keeper.readable || offset >= this.#flow.window.start
  }

  /** Somebody wants the blob, though not from here. */
  touch(): void {
    this.#lastAsked = steady(this.#options.clock)
  }

  /**
   * The blob or a part of it, as soon as its first byte may be handed out. undefined: the source does not have it.
   * A range that begins far ahead of what has come is asked of `source` at once; what begins in the withheld last piece is handed out when
   * all is verified.
   */
  async open({ range, source, size, signal }: Wanted): Promise<BlobStream | undefined> {
    if (this.#consumers >= this.#options.limits.consumers) throw tooBusy()
    this.#consumers++
    if (this.#isStream(range)) this.#streams++
    this.touch()
    const wanted = { range, source, size, signal }
    const offset = range?.offset ?? 0
    try {
      for (;;) {
        this.#flow.reached(offset)
        const { generation } = this.#flow
        const found = await this.#find(offset, wanted)
        if (typeof found === 'number') return { size: found, stream: this.#main(offset, found, wanted, true), ...(range && { range }) }
        if (range !== undefined && this.#flow.generation === generation) return this.#ahead(range, found, generation, wanted)
        await found.stream.cancel()
      }
    } catch (error) {
      this.#leave(range)
      if (error instanceof Absent) return undefined
      throw error
    }
  }

  /** Has those who wait look again: something outside of it has changed. */
  nudge(): void {
    this.#flow.changed.ring()
  }

  /** Ends it as if nobody wanted it. */
  stop(): void {
    this.#stop.abort(new Abandoned())
  }

  /**
   * What has the byte at `position`, as soon as something has: the blob's size when this fill has it itself; else a part that came ahead of
   * it, which need not go on to the end. @throws RANGE_INVALID, and why the fill failed
   */
  async #find(position: number, { range, source, size: said, signal }: Wanted): Promise<Placed | number> {
    const flow = this.#flow
    const { keeper, patches } = this.#options
    for (;;) {
      signal?.throwIfAborted()
      const changed = flow.changed.next
      if (flow.failure) throw flow.failure.error
      const told = flow.size ?? patches.size
      // It cannot be said which one is right: that the range is outside, as little as that it is not.
      if (told !== undefined && said !== undefined && told !== said && !flow.verified)
        throw wrongBytes(this.#options.source.name, 'it names two sizes')
      const size = told ?? said
      if (size !== undefined) checkRange(range, size)
      if (flow.size !== undefined && (flow.verified || (position < flow.limit && position < Math.max(flow.head, keeper.readable)))) return flow.size
      const patch = range && (patches.at(position) ?? this.#begin(position, range, source, size))
      if (range === undefined || patch === undefined) {
        await orAborted(changed, signal)
        continue
      }
      try {
        const placed = await patch.open(position, range.offset + range.length, signal)
        checkRange(range, placed.size)
        return placed
      } catch (error) {
        if (!(error instanceof Moved)) throw error
      }
    }
  }

  /** Asks the source for what is far ahead, if it may be now. The last piece is in no such part. */
  #begin(position: number, range: ByteRange, source: FillSource, size: number | undefined): Patch | undefined {
    const { limits, patches } = this.#options
    const limit = size === undefined ? Number.POSITIVE_INFINITY : size - limits.tailBytes
    if (position <= Math.max(this.#flow.head, this.#options.keeper.readable) + limits.aheadBytes || position >= limit) return undefined
    return patches.begin(source, position, range.offset + range.length, limit)
  }

  /** Out of the fill itself. `alone`: there is nothing around it that counts what is served, and who is there. */
  #main(offset: number, size: number, { range, signal }: Wanted, alone: boolean): ReadableStream<Uint8Array> {
    const { keeper, source, pieceBytes, counters } = this.#options
    let behind = false
    const end = range === undefined ? size : range.offset + range.length
    return consumerStream({
      pieceBytes,
      flow: this.#flow,
      keeper,
      range: { offset, length: end - offset },
      size,
      source: source.name,
      signal,
      ...(alone && { counters }),
      onBehind: (position, given, left) => {
        const rest = this.#own({ from: position, end, size }, given, signal === undefined ? left : AbortSignal.any([signal, left]))
        behind = true
        this.#behind++
        this.#flow.moved.ring()
        return rest
      },
      onLeave: () => {
        if (behind) this.#behind--
        if (alone) this.#leave(range)
      },
    })
  }

  /** What a consumer gets that fell behind while nothing can be stored. @throws RegistryError UNAVAILABLE when its last piece could not be verified */
  #own(range: Pick<OwnRangeOptions, 'from' | 'end' | 'size'>, given: (() => Hasher) | undefined, signal: AbortSignal): AsyncIterator<Uint8Array> {
    const { createHasher, digest, ownTurns: turns, limits, counters } = this.#options
    const { from, end, size } = range
    // What does not touch the last piece can be had of any fill before anything is verified.
    const checked = end > size - limits.tailBytes
    const hasher = !checked ? undefined : from === 0 ? createHasher(algorithmOf(digest)) : given?.()
    if (checked && hasher === undefined) throw fellBehind()
    counters.behind++
    return ownRange({ ...this.#options, ...range, hasher, turns, signal })
  }

  /** Begins with what came ahead, and goes on with whatever has the rest. */
  #ahead(range: ByteRange, first: Placed, generation: number, wanted: Wanted): BlobStream {
    const { counters, source } = this.#options
    const stream = rangeStream({
      flow: this.#flow,
      range,
      first,
      generation,
      source: source.name,
      counters,
      signal: wanted.signal,
      place: async (position) => {
        const found = await this.#find(position, wanted)
        return typeof found === 'number' ? { size: found, stream: this.#main(position, found, wanted, false) } : found
      },
      onLeave: () => this.#leave(range),
    })
    return { size: first.size, range, stream }
  }

  #leave(range: ByteRange | undefined): void {
    this.#consumers--
    if (this.#isStream(range)) this.#streams--
    this.#flow.moved.ring()
  }

  #isStream(range: ByteRange | undefined): boolean {
    return range === undefined || range.length > this.#options.limits.aheadBytes
  }

  async #run(): Promise<FillEnd> {
    const { digest, source, keeper, patches, counters, log, turn } = this.#options
    const stop = this.#stop.signal
    let lease: Lease | 'stored' | undefined
    try {
      await turn(stop)
      lease = await this.#lead(stop)
      if (lease === 'stored') return 'stored'
      lease?.lost.addEventListener('abort', () => this.#stop.abort(sourceFails(source.name, 'is being asked by another process')), { once: true })
      for (let round = 1; ; round++) {
        try {
          await this.#pour(round)
          break
        } catch (error) {
          if (!(error instanceof Wrong)) throw error
          counters.wrong++
          log.warn({ digest, source: source.name, round, reason: error.message }, 'a source sent wrong bytes')
          if (round === 1) this.#flow.restart()
          else this.#flow.fail(wrongBytes(source.name, error.message))
          await Promise.all([keeper.discard(), patches.discard()])
          if (this.#flow.failure) throw this.#flow.failure.error
        }
      }
      return await this.#store()
    } catch (error) {
      return await this.#fail(stop.aborted ? stop.reason : error)
    } finally {
      if (lease !== undefined && lease !== 'stored') await this.#release(lease)
    }
  }

  /** The lease, where there are any; `'stored'`: another process had it, and has brought the blob. */
  async #lead(signal: AbortSignal): Promise<Lease | 'stored' | undefined> {
    const { shared, digest, source, keeper, clock, limits } = this.#options
    if (shared === undefined) return undefined
    const lease = await shared.leases.take(shared.id)
    if (lease === undefined)
      return await follow({ ...shared, digest, source, keeper, flow: this.#flow, clock, limits, wanted: () => this.#wanted(), signal })
    // Between the look that found nothing and the lease, another process may have ended.
    const stored = await shared.blobs.stat(digest)
    if (stored === undefined) return lease
    await this.#release(lease)
    this.#flow.sized(stored.size)
    keeper.committed(stored.size)
    // What is stored is no sign that this repository has it.
    if ((await source.stat(signal)) === undefined) throw new Absent()
    this.#flow.verify()
    return 'stored'
  }

  /** Without it, it runs out. */
  async #release(lease: Lease): Promise<void> {
    try {
      await lease.release()
    } catch (error) {
      this.#options.log.warn({ digest: this.#options.digest, error }, 'a lease could not be given back')
    }
  }

  /** All bytes, hashed, handed on and written; the last piece is withheld until they are known to be right. */
  async #pour(round: number): Promise<void> {
    const { digest, source, keeper, patches, createHasher, clock, log, limits, counters, windowBytes } = this.#options
    const flow = this.#flow
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
        flow.startAt(from)
        flow.sized(size)
      }
      if (known !== undefined) await begin(known)
      if (from !== known) {
        const options = { from, size: known, signal: total.signal, clock, log, limits, counters, onSize: begin, followed: () => this.#streams > 0 }
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
          await keepPace(paced, () => this.#consumers > this.#behind, total.signal)
          if (!this.#wanted()) this.stop()
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
  #wanted(): boolean {
    const { clock, keeper, limits } = this.#options
    if (this.#consumers > this.#behind) return true
    if (!keeper.storing) return false
    if (steady(clock) - this.#lastAsked < limits.lingerMs) return true
    const size = this.#flow.size ?? Number.POSITIVE_INFINITY
    const left = size - this.#flow.head
    return left <= limits.abandonBytes || left <= size * limits.abandonShare
  }
}

function checkRange(range: ByteRange | undefined, size: number): void {
  if (range === undefined || range.offset + range.length <= size) return
  throw new RegistryError('RANGE_INVALID', `The range lies outside the ${size} bytes of this blob.`, undefined, {
    headers: { 'Content-Range': `bytes */${size}` },
  })
}

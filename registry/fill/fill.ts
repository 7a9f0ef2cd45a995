import type { Hasher } from '../blob-store.ts'
import type { BlobBody, BlobStream } from '../registry.ts'
import { algorithmOf, type Digest } from '../spec/digests.ts'
import { RegistryError } from '../spec/errors.ts'
import type { RepositoryName } from '../spec/names.ts'
import type { ByteRange } from '../spec/ranges.ts'
import { Audience } from './audience.ts'
import { consumerStream } from './consumer.ts'
import { Abandoned, Absent, fellBehind, Moved, tooBusy, wrongBytes } from './errors.ts'
import type { FillRequest, FillSource } from './fills.ts'
import { Flow } from './flow.ts'
import { type OwnRangeOptions, ownRange } from './own-range.ts'
import type { Patch } from './patch.ts'
import { type FillEnd, Pump, type PumpOptions } from './pump.ts'
import { type Placed, rangeStream } from './range-stream.ts'
import { readOn } from './read-on.ts'
import type { Turns } from './turns.ts'
import { orAborted } from './wait.ts'

export interface FillOptions extends PumpOptions {
  /** For consumers that fall behind what cannot be stored: of all fills together. */
  readonly ownTurns: Turns
  /** Where the rest of the blob is to be had once this fill has stored it and it is gone from the store again. */
  readonly again: (wanted: Omit<FillRequest, 'digest' | 'confirmed'>) => (rest: ByteRange) => Promise<BlobBody | undefined>
}

type Wanted = Omit<FillRequest, 'digest' | 'confirmed'>

/**
 * One cold blob coming through: a pump that brings it and belongs to nobody, and consumers that follow at their own speed. Where nothing
 * can be stored, those who fall behind the fastest go on from the source by themselves.
 */
export class Fill {
  /** Never rejects. */
  readonly ended: Promise<FillEnd>
  readonly #options: FillOptions
  readonly #flow: Flow
  readonly #audience: Audience
  readonly #stop = new AbortController()
  #doubted = false

  constructor(options: FillOptions) {
    this.#options = options
    this.#flow = new Flow(options.limits.tailBytes)
    this.#audience = new Audience(options.clock, options.limits)
    this.ended = new Pump(options, this.#flow, this.#audience, this.#stop).run()
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
    this.#audience.touch()
  }

  /**
   * The blob or a part of it, as soon as its first byte may be handed out. undefined: the source does not have it.
   * A range that begins far ahead of what has come is asked of `source` at once; what begins in the withheld last piece is handed out when
   * all is verified.
   */
  async open({ range, source, size, signal }: Wanted): Promise<BlobStream | undefined> {
    if (this.#audience.isFull) throw tooBusy()
    this.#audience.join(range)
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
  #main(offset: number, size: number, { range, source, signal }: Wanted, alone: boolean): ReadableStream<Uint8Array> {
    const { keeper, counters, again, createHasher, digest, limits } = this.#options
    let behind = false
    const either = (left: AbortSignal) => (signal === undefined ? left : AbortSignal.any([signal, left]))
    const end = range === undefined ? size : range.offset + range.length
    return consumerStream({
      flow: this.#flow,
      keeper,
      range: { offset, length: end - offset },
      size,
      source: this.#options.source.name,
      signal,
      ...(alone && { counters }),
      onLost: async (position, left) => {
        const ended = this.#audience.waitFor(orAborted(this.ended, left))
        // The pump may have waited for this one to take what came.
        this.#flow.moved.ring()
        const how = await ended
        if (how !== 'stored' && how !== 'passed') return undefined
        const wanted = { source, size, signal: either(left) }
        const rest = { offset: position, length: end - position }
        const found = await again(wanted)(rest)
        return found?.stream && readOn({ size, range: rest, stream: found.stream }, again(wanted))
      },
      onBehind: (position, given, left) => {
        const rest = this.#own({ from: position, end, size }, given, either(left))
        behind = true
        this.#audience.fallBehind()
        this.#flow.moved.ring()
        return rest
      },
      adrift: {
        hasher: () => createHasher(algorithmOf(digest)),
        rest: (position, given, left) => {
          // The last piece goes to nobody of whom it is not known what he was given before.
          if (given === undefined && position > 0 && end > size - limits.tailBytes) return undefined
          return this.#own({ from: position, end, size }, given && (() => given), either(left))
        },
      },
      onLeave: () => {
        if (behind) this.#audience.leaveBehind()
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
    this.#audience.leave(range)
    this.#flow.moved.ring()
  }
}

function checkRange(range: ByteRange | undefined, size: number): void {
  if (range === undefined || range.offset + range.length <= size) return
  throw new RegistryError('RANGE_INVALID', `The range lies outside the ${size} bytes of this blob.`, undefined, {
    headers: { 'Content-Range': `bytes */${size}` },
  })
}

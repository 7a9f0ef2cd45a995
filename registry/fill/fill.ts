import type { CreateHasher, Hasher } from '../blob-store.ts'
import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import type { BlobStream } from '../registry.ts'
import { algorithmOf, type Digest } from '../spec/digests.ts'
import { RegistryError } from '../spec/errors.ts'
import type { RepositoryName } from '../spec/names.ts'
import type { ByteRange } from '../spec/ranges.ts'
import { Attempt } from './attempt.ts'
import { consumerStream } from './consumer.ts'
import { Abandoned, Absent, sourceFails, tooBusy, Wrong, wrongBytes } from './errors.ts'
import type { FillCounters, FillSource } from './fills.ts'
import { Flow } from './flow.ts'
import type { Keeper } from './keeper.ts'
import type { FillLimits } from './limits.ts'
import { sourceBytes } from './source-bytes.ts'
import { orAborted } from './wait.ts'

export interface FillOptions {
  readonly digest: Digest
  readonly source: FillSource
  readonly keeper: Keeper
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
 * One cold blob coming through: a pump that reads the source, hashes in order and stores, and consumers that follow at their own speed.
 * The pump waits for the source and the store, never for a consumer, and belongs to none of them. The exception is a store that
 * takes nothing: then the fastest consumer sets the pace, and those who fall behind it are cut off.
 */
export class Fill {
  /** Never rejects. */
  readonly ended: Promise<FillEnd>
  readonly #options: FillOptions
  readonly #flow: Flow
  readonly #stop = new AbortController()
  #consumers = 0
  #lastAsked: number

  constructor(options: FillOptions) {
    this.#options = options
    this.#flow = new Flow(options.limits.tailBytes)
    this.#lastAsked = options.clock.now()
    this.ended = this.#run()
  }

  /** How many bytes have come. */
  get head(): number {
    return this.#flow.head
  }

  /** What it holds in memory. */
  get bytesHeld(): number {
    return this.#flow.window.bytes
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
    return this.#options.source.repository === repository
  }

  /** Whether a reader that begins at `offset` can be served: without a store, what has gone by is gone. */
  reaches(offset: number): boolean {
    const { keeper } = this.#options
    return keeper.storing || offset < keeper.readable || offset >= this.#flow.window.start
  }

  /** Somebody wants the blob, though not from here. */
  touch(): void {
    this.#lastAsked = this.#options.clock.now()
  }

  /**
   * The blob or a part of it, as soon as its first byte may be handed out. undefined: the source does not have it.
   * What begins in the withheld last piece is handed out when all is verified.
   */
  async open(range: ByteRange | undefined, signal: AbortSignal | undefined): Promise<BlobStream | undefined> {
    const flow = this.#flow
    const { limits, keeper } = this.#options
    if (this.#consumers >= limits.consumers) throw tooBusy()
    this.#consumers++
    this.touch()
    const offset = range?.offset ?? 0
    try {
      for (;;) {
        signal?.throwIfAborted()
        const changed = flow.changed.next
        flow.reached(offset)
        if (flow.failure) throw flow.failure.error
        const { size } = flow
        if (size !== undefined) {
          checkRange(range, size)
          const here = Math.max(flow.head, keeper.readable)
          if (flow.verified || (offset < flow.limit && offset < here)) return this.#consumer(range, size, signal)
        }
        await orAborted(changed, signal)
      }
    } catch (error) {
      this.#leave()
      if (error instanceof Absent) return undefined
      throw error
    }
  }

  /** Ends it as if nobody wanted it. */
  stop(): void {
    this.#stop.abort(new Abandoned())
  }

  #consumer(range: ByteRange | undefined, size: number, signal: AbortSignal | undefined): BlobStream {
    const { keeper, counters, source } = this.#options
    const stream = consumerStream({
      flow: this.#flow,
      keeper,
      range: range ?? { offset: 0, length: size },
      size,
      source: source.name,
      counters,
      signal,
      onLeave: () => this.#leave(),
    })
    return { size, stream, ...(range !== undefined && { range }) }
  }

  #leave(): void {
    this.#consumers--
    this.#flow.moved.ring()
  }

  async #run(): Promise<FillEnd> {
    const { digest, source, keeper, counters, log, turn } = this.#options
    const stop = this.#stop.signal
    try {
      await turn(stop)
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
          await keeper.discard()
          if (this.#flow.failure) throw this.#flow.failure.error
        }
      }
      return await this.#store()
    } catch (error) {
      return await this.#fail(stop.aborted ? stop.reason : error)
    }
  }

  /** All bytes, hashed, handed on and written; the last piece is withheld until they are known to be right. */
  async #pour(round: number): Promise<void> {
    const { digest, source, keeper, createHasher, clock, log, limits, counters } = this.#options
    const flow = this.#flow
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
        }
      }
      const begin = async (size: number) => {
        total.deadline(limits.totalMs + (size / limits.bytesPerSecond) * 1000, () => sourceFails(source.name, 'is too slow'))
        await keeper.begin(from, size)
        flow.startAt(from)
        flow.sized(size)
      }
      if (known !== undefined) await begin(known)
      if (from !== known) {
        const bytes = sourceBytes(source, { from, size: known, signal: total.signal, clock, log, limits, counters, onSize: begin })
        for await (const chunk of bytes) {
          hasher.update(chunk)
          flow.push(chunk)
          await keeper.write(chunk)
          this.#trim()
          await this.#pace(total.signal)
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
    const { keeper, counters } = this.#options
    const stored = await keeper.commit()
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
    const { digest, source, keeper, log, counters } = this.#options
    const reason = error instanceof RegistryError || error instanceof Absent ? error : sourceFails(source.name, 'cannot give this blob now', error)
    this.#flow.fail(reason)
    await keeper.keep()
    if (error instanceof Absent) return 'absent'
    if (error instanceof Abandoned) {
      counters.abandoned++
      return 'stopped'
    }
    counters.failed++
    log.warn({ digest, source: source.name, error }, 'a blob could not be fetched')
    return reason instanceof RegistryError && reason.code === 'UPSTREAM_INVALID' ? 'wrong' : 'failed'
  }

  #trim(): void {
    const { keeper, limits, windowBytes } = this.#options
    const { window, furthest } = this.#flow
    // What is neither stored nor taken by anybody is dropped last.
    window.trim(windowBytes(), limits.windowLimit, keeper.storing ? keeper.readable : Math.max(keeper.readable, furthest))
  }

  /** With a store there is nothing to wait for. Without one, what nobody has taken yet must not be passed by. */
  async #pace(signal: AbortSignal): Promise<void> {
    const { keeper, windowBytes } = this.#options
    const flow = this.#flow
    while (!keeper.storing && this.#consumers > 0) {
      const moved = flow.moved.next
      if (flow.head - flow.furthest < windowBytes() / 2) return
      await orAborted(moved, signal)
    }
  }

  /** Whether to go on. */
  #wanted(): boolean {
    const { clock, keeper, limits } = this.#options
    if (this.#consumers > 0) return true
    if (!keeper.storing) return false
    if (clock.now() - this.#lastAsked < limits.lingerMs) return true
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

import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import { RegistryError } from '../spec/errors.ts'
import type { ByteRange } from '../spec/ranges.ts'
import { Attempt } from './attempt.ts'
import { consumerStream } from './consumer.ts'
import { Abandoned, Moved, sourceFails, Unranged, Wrong, wrongBytes } from './errors.ts'
import type { FillCounters, FillSource } from './fills.ts'
import { Flow } from './flow.ts'
import type { Keeper } from './keeper.ts'
import type { FillLimits } from './limits.ts'
import { keepPace, type Paced, trim } from './pace.ts'
import type { Parts } from './parts.ts'
import { sourceBytes } from './source-bytes.ts'
import { orAborted } from './wait.ts'

export interface PatchOptions {
  readonly range: ByteRange
  readonly keeper: Keeper
  readonly clock: Clock
  readonly log: Log
  readonly limits: FillLimits
  readonly counters: FillCounters
  readonly parts: Parts
  readonly windowBytes: () => number
  /** Told once the source has answered. */
  readonly onSize: (size: number) => void
}

/**
 * A part of a blob that comes ahead of its fill, because somebody wants it: kept in a draft of its own until the fill has passed over it.
 * Its bytes are hashed when the fill does that, so the last piece of a blob is never in one.
 */
export class Patch {
  readonly start: number
  readonly #options: PatchOptions
  readonly #flow = new Flow(0)
  readonly #stop = new AbortController()
  readonly #source: string
  #end: number
  #followers = 0
  #ended: Promise<void> = Promise.resolve()

  private constructor(source: string, options: PatchOptions) {
    this.#source = source
    this.#options = options
    this.start = options.range.offset
    this.#end = this.start + options.range.length
    this.#flow.startAt(this.start)
  }

  /** Asks the source for it. */
  static begin(source: FillSource, options: PatchOptions): Patch {
    const patch = new Patch(source.name, options)
    patch.#ended = patch.#run(source)
    return patch
  }

  /** One that an earlier fill left. */
  static async left(source: string, options: PatchOptions, size: number): Promise<Patch> {
    const patch = new Patch(source, options)
    await options.keeper.leftover()
    patch.#flow.startAt(patch.#end)
    patch.#flow.sized(size)
    return patch
  }

  /** The byte after its last: of what was asked for while it comes, of what is there when it has ended. */
  get end(): number {
    return this.#end
  }

  get bytesHeld(): number {
    return this.#flow.window.bytes
  }

  /** Resolves when nothing more comes. Never rejects. */
  get ended(): Promise<void> {
    return this.#ended
  }

  /** Whether the fill may pass over it. */
  get kept(): boolean {
    return this.#options.keeper.storing
  }

  /** It has broken off: there is what is there. */
  get over(): boolean {
    return this.#flow.failure !== undefined
  }

  has(position: number): boolean {
    return this.start <= position && position < this.#end && (this.kept || position >= this.#flow.window.start)
  }

  /** Has it come to its end whoever reads it, until what this returns is called. */
  hold(): () => void {
    this.#followers++
    return () => {
      this.#followers--
      this.#flow.moved.ring()
    }
  }

  /**
   * From `offset` to its end, or `end`, once the source has answered; with the blob's size.
   * @throws Moved, as the stream does, when these bytes do not come here; what it failed with; the signal's reason
   */
  async open(offset: number, end: number, signal: AbortSignal | undefined): Promise<{ size: number; stream: ReadableStream<Uint8Array> }> {
    const { keeper } = this.#options
    let left = false
    const leave = () => {
      if (left) return
      left = true
      this.#followers--
      this.#flow.moved.ring()
    }
    this.#followers++
    try {
      const size = await this.#size(signal)
      const range = { offset, length: Math.min(end, this.#end) - offset }
      if (range.length <= 0) throw new Moved()
      if (this.#flow.failure === undefined) {
        // The fill, or another part, has it.
        const onBehind = () => {
          throw new Moved()
        }
        return {
          size,
          stream: consumerStream({
            flow: this.#flow,
            keeper,
            range,
            size,
            source: this.#source,
            signal,
            onBehind,
            // Nothing of a part is verified.
            onLost: async () => undefined,
            onLeave: leave,
          }),
        }
      }
      leave()
      return { size, stream: await keeper.read(range) }
    } catch (error) {
      leave()
      throw error
    }
  }

  /** Ends it; what has come stays, for this fill or the next. */
  async close(): Promise<void> {
    this.#stop.abort(new Moved())
    await this.#ended
    this.#flow.fail(new Moved())
  }

  /** Ends it, and nothing of it stays. Who reads it is told to read on elsewhere. */
  async discard(): Promise<void> {
    await this.close()
    this.#end = this.start
    await this.#options.keeper.discardLeftover()
  }

  async #size(signal: AbortSignal | undefined): Promise<number> {
    const flow = this.#flow
    for (;;) {
      const changed = flow.changed.next
      if (flow.size !== undefined) return flow.size
      if (flow.failure) throw flow.failure.error
      await orAborted(changed, signal)
    }
  }

  async #run(source: FillSource): Promise<void> {
    const { keeper, clock, log, limits, counters, parts, windowBytes, onSize: told } = this.#options
    const flow = this.#flow
    const paced: Paced = { flow, keeper, limits, windowBytes }
    const total = new Attempt(clock, this.#stop.signal)
    try {
      const bytes = sourceBytes(source, {
        from: this.start,
        until: () => this.#end,
        inVain: 0,
        signal: total.signal,
        clock,
        log,
        limits,
        counters,
        parts,
        onSize: async (size) => {
          this.#end = Math.max(this.start, Math.min(this.#end, size - limits.tailBytes))
          const length = this.#end - this.start
          total.deadline(limits.totalMs + (length / limits.bytesPerSecond) * 1000, () => sourceFails(source.name, 'is too slow'))
          told(size)
          await keeper.beginAnew(length)
          flow.sized(size)
        },
      })
      for await (const chunk of bytes) {
        counters.bytesDirect += chunk.length
        flow.push(chunk)
        await keeper.write(chunk)
        trim(paced)
        await keepPace(paced, () => this.#followers > 0, total.signal)
        if (this.#followers === 0 && (!keeper.storing || this.#end - flow.head > limits.finishBytes)) throw new Abandoned()
        total.signal.throwIfAborted()
      }
      await keeper.keep()
    } catch (error) {
      await keeper.keep()
      this.#end = keeper.readable
      if (error instanceof Wrong) counters.wrong++
      if (!(error instanceof Abandoned || error instanceof Moved)) log.info({ source: source.name, start: this.start, error }, 'a range broke off')
      flow.fail(asAnswer(source, error))
    } finally {
      total.end(new Abandoned())
    }
  }
}

function asAnswer(source: FillSource, error: unknown): unknown {
  if (error instanceof Wrong) return wrongBytes(source.name, error.message)
  if (error instanceof Abandoned || error instanceof Unranged) return new Moved()
  return error instanceof RegistryError || error instanceof Moved || error instanceof Error
    ? error
    : sourceFails(source.name, 'cannot give this range now', error)
}

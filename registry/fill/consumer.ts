import type { Hasher } from '../blob-store.ts'
import { RegistryError } from '../spec/errors.ts'
import type { ByteRange } from '../spec/ranges.ts'
import { Abandoned, wrongBytes } from './errors.ts'
import type { FillCounters } from './fills.ts'
import type { Flow } from './flow.ts'
import type { Keeper } from './keeper.ts'

export interface ConsumerOptions {
  readonly flow: Flow
  readonly keeper: Keeper
  readonly range: ByteRange
  /** The size that its client was told. */
  readonly size: number
  readonly source: string
  readonly counters?: FillCounters
  readonly signal?: AbortSignal | undefined
  /**
   * It fell behind what is stored nowhere: gives the rest. `given` makes what knows all bytes before `position`, if it can be made.
   * @throws when it ends here
   */
  readonly onBehind: (position: number, given: (() => Hasher) | undefined, left: AbortSignal) => AsyncIterator<Uint8Array>
  /** What it was reading is gone from the store: gives the rest from elsewhere; undefined: it was never whole there, or is nowhere. */
  readonly onLost: (position: number, left: AbortSignal) => Promise<ReadableStream<Uint8Array> | undefined>
  /** For who follows what another process stores. */
  readonly adrift?: {
    /** Makes what knows the bytes that it is given while nobody here verifies them. */
    readonly hasher: () => Hasher
    /** The store has failed: gives the rest; undefined: it ends here. `given` knows all bytes before `position`, if anything does. */
    readonly rest: (position: number, given: Hasher | undefined, left: AbortSignal) => AsyncIterator<Uint8Array> | undefined
  }
  /** Called once, when it has ended, failed or left. */
  readonly onLeave: () => void
}

/**
 * A part of a blob that is being filled, at its reader's own speed: what has just come from the shared window, anything older from
 * the store. It holds nothing but a position and at most one chunk.
 */
export function consumerStream({
  flow,
  keeper,
  range,
  size,
  source,
  counters,
  signal,
  onBehind,
  onLost,
  adrift,
  onLeave,
}: ConsumerOptions): ReadableStream<Uint8Array> {
  const end = range.offset + range.length
  let position = range.offset
  let generation = flow.generation
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  let opened = position
  let given: (() => Hasher) | undefined
  let own: AsyncIterator<Uint8Array> | undefined
  /** Of all that it has been given, as long as it follows another process. */
  let unverified: Hasher | undefined
  const ending = new AbortController()
  const release = keeper.hold()
  let left = false

  const dropReader = async () => {
    const dropped = reader
    reader = undefined
    await dropped?.cancel()
    await own?.return?.()
  }
  const leave = () => {
    if (left) return
    left = true
    ending.abort(new Abandoned())
    signal?.removeEventListener('abort', onAbort)
    release()
    onLeave()
  }
  let onAbort = () => {}

  const remember = (chunk: Uint8Array) => {
    if (!flow.following || own !== undefined) unverified = undefined
    else if (position === 0) unverified = adrift?.hasher()
    unverified?.update(chunk)
  }

  /** The next piece of what is stored; undefined: look again. */
  const stored = async (until: number): Promise<Uint8Array | undefined> => {
    if (reader === undefined) {
      reader = (await keeper.read({ offset: position, length: until - position })).getReader()
      // Who left while it was opened cannot have closed it.
      if (left) await dropReader()
      opened = position
      return undefined
    }
    const { done, value } = await reader.read()
    if (generation !== flow.generation || left) return undefined
    if (!done) {
      given = undefined
      return value
    }
    if (position === opened) throw new RegistryError('UNKNOWN', 'The store holds fewer bytes of this blob than it should.')
    reader = undefined
    return undefined
  }

  /** The store fails. Where the fill ends well, all that was given is verified, and the rest is the same from wherever it comes. */
  const lost = async (error: unknown): Promise<undefined> => {
    // One that has failed answers with its failure, which is known.
    await dropReader().catch(() => undefined)
    const elsewhere = left ? undefined : await onLost(position, ending.signal)
    if (left || generation !== flow.generation) await elsewhere?.cancel()
    else if (elsewhere !== undefined) own = elsewhere[Symbol.asyncIterator]()
    else if (!flow.adrift) throw error
    return undefined
  }

  /** The next chunk, in memory that others read as well; undefined: it is at its end. */
  const next = async (): Promise<Uint8Array | undefined> => {
    while (!left) {
      if (own !== undefined) return (await own.next()).value
      const changed = flow.changed.next
      if (flow.failure) {
        const same = generation === flow.generation || position === range.offset
        const rest = flow.adrift && same ? adrift?.rest(position, unverified, ending.signal) : undefined
        if (rest === undefined) throw flow.failure.error
        await dropReader().catch(() => undefined)
        own = rest
        continue
      }
      if (generation !== flow.generation) {
        if (position !== range.offset) throw wrongBytes(source, 'what came first turned out wrong')
        await dropReader()
        generation = flow.generation
        flow.reached(position)
        continue
      }
      if (flow.size !== undefined && flow.size !== size) throw wrongBytes(source, 'it changed the size of the blob')
      // Only the end of an empty blob is no byte that could be withheld.
      if (position === end && (end > 0 || flow.verified)) return undefined
      const until = Math.min(end, flow.limit)
      const fresh = position < until ? flow.window.at(position)?.subarray(0, until - position) : undefined
      if (fresh !== undefined) {
        given = flow.window.hasherAfter(position + fresh.length - 1)
        await dropReader()
        return fresh
      }
      const readable = Math.min(until, keeper.readable)
      if (reader !== undefined || position < readable) {
        const piece = await stored(readable).catch(lost)
        if (piece !== undefined) return piece
        continue
      }
      if (!keeper.storing && position < flow.window.start) {
        own = onBehind(position, given, ending.signal)
        given = undefined
        continue
      }
      await changed
    }
    return undefined
  }

  const underlying: UnderlyingDefaultSource<Uint8Array> = {
    start(controller) {
      onAbort = () => {
        if (left) return
        leave()
        controller.error(signal?.reason)
        dropReader().catch(() => undefined)
      }
      if (signal?.aborted) onAbort()
      else signal?.addEventListener('abort', onAbort, { once: true })
    },
    async pull(controller) {
      try {
        const chunk = await next()
        if (left) return
        if (chunk === undefined) {
          leave()
          controller.close()
          // It has given all that was asked of it, and has not been asked whether there is more.
          await dropReader()
          return
        }
        remember(chunk)
        controller.enqueue(chunk)
        position += chunk.length
        if (counters !== undefined) counters.bytesServed += chunk.length
        if (own === undefined) flow.reached(position)
      } catch (error) {
        if (left) return
        leave()
        controller.error(error)
        await dropReader().catch(() => undefined)
      }
    },
    async cancel() {
      leave()
      await dropReader()
    },
  }
  return new ReadableStream(underlying, { highWaterMark: 0 })
}

import type { ByteRange } from '../spec/ranges.ts'
import { Moved, wrongBytes } from './errors.ts'
import type { FillCounters } from './fills.ts'
import type { Flow } from './flow.ts'

/** Where some bytes come from, until they end or Moved says that the rest is elsewhere. */
export interface Placed {
  readonly size: number
  readonly stream: ReadableStream<Uint8Array>
}

export interface RangeStreamOptions {
  /** Of the fill. */
  readonly flow: Flow
  readonly range: ByteRange
  /** What has been found for the beginning, at this generation of the fill. */
  readonly first: Placed
  readonly generation: number
  readonly source: string
  readonly counters: FillCounters
  readonly signal: AbortSignal | undefined
  /** Finds what has the byte at a position; waits until something has. */
  readonly place: (position: number) => Promise<Placed>
  readonly onLeave: () => void
}

/** A range whose bytes come from wherever they are first: ahead of the fill, or out of it. */
export function rangeStream({ flow, range, signal, source, counters, onLeave, ...options }: RangeStreamOptions): ReadableStream<Uint8Array> {
  const end = range.offset + range.length
  let position = range.offset
  let { generation } = options
  let placed: Placed | undefined = options.first
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  let left = false

  const leave = () => {
    if (left) return
    left = true
    signal?.removeEventListener('abort', onAbort)
    onLeave()
  }
  const drop = async () => {
    const stream = reader ?? placed?.stream
    reader = undefined
    placed = undefined
    // One that has failed answers with its failure, which is known.
    await stream?.cancel().catch(() => undefined)
  }
  let onAbort = () => {}

  const next = async (): Promise<Uint8Array | undefined> => {
    while (!left && position < end) {
      if (flow.generation !== generation) {
        if (position !== range.offset) throw wrongBytes(source, 'what came first turned out wrong')
        await drop()
        generation = flow.generation
      }
      placed ??= await options.place(position)
      if (flow.generation !== generation) continue
      if (placed.size !== options.first.size) throw wrongBytes(source, 'it changed the size of the blob')
      reader ??= placed.stream.getReader()
      try {
        const { done, value } = await reader.read()
        if (flow.generation !== generation) continue
        if (!done) return value.subarray(0, end - position)
      } catch (error) {
        if (!(error instanceof Moved)) throw error
      }
      reader = undefined
      placed = undefined
    }
    return undefined
  }

  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        onAbort = () => {
          if (left) return
          leave()
          controller.error(signal?.reason)
          void drop()
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
            await drop()
            return controller.close()
          }
          position += chunk.length
          counters.bytesServed += chunk.length
          controller.enqueue(chunk)
        } catch (error) {
          if (left) return
          leave()
          controller.error(error)
          await drop()
        }
      },
      async cancel() {
        leave()
        await drop()
      },
    },
    { highWaterMark: 0 },
  )
}

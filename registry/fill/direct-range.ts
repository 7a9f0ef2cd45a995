import type { Clock } from '../clock.ts'
import type { BlobStream } from '../registry.ts'
import type { ByteRange } from '../spec/ranges.ts'
import { Attempt } from './attempt.ts'
import { sourceFails } from './errors.ts'
import type { FillCounters, FillSource } from './fills.ts'
import type { FillLimits } from './limits.ts'

export interface DirectRangeOptions {
  readonly source: FillSource
  readonly range: ByteRange
  readonly clock: Clock
  readonly limits: FillLimits
  readonly counters: FillCounters
  readonly signal: AbortSignal | undefined
  /** Called once, when it is over. */
  readonly onEnd: () => void
}

/**
 * A range far ahead of a fill, straight from the source and not kept.
 * `'whole'`: the source does not do ranges, so the fill is the faster way.
 */
export async function directRange(options: DirectRangeOptions): Promise<BlobStream | 'whole' | undefined> {
  const { source, range, clock, limits, counters, signal, onEnd } = options
  const attempt = new Attempt(clock, signal ?? new AbortController().signal)
  const end = (reason: unknown) => {
    attempt.end(reason)
    onEnd()
  }
  const unread = new DOMException('This answer is not read any further.', 'AbortError')
  try {
    const body = await attempt.within(
      limits.firstByteMs,
      () => sourceFails(source.name, 'did not answer in time'),
      source.open(range, attempt.signal),
    )
    if (body?.stream === undefined || body.range?.offset !== range.offset || body.range.length !== range.length) {
      await body?.stream?.cancel(unread)
      end(unread)
      return body === undefined ? undefined : 'whole'
    }
    const reader = body.stream.getReader()
    let left = range.length
    const stream = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          try {
            const late = () => sourceFails(source.name, 'stopped sending')
            const { done, value } = await attempt.within(limits.stallMs, late, reader.read())
            left -= value?.length ?? 0
            if (left < 0 || (done && left > 0)) throw sourceFails(source.name, 'sent another length than it said')
            if (done) {
              end(unread)
              controller.close()
              return
            }
            counters.bytesFetched += value.length
            source.fetched?.(value.length)
            counters.bytesServed += value.length
            counters.bytesDirect += value.length
            controller.enqueue(value)
          } catch (error) {
            end(error)
            controller.error(error)
          }
        },
        async cancel(reason) {
          end(unread)
          await reader.cancel(reason)
        },
      },
      { highWaterMark: 0 },
    )
    return { size: body.size, range, stream }
  } catch (error) {
    end(error)
    throw error
  }
}

import type { Hasher } from '../blob-store.ts'
import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import type { Digest } from '../spec/digests.ts'
import { Attempt } from './attempt.ts'
import { Abandoned, fellBehind, wrongBytes } from './errors.ts'
import type { FillCounters, FillSource } from './fills.ts'
import type { FillLimits } from './limits.ts'
import type { Parts } from './parts.ts'
import { sourceBytes } from './source-bytes.ts'
import type { Turns } from './turns.ts'

export interface OwnRangeOptions {
  readonly source: FillSource
  readonly digest: Digest
  /** The blob's. */
  readonly size: number
  /** The first byte wanted, and the one after the last. */
  readonly from: number
  readonly end: number
  /** Knows every byte before `from`, as this consumer has been given them. undefined: the range does not touch the last piece. */
  readonly hasher: Hasher | undefined
  /** Of all fills together. */
  readonly turns: Turns
  readonly clock: Clock
  readonly log: Log
  readonly limits: FillLimits
  readonly counters: FillCounters
  readonly parts: Parts
  readonly signal: AbortSignal
}

/**
 * The rest of a blob for a consumer that fell behind a fill which cannot be stored, from the source, at that consumer's own speed. It comes in
 * parts, each in its turn, so that a slow client keeps nobody waiting for longer than its part takes. The last piece is withheld until what this
 * consumer was given is known to be right, whatever becomes of the fill.
 * @throws RegistryError UNAVAILABLE when its turn does not come or it is too slow; UPSTREAM_INVALID; what sourceBytes does
 */
export async function* ownRange(options: OwnRangeOptions): AsyncGenerator<Uint8Array, void, undefined> {
  const { source, digest, size, end, hasher, limits } = options
  const limit = hasher === undefined ? end : Math.max(0, size - limits.tailBytes)
  const withheld: Uint8Array[] = []
  let position = options.from
  while (position < end) {
    for await (const chunk of part(options, position, Math.min(end, position + limits.ownRangeBytes))) {
      hasher?.update(chunk)
      const free = Math.min(chunk.length, Math.max(0, limit - position))
      position += chunk.length
      if (free < chunk.length) withheld.push(chunk.slice(free))
      if (free > 0) yield chunk.subarray(0, free)
    }
  }
  if (hasher !== undefined && hasher.digest() !== digest) throw wrongBytes(source.name, 'its bytes have another digest')
  yield* withheld
}

async function* part({ turns, ...options }: OwnRangeOptions, from: number, until: number): AsyncGenerator<Uint8Array, void, undefined> {
  const { source, size, clock, log, limits, counters, parts, signal } = options
  const giveBack = await turn(turns, options)
  const total = new Attempt(clock, signal)
  // A client that reads no more keeps nobody from a turn.
  total.signal.addEventListener('abort', giveBack, { once: true })
  total.deadline(limits.totalMs + ((until - from) / limits.bytesPerSecond) * 1000, fellBehind)
  try {
    const onSize = async () => {}
    yield* sourceBytes(source, { from, size, until: () => until, signal: total.signal, clock, log, limits, counters, parts, onSize })
  } finally {
    total.end(new Abandoned())
  }
}

async function turn(turns: Turns, { clock, limits, signal }: Pick<OwnRangeOptions, 'clock' | 'limits' | 'signal'>): Promise<() => void> {
  const waiting = new Attempt(clock, signal)
  const taken = turns.take(waiting.signal)
  try {
    return await waiting.within(limits.ownRangeWaitMs, fellBehind, taken)
  } catch (error) {
    // It may have come in the moment in which it was given up.
    taken.then(
      (giveBack) => giveBack(),
      () => undefined,
    )
    throw error
  } finally {
    waiting.end(new Abandoned())
  }
}

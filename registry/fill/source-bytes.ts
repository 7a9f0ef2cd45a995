import { type Clock, pause } from '../clock.ts'
import type { Log } from '../log.ts'
import type { BlobStream } from '../registry.ts'
import { RegistryError } from '../spec/errors.ts'
import type { ByteRange } from '../spec/ranges.ts'
import { Attempt } from './attempt.ts'
import { Absent, sourceFails, Unranged, Wrong } from './errors.ts'
import type { FillCounters, FillSource } from './fills.ts'
import type { FillLimits } from './limits.ts'
import type { Parts } from './parts.ts'

export interface SourceBytesOptions {
  /** The first byte wanted. */
  readonly from: number
  /** The whole blob's size, where it is known. */
  readonly size?: number | undefined
  readonly signal: AbortSignal
  readonly clock: Clock
  readonly log: Log
  readonly limits: FillLimits
  readonly counters: FillCounters
  /** Whether the source may be asked for a part. Where it cannot give one, it is asked for the whole, and what is not wanted is passed over. */
  readonly parts: Parts
  /** Told once, before the first chunk; it is waited for. */
  readonly onSize: (size: number) => Promise<void>
  /** Where these bytes end before the blob does, as seen from `position`; looked at before a request (`'ask'`), and while its answer is read. */
  readonly until?: (position: number, doing: 'ask' | 'read') => number
  /** So many bytes may come in vain, where the source sends more than it was asked for. */
  readonly inVain?: number
}

/**
 * A blob's bytes from `from` to its end, or `until`, in order, each once: a source that is cut or stalls is asked again for what is missing.
 * @throws Absent, Wrong when it does not hold to the size it gave; Unranged where `inVain` is exceeded; RegistryError when it fails too often; the signal's reason
 */
export async function* sourceBytes(source: FillSource, options: SourceBytesOptions): AsyncGenerator<Uint8Array, void, undefined> {
  const { signal, clock, log, limits, counters, parts, until = () => Number.POSITIVE_INFINITY } = options
  let position = options.from
  let size = options.size
  let end = Number.POSITIVE_INFINITY
  let begun = false
  let failures = 0
  let mark = position
  for (;;) {
    const attempt = new Attempt(clock, signal)
    let reader: ReadableStreamDefaultReader<Uint8Array> | undefined
    let range: ByteRange | undefined
    try {
      end = Math.min(until(position, 'ask'), size ?? Number.POSITIVE_INFINITY)
      if (position >= end) return
      const whole = !parts.usable || (position === 0 && end === (size ?? Number.POSITIVE_INFINITY))
      range = whole ? undefined : { offset: position, length: end - position }
      const body = await answer(source, range, attempt, limits)
      if (body === undefined) throw begun ? sourceFails(source.name, 'no longer has this blob') : new Absent()
      if (size === undefined) {
        size = body.size
        await options.onSize(size)
      } else if (body.size !== size) throw new Wrong(`it has ${body.size} bytes where it had ${size}`)
      // An answer that is not held to the part that was asked for goes on: it need not be asked for again.
      const most = body.range === undefined ? size : Math.min(end, size)
      end = Math.min(most, until(position, 'read'))
      let skip = toSkip(body, position)
      begun = true
      reader = body.stream.getReader()
      if (skip > (options.inVain ?? Number.POSITIVE_INFINITY)) {
        parts.refused(true)
        throw new Unranged()
      }
      if (range !== undefined) parts.use()
      while (position < end || skip > 0) {
        const { done, value } = await attempt.within(limits.stallMs, () => sourceFails(source.name, 'stopped sending'), reader.read())
        if (done) throw sourceFails(source.name, 'ended its answer too early')
        counters.bytesFetched += value.length
        source.fetched?.(value.length)
        const rest = value.subarray(Math.min(skip, value.length))
        skip -= value.length - rest.length
        if (rest.length === 0) continue
        if (position + rest.length > size) throw new Wrong(`more than the ${size} bytes it said`)
        end = Math.min(most, until(position, 'read'))
        const chunk = rest.subarray(0, Math.max(0, end - position))
        position += chunk.length
        if (chunk.length > 0) yield chunk
      }
      if (end === (body.range ? body.range.offset + body.range.length : size)) await atEnd(reader, attempt, source, size, limits)
      return
    } catch (error) {
      signal.throwIfAborted()
      const invalid = error instanceof RegistryError && (error.code === 'UPSTREAM_INVALID' || error.code === 'RANGE_INVALID')
      if (begun && position >= end && !invalid && !(error instanceof Wrong)) return
      failures = position - mark >= limits.progressBytes ? 1 : failures + 1
      mark = position
      const asked = retryAfter(error)
      const passing = worthAnother(error, begun) && asked <= limits.retryAfterMs
      if (!passing || failures >= limits.attempts) {
        // It may be the part that the source cannot give.
        if (range !== undefined && mayHaveWhole(error, reader !== undefined, size)) {
          parts.refused(error instanceof RegistryError && error.code !== 'UNAVAILABLE' && error.code !== 'UNKNOWN')
          if (options.inVain !== undefined) throw new Unranged('The source gives no part of this blob.', { cause: error })
          log.info({ source: source.name, position, size, error }, 'a source gives no part of a blob; it is asked for the whole')
          // Once, as long as nothing new comes of it.
          failures = limits.attempts - 1
          continue
        }
        if (begun && invalid) throw new Wrong(error.message)
        throw passing ? asFailure(source, error) : error
      }
      counters.cuts++
      log.info({ source: source.name, position, size, error }, 'a source broke off; it is asked for the rest')
      const backoff = failures === 1 ? 0 : limits.backoffMs * 2 ** (failures - 2)
      if (asked + backoff > 0) await pause(clock, Math.max(asked, backoff), signal)
    } finally {
      attempt.end(new DOMException('This answer is not read any further.', 'AbortError'))
      reader?.cancel().catch((error: unknown) => log.debug({ source: source.name, error }, 'an answer that was not read to its end'))
    }
  }
}

async function answer(source: FillSource, range: ByteRange | undefined, attempt: Attempt, limits: FillLimits): Promise<BlobStream | undefined> {
  const asked = source.open(range, attempt.signal)
  const body = await attempt.within(limits.firstByteMs, () => sourceFails(source.name, 'did not answer in time'), asked)
  if (body === undefined || body.stream !== undefined) return body
  throw new RegistryError('UPSTREAM_INVALID', `${source.name} sends us elsewhere for a blob, and we cannot follow.`, { upstream: source.name })
}

/** All bytes are here. What follows them can only show that the source meant something else. @throws Wrong */
async function atEnd(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  attempt: Attempt,
  source: FillSource,
  size: number,
  limits: FillLimits,
): Promise<void> {
  const { done, value } = await attempt.within(limits.stallMs, () => sourceFails(source.name, 'does not end its answer'), reader.read())
  if (!done && value.length > 0) throw new Wrong(`more than the ${size} bytes it said`)
}

/** A source may answer a range with more than was asked for, and with the whole: what we have is passed over. */
function toSkip(body: BlobStream, position: number): number {
  const offset = body.range?.offset ?? 0
  if (offset > position) throw new Wrong(`a range from byte ${offset} instead of ${position}`)
  return position - offset
}

/** Before it has begun, the source's own refusal is the answer; afterwards it has shown that it has the blob. */
function worthAnother(error: unknown, begun: boolean): boolean {
  if (error instanceof Wrong || error instanceof Absent || error instanceof Unranged) return false
  if (!(error instanceof RegistryError)) return true
  return begun && (error.code === 'UNAVAILABLE' || error.code === 'TOOMANYREQUESTS' || error.code === 'UNKNOWN')
}

/** Whether the whole may come where a part did not. `answered`: the answer to the part had begun. `size`: the blob's, in which the part lies. */
function mayHaveWhole(error: unknown, answered: boolean, size: number | undefined): boolean {
  if (error instanceof Absent || error instanceof Unranged || error instanceof Wrong) return false
  if (!(error instanceof RegistryError)) return true
  // That a part lies outside is an answer where nothing else is known; else the whole will show who is right.
  if (error.code === 'RANGE_INVALID') return size !== undefined
  if (error.code === 'TOOMANYREQUESTS') return false
  return error.code !== 'UPSTREAM_INVALID' || !answered
}

function asFailure(source: FillSource, error: unknown): RegistryError {
  return error instanceof RegistryError ? error : sourceFails(source.name, 'breaks off again and again', error)
}

function retryAfter(error: unknown): number {
  const seconds = error instanceof RegistryError ? Number(error.headers['Retry-After'] ?? 0) : 0
  return Number.isFinite(seconds) ? Math.max(0, seconds) * 1000 : 0
}

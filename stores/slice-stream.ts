import type { ObjectStore, SizedStream } from '../registry/object-store.ts'
import { RegistryError } from '../registry/spec/errors.ts'
import type { ByteRange } from '../registry/spec/ranges.ts'
import type { SliceReference } from './slices.ts'

/** The next slice is asked for when so little of this one is left: early enough to hide the request, late enough not to keep a connection idle. */
const PREFETCH_BELOW = 1024 * 1024
/** How often the rest of one slice is asked for again after its stream broke. */
const RETRIES = 2

/** A part of a blob from its slices, one after the other, as it is read. At most two slices are open at once. */
export function stitch(objects: ObjectStore, slices: readonly SliceReference[], range: ByteRange): ReadableStream<Uint8Array> {
  const stitcher = new Stitcher(objects, partsOf(slices, range))
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        if (stitcher.done) controller.close()
      },
      async pull(controller) {
        controller.enqueue(await stitcher.read())
        if (stitcher.done) controller.close()
      },
      cancel: (reason) => stitcher.cancel(reason),
    },
    { highWaterMark: 0 },
  )
}

interface Part extends ByteRange {
  readonly key: string
}

function partsOf(slices: readonly SliceReference[], range: ByteRange): Part[] {
  const end = range.offset + range.length
  const parts: Part[] = []
  for (const slice of slices) {
    const from = Math.max(slice.offset, range.offset)
    const to = Math.min(slice.offset + slice.length, end)
    if (from < to) parts.push({ key: slice.key, offset: from - slice.offset, length: to - from })
  }
  return parts
}

class Stitcher {
  readonly #objects: ObjectStore
  readonly #parts: readonly Part[]
  #index = 0
  /** Bytes of the current part that have been given. */
  #given = 0
  #retries = 0
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  #next: Promise<PromiseSettledResult<SizedStream>> | undefined
  #cancelled = false

  constructor(objects: ObjectStore, parts: readonly Part[]) {
    this.#objects = objects
    this.#parts = parts
  }

  get done(): boolean {
    return this.#index === this.#parts.length
  }

  async read(): Promise<Uint8Array> {
    for (;;) {
      try {
        return await this.#readOnce()
      } catch (error) {
        await this.#dropReader(error)
        if (this.#cancelled || this.#retries === RETRIES || error instanceof RegistryError) {
          await this.cancel(error)
          throw error
        }
        this.#retries++
      }
    }
  }

  async cancel(reason: unknown): Promise<void> {
    this.#cancelled = true
    await this.#dropReader(reason)
    const next = await this.#next
    this.#next = undefined
    if (next?.status === 'fulfilled') await next.value.stream.cancel(reason)
  }

  async #readOnce(): Promise<Uint8Array> {
    const part = this.#parts[this.#index]
    if (!part) throw new RangeError('read past the end')
    for (;;) {
      this.#reader ??= await this.#open(part)
      const { done, value } = await this.#reader.read()
      if (done) throw new Error('a slice ended early')
      if (value.length === 0) continue
      this.#given += value.length
      if (this.#given > part.length) throw missing()
      this.#advance(part)
      return value
    }
  }

  async #open(part: Part): Promise<ReadableStreamDefaultReader<Uint8Array>> {
    const ahead = this.#given === 0 ? this.#next : undefined
    if (ahead) this.#next = undefined
    const settled = await (ahead ?? this.#fetch(part, this.#given))
    if (settled.status === 'rejected') throw settled.reason
    if (this.#cancelled) {
      await settled.value.stream.cancel()
      throw new DOMException('The reader has gone.', 'AbortError')
    }
    return settled.value.stream.getReader()
  }

  #advance(part: Part): void {
    const left = part.length - this.#given
    const following = this.#parts[this.#index + 1]
    if (left <= PREFETCH_BELOW && following && !this.#cancelled) this.#next ??= this.#fetch(following, 0)
    if (left > 0) return
    this.#reader?.releaseLock()
    this.#reader = undefined
    this.#index++
    this.#given = 0
    this.#retries = 0
  }

  /** Never rejects, so that a slice asked for ahead may fail before anybody waits for it. */
  async #fetch(part: Part, skip: number): Promise<PromiseSettledResult<SizedStream>> {
    try {
      const body = await this.#objects.get(part.key, { offset: part.offset + skip, length: part.length - skip })
      return body ? { status: 'fulfilled', value: body } : { status: 'rejected', reason: missing() }
    } catch (reason) {
      return { status: 'rejected', reason }
    }
  }

  async #dropReader(reason: unknown): Promise<void> {
    const reader = this.#reader
    this.#reader = undefined
    // A stream that has already failed answers a cancel with that same failure, which whoever reads gets anyway.
    await reader?.cancel(reason).catch(() => undefined)
  }
}

function missing(): RegistryError {
  return new RegistryError('UNKNOWN', 'The store has lost a part of this blob.')
}

import type { DraftWriter } from '../registry/blob-store.ts'
import type { ObjectStore, SizedStream } from '../registry/object-store.ts'
import { draftErrors } from './drafts.ts'
import { wrongSize } from './sized.ts'
import { borderAfter, type SliceReference } from './slices.ts'

/** A slice is collected up to this when the total is not known, because an object store wants a length first. */
const COLLECT_LIMIT = 4 * 1024 * 1024
/** Slices up to this are collected even when the total is known: a collected one can be sent again when the store hiccups, and cut when the source breaks. */
const COLLECT_ALWAYS = 1024 * 1024

export interface SliceWriterOptions {
  readonly objects: ObjectStore
  /** What the draft consists of already; added to as slices are stored. */
  readonly slices: SliceReference[]
  readonly offset: number
  readonly expected: number | undefined
  readonly keyOf: (offset: number) => string
  readonly ended: () => void
}

/** Cuts what is written into slices and stores each. One slice at a time is under way. */
export class SliceWriter implements DraftWriter {
  readonly #options: SliceWriterOptions
  #offset: number
  #current: OpenSlice | undefined
  #failure: { readonly error: unknown } | undefined
  #open = true

  constructor(options: SliceWriterOptions) {
    this.#options = options
    this.#offset = options.offset
  }

  get readable(): number {
    return this.#offset
  }

  get slices(): readonly SliceReference[] {
    return this.#options.slices
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (!this.#open) throw draftErrors.ended()
    if (this.#failure) throw this.#failure.error
    try {
      for (let rest = chunk; rest.length > 0; ) {
        const slice = this.#current ?? this.#begin()
        this.#current = slice
        const part = rest.subarray(0, slice.room)
        rest = rest.subarray(part.length)
        await slice.write(part)
        if (slice.room === 0) await this.#finish(slice)
      }
    } catch (error) {
      this.#failure ??= { error }
      this.#current?.abort(error)
      this.#current = undefined
      throw this.#failure.error
    }
  }

  async close(): Promise<number> {
    if (!this.#open) throw draftErrors.ended()
    this.#open = false
    try {
      if (this.#failure) throw this.#failure.error
      if (this.#current?.cuttable) await this.#finish(this.#current)
      else this.#current?.abort(draftErrors.ended())
      return this.#offset
    } finally {
      this.#options.ended()
    }
  }

  async abort(): Promise<void> {
    if (!this.#open) return
    this.#open = false
    const error = draftErrors.ended()
    this.#failure ??= { error }
    this.#current?.abort(error)
    this.#options.ended()
  }

  #begin(): OpenSlice {
    const { objects, expected, keyOf } = this.#options
    const key = keyOf(this.#offset)
    const border = borderAfter(this.#offset) - this.#offset
    if (expected === undefined) return new CollectedSlice(objects, key, Math.min(border, COLLECT_LIMIT))
    if (this.#offset >= expected) throw wrongSize(expected, 'more')
    const length = Math.min(border, expected - this.#offset)
    return length <= COLLECT_ALWAYS ? new CollectedSlice(objects, key, length) : new StreamedSlice(objects, key, length)
  }

  async #finish(slice: OpenSlice): Promise<void> {
    const length = await slice.finish()
    this.#current = undefined
    this.#options.slices.push({ key: slice.key, offset: this.#offset, length })
    this.#offset += length
  }
}

interface OpenSlice {
  readonly key: string
  /** How many bytes it can still take. */
  readonly room: number
  /** Whether it can be finished before it is full. */
  readonly cuttable: boolean
  write(part: Uint8Array): Promise<void>
  /** Resolves with its length once it is stored. */
  finish(): Promise<number>
  abort(reason: unknown): void
}

class CollectedSlice implements OpenSlice {
  readonly key: string
  readonly cuttable = true
  readonly #objects: ObjectStore
  readonly #bytes: Uint8Array
  #filled = 0

  constructor(objects: ObjectStore, key: string, length: number) {
    this.key = key
    this.#objects = objects
    this.#bytes = new Uint8Array(length)
  }

  get room(): number {
    return this.#bytes.length - this.#filled
  }

  async write(part: Uint8Array): Promise<void> {
    this.#bytes.set(part, this.#filled)
    this.#filled += part.length
  }

  async finish(): Promise<number> {
    await this.#objects.put(this.key, this.#bytes.subarray(0, this.#filled))
    return this.#filled
  }

  abort(): void {}
}

/** Hands each part to the store as the store asks for it; nothing is kept here. */
class StreamedSlice implements OpenSlice {
  readonly key: string
  readonly cuttable = false
  readonly #length: number
  readonly #stored: Promise<void>
  #written = 0
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined
  #ended: { readonly error: unknown } | undefined
  #wanted = Promise.withResolvers<void>()
  #supplied = Promise.withResolvers<void>()

  constructor(objects: ObjectStore, key: string, length: number) {
    this.key = key
    this.#length = length
    this.#stored = objects.put(key, this.#body(length))
    // A store that is done before the slice is full ends the wait of whoever writes: once here, not with each part.
    this.#stored.then(
      () => this.#end(wrongSize(length, 'fewer')),
      (error: unknown) => this.#end(error),
    )
  }

  get room(): number {
    return this.#length - this.#written
  }

  async write(part: Uint8Array): Promise<void> {
    if (this.#ended) throw this.#ended.error
    await this.#wanted.promise
    this.#wanted = Promise.withResolvers<void>()
    try {
      this.#controller?.enqueue(part)
    } catch (closed) {
      // The store let go of the stream: why, it says itself.
      await this.#stored
      throw closed
    }
    this.#written += part.length
    if (this.room === 0) this.#controller?.close()
    this.#supplied.resolve()
  }

  async finish(): Promise<number> {
    await this.#stored
    return this.#length
  }

  abort(reason: unknown): void {
    this.#end(reason)
    if (this.room > 0) this.#controller?.error(reason)
  }

  #end(error: unknown): void {
    this.#ended ??= { error }
    // Whoever waits gets it; with nobody waiting it is the next one's, or nobody's.
    this.#wanted.promise.catch(() => undefined)
    this.#wanted.reject(this.#ended.error)
  }

  #body(size: number): SizedStream {
    const stream = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller
        },
        pull: () => {
          this.#supplied = Promise.withResolvers<void>()
          this.#wanted.resolve()
          return this.#supplied.promise
        },
        cancel: (reason) => {
          this.#end(reason)
          this.#supplied.resolve()
        },
      },
      { highWaterMark: 0 },
    )
    return { size, stream }
  }
}

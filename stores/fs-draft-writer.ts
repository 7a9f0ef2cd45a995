import type { FileHandle } from 'node:fs/promises'
import type { DraftWriter } from '../registry/blob-store.ts'
import type { RegistryError } from '../registry/spec/errors.ts'
import { draftErrors } from './drafts.ts'
import { diskFailure } from './file-system.ts'

/** Bytes that may wait while others are being written: with those in flight, a writer holds at most about twice this. */
const QUEUE_LIMIT = 1024 * 1024
/** IOV_MAX of Linux: more buffers than this cannot go in one call. */
const BATCH_LIMIT = 1024
/** A sync is begun in the background after each so many bytes, so that the last one, which somebody waits for, is short. */
const SYNC_EVERY = 32 * 1024 * 1024

/** Appends to a file. Chunks that come while a write is under way go together in the next one. */
export class FsDraftWriter implements DraftWriter {
  readonly #file: FileHandle
  readonly #ended: () => void
  #queue: Uint8Array[] = []
  #queued = 0
  #written: number
  #durable: number
  /** Whether the file may have bytes from before this writer that were never synced: whoever wrote them may have died or failed. */
  #unsure: boolean
  #flushing: Promise<void> | undefined
  #syncing: Promise<void> | undefined
  #taken = Promise.withResolvers<void>()
  #failure: RegistryError | undefined
  #open = true

  /** `ended` is called once, when the file is closed. */
  constructor(file: FileHandle, offset: number, ended: () => void) {
    this.#file = file
    this.#written = offset
    this.#durable = offset
    this.#unsure = offset > 0
    this.#ended = ended
  }

  get readable(): number {
    return this.#written
  }

  /** How many bytes a loss of power would leave. */
  get durable(): number {
    return this.#durable
  }

  /** @throws RegistryError UNAVAILABLE when the disk is full; what was written before stays */
  async write(chunk: Uint8Array): Promise<void> {
    this.#check()
    if (chunk.length === 0) return
    this.#queue.push(chunk)
    this.#queued += chunk.length
    this.#flushing ??= this.#flush()
    while (this.#queued >= QUEUE_LIMIT && this.#failure === undefined) await this.#taken.promise
    if (this.#failure) throw this.#failure
  }

  async close(): Promise<number> {
    this.#checkOpen()
    this.#open = false
    try {
      await this.#flushing
      await this.#syncing
      if (this.#unsure || this.#durable < this.#written) await this.#file.datasync()
      this.#durable = this.#written
    } catch (error) {
      this.#failure ??= diskFailure(error)
    } finally {
      await this.#end()
    }
    if (this.#failure) throw this.#failure
    return this.#written
  }

  async abort(): Promise<void> {
    if (!this.#open) return
    this.#open = false
    this.#queue = []
    this.#queued = 0
    await this.#flushing
    await this.#syncing
    await this.#end()
  }

  async #end(): Promise<void> {
    try {
      await this.#file.close()
    } finally {
      this.#ended()
    }
  }

  #check(): void {
    this.#checkOpen()
    if (this.#failure) throw this.#failure
  }

  #checkOpen(): void {
    if (!this.#open) throw draftErrors.ended()
  }

  /** Never rejects: a failure is kept for the next one who asks. */
  async #flush(): Promise<void> {
    try {
      while (this.#queue.length > 0) {
        const batch = this.#queue.slice(0, BATCH_LIMIT)
        this.#queue = this.#queue.slice(BATCH_LIMIT)
        for (const chunk of batch) this.#queued -= chunk.length
        this.#wake()
        await this.#writeAll(batch)
        if (this.#written - this.#durable >= SYNC_EVERY) this.#syncing ??= this.#sync()
      }
    } catch (error) {
      this.#failure ??= diskFailure(error)
      this.#queue = []
      this.#queued = 0
    } finally {
      this.#flushing = undefined
      this.#wake()
    }
  }

  async #writeAll(batch: readonly Uint8Array[]): Promise<void> {
    let rest = batch
    while (rest.length > 0) {
      const { bytesWritten } = await this.#file.writev(rest, this.#written)
      this.#written += bytesWritten
      rest = after(rest, bytesWritten)
    }
  }

  async #sync(): Promise<void> {
    const written = this.#written
    try {
      await this.#file.datasync()
      this.#durable = written
      this.#unsure = false
    } catch (error) {
      this.#failure ??= diskFailure(error)
    } finally {
      this.#syncing = undefined
    }
  }

  #wake(): void {
    this.#taken.resolve()
    this.#taken = Promise.withResolvers<void>()
  }
}

/** What is left of `chunks` when their first `count` bytes are gone. */
function after(chunks: readonly Uint8Array[], count: number): readonly Uint8Array[] {
  let gone = count
  for (const [index, chunk] of chunks.entries()) {
    if (gone < chunk.length) return [chunk.subarray(gone), ...chunks.slice(index + 1)]
    gone -= chunk.length
  }
  return []
}

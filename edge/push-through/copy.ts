import type { BlobStore, CreateHasher, Draft, DraftWriter, Hasher } from '../../registry/blob-store.ts'
import { type Clock, pause } from '../../registry/clock.ts'
import type { Log } from '../../registry/log.ts'
import type { Digest, DigestAlgorithm } from '../../registry/spec/digests.ts'
import { COPY_STALL_MS } from './limits.ts'

export interface CopyOptions {
  readonly blobs: Pick<BlobStore, 'draft'>
  readonly createHasher: CreateHasher
  readonly clock: Clock
  readonly log: Log
  readonly algorithm: DigestAlgorithm
  /** [a-z0-9-]. */
  readonly id: string
}

/** Drafts of this room begin so. */
export const COPY_PREFIX = 'push-'

/** What passes of one upload, kept as a draft. Nothing here ever throws: what cannot be kept is lost, and the push goes on. */
export class Copy {
  readonly #options: CopyOptions
  readonly #draft: Draft
  readonly #hasher: Hasher
  #writer: DraftWriter | undefined
  #size = 0
  #lost = false

  constructor(options: CopyOptions) {
    this.#options = options
    this.#draft = options.blobs.draft(`${COPY_PREFIX}${options.id}`)
    this.#hasher = options.createHasher(options.algorithm)
  }

  /** How many bytes have passed. */
  get size(): number {
    return this.#size
  }

  get lost(): boolean {
    return this.#lost
  }

  /** Takes a chunk, if this copy is still whole. */
  async take(chunk: Uint8Array): Promise<void> {
    await this.#try(async () => {
      const writer = this.#writer ?? (await this.#opened())
      if (writer === undefined) return
      const written = writer.write(chunk)
      this.#hasher.update(chunk)
      this.#size += chunk.byteLength
      await written
    })
  }

  /** undefined: this was dropped while it opened, so that nobody else closes what came of it. */
  async #opened(): Promise<DraftWriter | undefined> {
    const writer = await this.#draft.writer({ offset: this.#size })
    if (!this.#lost) {
      this.#writer = writer
      return writer
    }
    await writer.abort()
    await this.#draft.discard()
    return undefined
  }

  /** A request has ended; another may follow. */
  async rest(): Promise<void> {
    const writer = this.#writer
    this.#writer = undefined
    if (writer === undefined) return
    await this.#try(async () => {
      if ((await writer.close()) !== this.#size) throw new RangeError('not everything that passed was kept')
    })
  }

  /** Makes it a blob of the cache. false: it is none, for instance because some of it passed elsewhere. */
  async commit(digest: Digest): Promise<boolean> {
    if (this.#size === 0) await this.#try(async () => await (await this.#draft.writer({ offset: 0 })).close())
    else await this.rest()
    await this.#try(async () => {
      if (this.#hasher.digest() !== digest) throw new RangeError('what passed here is not the whole blob')
      await this.#draft.commit(digest)
    })
    return !this.#lost
  }

  async drop(): Promise<void> {
    if (this.#lost) return
    this.#lost = true
    const writer = this.#writer
    this.#writer = undefined
    try {
      await writer?.abort()
      await this.#draft.discard()
    } catch (error) {
      this.#options.log.warn({ error }, 'the rest of a copy could not be removed; the next start does it')
    }
  }

  /** Within the time that a push waits for its copy. */
  async #try(work: () => Promise<unknown>): Promise<void> {
    if (this.#lost) return
    const { clock, log } = this.#options
    const done = new AbortController()
    try {
      const working = work()
      const late = pause(clock, COPY_STALL_MS, done.signal).then(() => Promise.reject(new DOMException('the store is too slow', 'TimeoutError')))
      await Promise.race([working, late])
    } catch (error) {
      log.warn({ error }, 'what is being pushed cannot be kept here; the push goes on')
      void this.drop()
    } finally {
      done.abort()
    }
  }
}

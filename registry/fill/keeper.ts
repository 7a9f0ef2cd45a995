import { type BlobStore, type Draft, type DraftWriter, NoRoom } from '../blob-store.ts'
import type { Log } from '../log.ts'
import type { Digest } from '../spec/digests.ts'
import { RegistryError } from '../spec/errors.ts'
import type { ByteRange } from '../spec/ranges.ts'

export interface KeeperOptions {
  readonly blobs: BlobStore
  /** Of the draft. */
  readonly id: string
  readonly digest: Digest
  readonly log: Log
  /** The byte of the blob that the draft begins with. */
  readonly base?: number
}

/**
 * The storing side of a fill. A store that fails (a full disk) does not end the fill: from then on nothing more is stored, and
 * `storing` says so.
 */
export class Keeper {
  readonly #blobs: BlobStore
  readonly #draft: Draft
  readonly #id: string
  readonly #digest: Digest
  readonly #log: Log
  readonly #base: number
  #writer: DraftWriter | undefined
  #readable = 0
  #storing = true
  /** The draft is ours to drop: nobody else writes it. */
  #owned = false
  #commit: Promise<boolean> | undefined
  /** How to end what each reader holds. */
  readonly #holds = new Set<{ end: () => void }>()

  constructor({ blobs, id, digest, log, base = 0 }: KeeperOptions) {
    this.#base = base
    this.#blobs = blobs
    this.#draft = blobs.draft(id)
    this.#id = id
    this.#digest = digest
    this.#log = log
  }

  get storing(): boolean {
    return this.#storing
  }

  /** Up to which byte of the blob `read` can give it. */
  get readable(): number {
    return this.#base + (this.#writer?.readable ?? this.#readable)
  }

  /** For who reads on and on: what is stored does not make room for others until what this returns is called. */
  hold(): () => void {
    const hold = { end: this.#begin(this.#commit === undefined ? { draft: this.#id } : this.#digest) }
    this.#holds.add(hold)
    return () => {
      this.#holds.delete(hold)
      hold.end()
    }
  }

  #begin(what: Digest | { readonly draft: string }): () => void {
    return this.#blobs.hold?.(what) ?? (() => undefined)
  }

  /** How many bytes an earlier fill has left. They can be read. */
  async leftover(): Promise<number> {
    try {
      this.#readable = (await this.#draft.size()) ?? 0
      return this.#readable
    } catch (error) {
      this.#lose(error)
      return 0
    }
  }

  /** Of what an earlier fill has left, or this one has begun. undefined: there is nothing. Empty: nobody else writes. */
  async edition(): Promise<string | undefined> {
    return this.#draft.edition === undefined ? '' : await this.#draft.edition()
  }

  /** Writing begins at `offset` of the draft, which is what is there. `expected`: the draft's size in the end. */
  async begin(offset: number, expected: number): Promise<void> {
    if (!this.#storing) return
    try {
      this.#writer = await this.#draft.writer({ offset, expected })
      this.#owned = true
    } catch (error) {
      this.#lose(error)
    }
  }

  /** Writing begins at the draft's beginning, whatever an earlier fill has left. */
  async beginAnew(expected: number): Promise<void> {
    if ((await this.leftover()) > 0) await this.discardLeftover()
    await this.begin(0, expected)
  }

  /** Resolves when the store can take more. */
  async write(chunk: Uint8Array): Promise<void> {
    if (!this.#storing) return
    try {
      await this.#writer?.write(chunk)
    } catch (error) {
      this.#lose(error)
    }
  }

  async read(range: ByteRange): Promise<ReadableStream<Uint8Array>> {
    if (this.#commit === undefined) {
      try {
        return await this.#draft.read({ offset: range.offset - this.#base, length: range.length })
      } catch (error) {
        // It became a blob in the meantime, or it is the store's failure.
        if (this.#commit === undefined) {
          const blob = await this.#blobs.open(this.#digest, range)
          if (blob?.stream !== undefined) return blob.stream
          throw error
        }
      }
    }
    await this.#commit
    const body = await this.#blobs.open(this.#digest, range)
    if (body?.stream !== undefined) return body.stream
    throw new RegistryError('UNAVAILABLE', 'This blob was removed from the store while it was being read. Try again.')
  }

  /** The bytes are verified: make them the blob. false: they could not be stored. */
  commit(): Promise<boolean> {
    this.#commit = this.#finish()
    return this.#commit
  }

  /** Another process has made it the blob, of so many bytes. */
  committed(size: number): void {
    this.#readable = size - this.#base
    this.#commit = Promise.resolve(true)
    for (const hold of this.#holds) {
      const { end } = hold
      hold.end = this.#begin(this.#digest)
      end()
    }
  }

  /** Ends without the rest; what is there stays for the next fill. */
  async keep(): Promise<void> {
    if (!this.#storing) return this.discard()
    try {
      await this.#close()
    } catch (error) {
      this.#lose(error)
    }
  }

  /** Nothing of it may stay. */
  async discard(): Promise<void> {
    const writer = this.#writer
    this.#writer = undefined
    this.#readable = 0
    try {
      await writer?.abort()
      if (this.#owned) await this.#draft.discard()
    } catch (error) {
      this.#log.warn({ digest: this.#digest, error }, 'a draft could not be dropped')
      this.#lose(error)
    }
  }

  /** Drops what an earlier fill left, which turned out to be of no use. */
  async discardLeftover(): Promise<void> {
    this.#owned = true
    await this.discard()
  }

  async #finish(): Promise<boolean> {
    if (!this.#storing) return false
    try {
      await this.#close()
      await this.#draft.commit(this.#digest)
      return true
    } catch (error) {
      this.#commit = undefined
      this.#lose(error)
      return false
    }
  }

  async #close(): Promise<void> {
    const writer = this.#writer
    if (writer === undefined) return
    this.#readable = await writer.close()
    this.#writer = undefined
  }

  #lose(error: unknown): void {
    if (!this.#storing) return
    this.#storing = false
    this.#readable = this.readable - this.#base
    // A cache without room says so itself, and not for each blob.
    if (error instanceof NoRoom) this.#log.debug({ digest: this.#digest }, error.message)
    else this.#log.error({ digest: this.#digest, error }, 'a blob cannot be stored; it is passed through')
  }
}

import { constants, type Dirent } from 'node:fs'
import { dirname, join } from 'node:path'
import type { BlobStore, Draft, DraftWriter } from '../registry/blob-store.ts'
import type { BlobBody } from '../registry/registry.ts'
import { algorithmOf, type Digest, hexOf, isDigest } from '../registry/spec/digests.ts'
import type { Page, Slice } from '../registry/spec/pages.ts'
import type { ByteRange } from '../registry/spec/ranges.ts'
import { checkDraftId, draftErrors } from './drafts.ts'
import { fileStream } from './file-stream.ts'
import { diskFailure, type FileSystem, isCode, makeDirectory, nodeFileSystem, removeFile, smallest, syncDirectory } from './file-system.ts'
import { FsDraftWriter } from './fs-draft-writer.ts'
import { PiecePool } from './piece-pool.ts'

const ALGORITHMS = ['sha256', 'sha512'] as const

export interface FsBlobStoreOptions {
  readonly fs?: FileSystem
  /** Hears that a blob is being read; what it returns is called when that reader has done. */
  readonly reading?: (digest: Digest) => () => void
  /** Whose pieces are read; its own when absent. Of several stores that have one, all hold no more than one does. */
  readonly pool?: PiecePool
}

/**
 * Blobs in a folder: `blobs/<algorithm>/<two hex digits>/<hex>`, and each draft as one growing file in `drafts/`.
 * One process at a time may write a draft; any number may read.
 *
 * A commit syncs the file, renames it to its digest's name and syncs the directory, so a name under `blobs/` always has all its bytes.
 *
 * After a crash a draft is as long as its file, which may count bytes that never reached the disk (after a loss of power they may read as
 * zeros or be missing). That is safe because whoever resumes a draft reads its bytes again to hash them, and commits only what hashes right.
 */
export function fsBlobStore(directory: string, options: FsBlobStoreOptions = {}): BlobStore {
  return new FsBlobStore(directory, options)
}

class FsBlobStore implements BlobStore {
  readonly #root: string
  readonly #blobs: string
  readonly #drafts: string
  readonly #fs: FileSystem
  readonly #reading: FsBlobStoreOptions['reading']
  readonly #pool: PiecePool
  /** Directories that are known to be durable: there are about 500. */
  readonly #made = new Set<string>()
  /** Drafts that somebody writes or commits now. */
  readonly #busy = new Map<string, FsDraftWriter | 'opening' | 'committing'>()

  constructor(directory: string, { fs = nodeFileSystem, reading, pool = new PiecePool() }: FsBlobStoreOptions) {
    this.#reading = reading
    this.#pool = pool
    this.#root = directory
    this.#blobs = join(directory, 'blobs')
    this.#drafts = join(directory, 'drafts')
    this.#fs = fs
  }

  stat(digest: Digest): Promise<{ readonly size: number } | undefined> {
    return this.#size(this.#path(digest))
  }

  async open(digest: Digest, range?: ByteRange): Promise<BlobBody | undefined> {
    const opened = await this.#read(this.#path(digest), range, digest, () => this.#reading?.(digest))
    return opened && { ...opened, ...(range === undefined ? {} : { range }) }
  }

  async bytes(digest: Digest, limit: number): Promise<Uint8Array | 'larger' | undefined> {
    const path = this.#path(digest)
    const found = await this.#size(path)
    if (found === undefined || found.size > limit) return found && 'larger'
    const read = this.#reading?.(digest)
    try {
      return await this.#fs.readFile(path)
    } catch (error) {
      if (isCode(error, 'ENOENT')) return undefined
      throw diskFailure(error)
    } finally {
      read?.()
    }
  }

  async delete(digest: Digest): Promise<boolean> {
    const path = this.#path(digest)
    try {
      if (!(await removeFile(this.#fs, path))) return false
      await syncDirectory(this.#fs, dirname(path))
      return true
    } catch (error) {
      throw diskFailure(error)
    }
  }

  async list(page: Page): Promise<Slice<Digest>> {
    const wanted = page.limit + 1
    const found: Digest[] = []
    for (const algorithm of ALGORITHMS) {
      const from = page.last?.startsWith(`${algorithm}:`) ? page.last.slice(7) : ''
      if (page.last !== undefined && `${algorithm}:${'g'}` < page.last) continue
      for (let prefix = from === '' ? 0 : Number.parseInt(from.slice(0, 2), 16); prefix < 256 && found.length < wanted; prefix++) {
        const directory = join(this.#blobs, algorithm, prefix.toString(16).padStart(2, '0'))
        const names = await this.#names(directory, wanted - found.length, from)
        for (const name of names) {
          const digest = `${algorithm}:${name}`
          if (isDigest(digest)) found.push(digest)
        }
      }
    }
    return { items: found.slice(0, page.limit), more: found.length > page.limit }
  }

  draft(id: string): Draft {
    checkDraftId(id)
    const path = join(this.#drafts, id)
    return {
      size: async () => {
        const writer = this.#busy.get(id)
        if (writer instanceof FsDraftWriter) return writer.durable
        return (await this.#size(path))?.size
      },
      writer: ({ offset }) => this.#writer(id, path, offset),
      read: async (range) => {
        // What a writer has written stays as it is while he is there.
        const writer = this.#busy.get(id)
        const opened = await this.#read(path, range, writer instanceof FsDraftWriter ? writer : {})
        if (!opened) throw draftErrors.unknown()
        return opened.stream
      },
      commit: (digest) => this.#commit(id, path, digest),
      discard: async () => {
        const writer = this.#busy.get(id)
        if (writer instanceof FsDraftWriter) await writer.abort()
        try {
          return await removeFile(this.#fs, path)
        } catch (error) {
          throw diskFailure(error)
        }
      },
    }
  }

  async drafts(page: Page): Promise<Slice<string>> {
    const names = await this.#names(this.#drafts, page.limit + 1, page.last ?? '')
    return { items: names.slice(0, page.limit), more: names.length > page.limit }
  }

  async #writer(id: string, path: string, offset: number): Promise<DraftWriter> {
    this.#claim(id, 'opening')
    try {
      await this.#make(this.#drafts)
      const file = await this.#fs.open(path, constants.O_RDWR | (offset === 0 ? constants.O_CREAT : 0), 0o640)
      try {
        const { size } = await file.stat()
        if (size !== offset) throw draftErrors.outOfOrder(offset, size)
        // The name of a new draft is made durable now, so that closing is one sync and a crash never forgets a session that was told of.
        if (offset === 0) await syncDirectory(this.#fs, this.#drafts)
      } catch (error) {
        await file.close()
        throw error
      }
      const writer = new FsDraftWriter(file, offset, () => this.#busy.delete(id))
      this.#busy.set(id, writer)
      return writer
    } catch (error) {
      this.#busy.delete(id)
      if (isCode(error, 'ENOENT')) throw draftErrors.outOfOrder(offset, 0)
      throw diskFailure(error)
    }
  }

  /**
   * Renames even when the blob exists: the bytes are the same, whoever reads the old file goes on reading it, and a delete
   * at the same moment cannot take the blob away between a look and the loss of the draft.
   */
  async #commit(id: string, path: string, digest: Digest): Promise<void> {
    this.#claim(id, 'committing')
    const target = this.#path(digest)
    try {
      const file = await this.#fs.open(path, 'r')
      try {
        await file.sync()
      } finally {
        await file.close()
      }
      await this.#make(dirname(target))
      await this.#fs.rename(path, target)
      await syncDirectory(this.#fs, dirname(target))
    } catch (error) {
      throw isCode(error, 'ENOENT') ? draftErrors.unknown() : diskFailure(error)
    } finally {
      this.#busy.delete(id)
    }
  }

  #claim(id: string, state: 'opening' | 'committing'): void {
    if (this.#busy.has(id)) throw draftErrors.busy()
    this.#busy.set(id, state)
  }

  /** `key`: whatever is read by it has the same bytes. */
  async #read(
    path: string,
    range: ByteRange | undefined,
    key: unknown,
    reading?: () => (() => void) | undefined,
  ): Promise<{ size: number; stream: ReadableStream<Uint8Array> } | undefined> {
    try {
      const file = await this.#fs.open(path, 'r')
      try {
        const { size } = await file.stat()
        const part = range ?? { offset: 0, length: size }
        if (part.offset + part.length > size) throw draftErrors.outside(size)
        return { size, stream: fileStream(file, part, { pool: this.#pool, key, closed: reading?.() }) }
      } catch (error) {
        await file.close()
        throw error
      }
    } catch (error) {
      if (isCode(error, 'ENOENT')) return undefined
      throw diskFailure(error)
    }
  }

  async #size(path: string): Promise<{ readonly size: number } | undefined> {
    try {
      const { size } = await this.#fs.stat(path)
      return { size }
    } catch (error) {
      if (isCode(error, 'ENOENT')) return undefined
      throw diskFailure(error)
    }
  }

  async #names(directory: string, limit: number, after: string): Promise<string[]> {
    try {
      return await smallest(namesAfter(await this.#fs.opendir(directory), after), limit, (a, b) => (a < b ? -1 : 1))
    } catch (error) {
      if (isCode(error, 'ENOENT')) return []
      throw diskFailure(error)
    }
  }

  /** A directory that is there may have been made a moment ago, or by a process that died before it synced the name: at its first use each name is synced. */
  async #make(directory: string): Promise<void> {
    if (this.#made.has(directory)) return
    if (directory !== this.#root) await this.#make(dirname(directory))
    await makeDirectory(this.#fs, directory)
    await syncDirectory(this.#fs, dirname(directory))
    this.#made.add(directory)
  }

  #path(digest: Digest): string {
    const hex = hexOf(digest)
    return join(this.#blobs, algorithmOf(digest), hex.slice(0, 2), hex)
  }
}

async function* namesAfter(entries: AsyncIterable<Dirent>, after: string): AsyncGenerator<string> {
  for await (const entry of entries) if (entry.isFile() && entry.name > after) yield entry.name
}

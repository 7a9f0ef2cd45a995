import type { Dirent } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { ObjectEntry, ObjectStore, SizedStream } from '../registry/object-store.ts'
import type { Page, Slice } from '../registry/spec/pages.ts'
import type { ByteRange } from '../registry/spec/ranges.ts'
import { fileStream } from './file-stream.ts'
import { diskFailure, type FileSystem, isCode, makeDirectory, nodeFileSystem, removeFile, smallest, syncDirectory } from './file-system.ts'
import { PiecePool } from './piece-pool.ts'
import { exactly, partOf } from './sized.ts'

/** Marks a directory: `+` is in no key, so the key `a` and the key `a/b` can both exist. */
const DIRECTORY = '+'
/** How often a put makes its directory again when a delete at the same moment took it away for being empty. */
const ATTEMPTS = 8
/** A temporary file older than this belongs to nobody: its process died. */
const ABANDONED_MS = 24 * 60 * 60 * 1000

export interface FsObjectStoreOptions {
  readonly fs?: FileSystem
  /** Names temporary files; two processes on one folder must not make the same. */
  readonly newId?: () => string
}

/** Objects as files in a folder, each written aside, synced and renamed. */
export function fsObjectStore(directory: string, options: FsObjectStoreOptions = {}): ObjectStore {
  return new FsObjectStore(directory, options.fs ?? nodeFileSystem, options.newId ?? (() => crypto.randomUUID()))
}

class FsObjectStore implements ObjectStore {
  readonly #objects: string
  readonly #temporary: string
  readonly #fs: FileSystem
  readonly #newId: () => string
  readonly #pool = new PiecePool()
  #prepared: Promise<void> | undefined

  constructor(directory: string, fs: FileSystem, newId: () => string) {
    this.#objects = join(directory, 'objects')
    this.#temporary = join(directory, 'tmp')
    this.#fs = fs
    this.#newId = newId
  }

  async put(key: string, body: Uint8Array | SizedStream): Promise<void> {
    await this.#write(body, (temporary) => this.#place(key, (path) => this.#fs.rename(temporary, path)))
  }

  async putIfAbsent(key: string, body: Uint8Array): Promise<boolean> {
    return this.#write(body, async (temporary) => {
      try {
        await this.#place(key, (path) => this.#fs.link(temporary, path))
        return true
      } catch (error) {
        if (isCode(error, 'EEXIST')) return false
        throw error
      } finally {
        await removeFile(this.#fs, temporary)
      }
    })
  }

  async get(key: string, range?: ByteRange): Promise<SizedStream | undefined> {
    try {
      const file = await this.#fs.open(this.#path(key), 'r')
      try {
        const part = partOf((await file.stat()).size, range)
        return { size: part.length, stream: fileStream(file, part, { pool: this.#pool }) }
      } catch (error) {
        await file.close()
        throw error
      }
    } catch (error) {
      if (isCode(error, 'ENOENT')) return undefined
      throw diskFailure(error)
    }
  }

  async stat(key: string): Promise<{ readonly size: number } | undefined> {
    try {
      return { size: (await this.#fs.stat(this.#path(key))).size }
    } catch (error) {
      if (isCode(error, 'ENOENT')) return undefined
      throw diskFailure(error)
    }
  }

  async delete(keys: readonly string[]): Promise<void> {
    try {
      const directories = new Set<string>()
      for (const key of keys) {
        const path = this.#path(key)
        if (await removeFile(this.#fs, path)) directories.add(dirname(path))
      }
      for (const directory of directories) await this.#prune(directory)
    } catch (error) {
      throw diskFailure(error)
    }
  }

  async list(prefix: string, page: Page): Promise<Slice<ObjectEntry>> {
    const items: ObjectEntry[] = []
    const root = prefix.slice(0, prefix.lastIndexOf('/') + 1)
    try {
      for await (const key of this.#walk(root, prefix, page.last ?? '', page.limit + 1)) {
        if (items.length === page.limit) return { items, more: true }
        const stat = await this.stat(key)
        if (stat) items.push({ key, size: stat.size })
      }
    } catch (error) {
      throw diskFailure(error)
    }
    return { items, more: false }
  }

  /** The keys under a directory (its key ends in `/`, or is empty) that begin with `prefix` and sort after `last`, in order. */
  async *#walk(directory: string, prefix: string, last: string, limit: number): AsyncGenerator<string> {
    let from = ''
    for (;;) {
      const names = await this.#names(directory, prefix, last, from, limit)
      for (const name of names) {
        if (name.endsWith('/')) yield* this.#walk(directory + name, prefix, last, limit)
        else yield directory + name
      }
      if (names.length < limit) return
      from = names.at(-1) ?? from
    }
  }

  /** Up to `limit` names in a directory after `from`, directories with a `/` at the end, so that they sort as their keys do. */
  async #names(directory: string, prefix: string, last: string, from: string, limit: number): Promise<string[]> {
    const wanted = (name: string) => {
      const key = directory + name
      if (name <= from) return false
      if (!name.endsWith('/')) return key > last && key.startsWith(prefix)
      return (key > last || last.startsWith(key)) && (key.startsWith(prefix) || prefix.startsWith(key))
    }
    try {
      const entries = await this.#fs.opendir(join(this.#objects, this.#directories(directory)))
      return await smallest(keyNames(entries, wanted), limit, (a, b) => (a < b ? -1 : 1))
    } catch (error) {
      if (isCode(error, 'ENOENT')) return []
      throw error
    }
  }

  /** Writes a synced file aside and hands it on; whatever goes wrong, it does not stay. */
  async #write<T>(body: Uint8Array | SizedStream, then: (temporary: string) => Promise<T>): Promise<T> {
    const temporary = join(this.#temporary, this.#newId())
    try {
      const file = await this.#create(temporary, body)
      try {
        if (body instanceof Uint8Array) await file.writeFile(body)
        else for await (const chunk of exactly(body)) await writeAll(file, chunk)
        await file.sync()
      } finally {
        await file.close()
      }
      return await then(temporary)
    } catch (error) {
      await removeFile(this.#fs, temporary)
      throw diskFailure(error)
    }
  }

  async #create(temporary: string, body: Uint8Array | SizedStream): Promise<FileHandle> {
    try {
      await this.#prepare()
      return await this.#fs.open(temporary, 'wx', 0o640)
    } catch (error) {
      if (!(body instanceof Uint8Array)) await body.stream.cancel(error)
      throw error
    }
  }

  async #place(key: string, act: (path: string) => Promise<void>): Promise<void> {
    const path = this.#path(key)
    for (let attempt = 1; ; attempt++) {
      try {
        await makeDirectory(this.#fs, dirname(path))
        await act(path)
        return await syncDirectory(this.#fs, dirname(path))
      } catch (error) {
        if (attempt === ATTEMPTS || !isCode(error, 'ENOENT')) throw error
      }
    }
  }

  /** Makes removals durable, and takes away directories that became empty. */
  async #prune(directory: string): Promise<void> {
    let current = directory
    while (current !== this.#objects) {
      try {
        await this.#fs.rmdir(current)
      } catch (error) {
        if (isCode(error, 'ENOTEMPTY', 'EEXIST')) return await syncDirectory(this.#fs, current)
        if (!isCode(error, 'ENOENT')) throw error
      }
      current = dirname(current)
    }
    await syncDirectory(this.#fs, current)
  }

  #prepare(): Promise<void> {
    this.#prepared ??= this.#sweep().catch((error) => {
      this.#prepared = undefined
      throw error
    })
    return this.#prepared
  }

  /** Removes what processes that died left in the temporary folder. Ages are by the disk's own clock. */
  async #sweep(): Promise<void> {
    await makeDirectory(this.#fs, this.#objects)
    await makeDirectory(this.#fs, this.#temporary)
    const probe = join(this.#temporary, this.#newId())
    await (await this.#fs.open(probe, 'wx')).close()
    const now = (await this.#fs.stat(probe)).mtimeMs
    await removeFile(this.#fs, probe)
    for await (const entry of await this.#fs.opendir(this.#temporary)) {
      const path = join(this.#temporary, entry.name)
      try {
        if (now - (await this.#fs.stat(path)).mtimeMs > ABANDONED_MS) await removeFile(this.#fs, path)
      } catch (error) {
        if (!isCode(error, 'ENOENT')) throw error
      }
    }
  }

  #path(key: string): string {
    const slash = key.lastIndexOf('/') + 1
    return join(this.#objects, this.#directories(key.slice(0, slash)), key.slice(slash))
  }

  #directories(key: string): string {
    return key.replaceAll('/', `${DIRECTORY}/`)
  }
}

async function* keyNames(entries: AsyncIterable<Dirent>, wanted: (name: string) => boolean): AsyncGenerator<string> {
  for await (const entry of entries) {
    const name = entry.isDirectory() ? `${entry.name.slice(0, -DIRECTORY.length)}/` : entry.name
    if (wanted(name)) yield name
  }
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let done = 0; done < chunk.length; ) done += (await file.write(chunk, done)).bytesWritten
}

// What the folder adapters ask of the operating system, and how they make a name durable.

import { readFile } from 'node:fs'
import * as promises from 'node:fs/promises'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { RegistryError } from '../registry/spec/errors.ts'

/** The part of node:fs/promises that the adapters use: a test puts its own in its place, to fail or to die at any step. */
export interface FileSystem extends Pick<typeof promises, 'link' | 'mkdir' | 'open' | 'opendir' | 'rename' | 'rmdir' | 'stat' | 'unlink'> {
  /** The older of Node's two, which makes no handle: a small file takes half the time of `promises.readFile`, a third of that by a stream. */
  readFile(path: string): Promise<Uint8Array>
}

export const nodeFileSystem: FileSystem = { ...promises, readFile: promisify(readFile) }

/** Makes the names in a directory (created, renamed, removed) survive a loss of power. */
export async function syncDirectory(fs: FileSystem, directory: string): Promise<void> {
  const handle = await fs.open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Makes a directory with its parents; each new name is durable when it resolves. */
export async function makeDirectory(fs: FileSystem, directory: string): Promise<void> {
  const first = await fs.mkdir(directory, { recursive: true })
  if (first === undefined) return
  const top = dirname(first)
  for (let parent = dirname(directory); parent.length >= top.length; parent = dirname(parent)) {
    await syncDirectory(fs, parent)
    if (parent === top) return
  }
}

/** Removes a file; false when there was none. */
export async function removeFile(fs: FileSystem, path: string): Promise<boolean> {
  try {
    await fs.unlink(path)
    return true
  } catch (error) {
    if (isCode(error, 'ENOENT')) return false
    throw error
  }
}

export function isCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && codes.includes(error.code)
}

/** There is no space left: a system's error, or what `diskFailure` made of one. */
export function isFull(error: unknown): boolean {
  return isCode(error, 'ENOSPC', 'EDQUOT') || (error instanceof RegistryError && isCode(error.cause, 'ENOSPC', 'EDQUOT'))
}

/** What a client may be told when the disk refuses. The cause keeps the particulars, for the log. */
export function diskFailure(error: unknown): RegistryError {
  if (error instanceof RegistryError) return error
  if (isFull(error)) {
    return new RegistryError('UNAVAILABLE', 'There is no space left in the store; free some or add more, then try again.', undefined, {
      cause: error,
    })
  }
  if (isCode(error, 'EMFILE', 'ENFILE', 'ENOMEM')) {
    return new RegistryError('UNAVAILABLE', 'The store has too many files open at once; try again.', undefined, { cause: error })
  }
  return new RegistryError('UNKNOWN', 'The store could not read or write a file.', undefined, { cause: error })
}

/** The `limit` smallest names that a directory gives, sorted, without ever holding many more than that. */
export async function smallest<T>(entries: AsyncIterable<T>, limit: number, compare: (a: T, b: T) => number): Promise<T[]> {
  let kept: T[] = []
  for await (const entry of entries) {
    kept.push(entry)
    if (kept.length >= 2 * limit + 1024) kept = kept.sort(compare).slice(0, limit)
  }
  return kept.sort(compare).slice(0, limit)
}

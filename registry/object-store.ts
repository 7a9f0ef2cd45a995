// The port for named objects: buckets, a folder, memory. Slices of blobs and small records live on it.

import type { Page, Slice } from './spec/pages.ts'
import type { ByteRange } from './spec/ranges.ts'

/** Keys are `/`-separated path components of [A-Za-z0-9_.:@-], none of them `.` or `..`. */
export interface ObjectStore {
  /** Atomic: a reader sees the old object or the whole new one. A stream must give exactly `size` bytes, else nothing is stored and it throws. */
  put(key: string, body: Uint8Array | SizedStream): Promise<void>
  /** Stores only if the key is free; false when it was taken. */
  putIfAbsent(key: string, body: Uint8Array): Promise<boolean>
  /** `size` is what the stream gives: the range's length. @throws RegistryError RANGE_INVALID when the range lies outside the object */
  get(key: string, range?: ByteRange): Promise<SizedStream | undefined>
  stat(key: string): Promise<{ readonly size: number } | undefined>
  /** Those that do not exist are passed over. */
  delete(keys: readonly string[]): Promise<void>
  /** Keys that begin with `prefix`, in the order of their bytes, with their sizes. */
  list(prefix: string, page: Page): Promise<Slice<ObjectEntry>>
}

export interface SizedStream {
  readonly size: number
  readonly stream: ReadableStream<Uint8Array>
}

export interface ObjectEntry {
  readonly key: string
  readonly size: number
}

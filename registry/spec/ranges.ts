import { RegistryError } from './errors.ts'

/** A part of a blob: `length` bytes from `offset`. Always inside the blob it was made for. */
export interface ByteRange {
  readonly offset: number
  readonly length: number
}

/**
 * A `Range` header against a body of `size` bytes (RFC 9110, 14.2).
 * `undefined`: there is no range to honour (none asked, another unit, or several at once), so the whole is the answer.
 * @throws RegistryError RANGE_INVALID when nothing of it lies inside the body, or it runs backwards
 */
export function parseRange(header: string | undefined | null, size: number): ByteRange | undefined {
  const spec = header?.match(/^\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*$/i)
  if (!spec) return undefined
  const [, first = '', last = ''] = spec
  if (first === '' && last === '') return undefined
  if (first === '') {
    const length = Math.min(Number(last), size)
    if (length === 0) throw unsatisfiable(size)
    return { offset: size - length, length }
  }
  const offset = Number(first)
  const end = last === '' ? size - 1 : Math.min(Number(last), size - 1)
  if (!Number.isSafeInteger(offset) || offset >= size || end < offset) throw unsatisfiable(size)
  return { offset, length: end - offset + 1 }
}

/** The one range of a `Range` header that names its first and its last byte, wherever the body ends. undefined: it names something else. */
export function namedRange(header: string): ByteRange | undefined {
  const [, first, last] = header.match(/^\s*bytes\s*=\s*(\d{1,15})\s*-\s*(\d{1,15})\s*$/i) ?? []
  const [offset, end] = [Number(first), Number(last)]
  return first === undefined || end < offset ? undefined : { offset, length: end - offset + 1 }
}

export function contentRange(range: ByteRange, size: number): string {
  return `bytes ${range.offset}-${range.offset + range.length - 1}/${size}`
}

/**
 * The `Content-Range` of an upload's chunk, `<start>-<end>` with both ends included (distribution-spec, "Pushing a blob in chunks").
 * @throws RegistryError BLOB_UPLOAD_INVALID
 */
export function parseChunkRange(header: string | undefined | null): ByteRange | undefined {
  if (header === undefined || header === null) return undefined
  const match = header.match(/^\s*(?:bytes[ =])?\s*(\d{1,15})\s*-\s*(\d{1,15})\s*(?:\/(?:\d+|\*))?\s*$/)
  const offset = Number(match?.[1])
  const end = Number(match?.[2])
  if (!match || end < offset) {
    throw new RegistryError('BLOB_UPLOAD_INVALID', 'Content-Range of a chunk is <first byte>-<last byte>, for instance 0-1048575.', {
      'content-range': header.slice(0, 100),
    })
  }
  return { offset, length: end - offset + 1 }
}

function unsatisfiable(size: number): RegistryError {
  return new RegistryError('RANGE_INVALID', `The range lies outside the ${size} bytes of this blob.`, undefined, {
    headers: { 'Content-Range': `bytes */${size}` },
  })
}

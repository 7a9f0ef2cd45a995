import { Duplex } from 'node:stream'
import { constants, createZstdCompress, createZstdDecompress } from 'node:zlib'
import type { Compression } from '../registry/delta/compression.ts'

/** Fast rather than small: it runs beside a link, and what is compressed already costs next to nothing. */
const LEVEL = 1
/** Log2 of the memory that a sender may make us take for its window: 8 MiB. */
const WINDOW_LOG_MAX = 23
/** Bytes handed on at once: with Node's 16 KiB most of the time would go into handing on. */
const PIECE = 128 * 1024

/** Zstandard (RFC 8878), by Node's own zlib. */
export const zstd: Compression = {
  compress: (stream) => through(stream, createZstdCompress({ chunkSize: PIECE, params: { [constants.ZSTD_c_compressionLevel]: LEVEL } })),
  decompress: (stream) => through(stream, createZstdDecompress({ chunkSize: PIECE, params: { [constants.ZSTD_d_windowLogMax]: WINDOW_LOG_MAX } })),
}

function through(stream: ReadableStream<Uint8Array>, transform: Duplex): ReadableStream<Uint8Array> {
  return stream.pipeThrough(Duplex.toWeb(transform) as ReadableWritablePair<Uint8Array, Uint8Array>)
}

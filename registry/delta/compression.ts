/** Makes bytes fewer for the wire, and what they were again. `decompress` errors where they are no such bytes. */
export interface Compression {
  compress(stream: ReadableStream<Uint8Array>): ReadableStream<Uint8Array>
  decompress(stream: ReadableStream<Uint8Array>): ReadableStream<Uint8Array>
}

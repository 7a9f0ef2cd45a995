import { RegistryError } from '../spec/errors.ts'

/** Reads a stream by counts of bytes rather than by the pieces that it happens to come in. */
export class ByteReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>
  #rest: Uint8Array = new Uint8Array(0)

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader()
  }

  /** The next bytes as they come, at least one and at most `most`. undefined: that was all. */
  async some(most: number): Promise<Uint8Array | undefined> {
    while (this.#rest.byteLength === 0) {
      const { done, value } = await this.#reader.read()
      if (done) return undefined
      this.#rest = value
    }
    const part = this.#rest.subarray(0, most)
    this.#rest = this.#rest.subarray(part.byteLength)
    return part
  }

  /** So many bytes, together: few. undefined: the stream has ended. @throws RegistryError SIZE_INVALID when it ends within them */
  async exactly(count: number): Promise<Uint8Array | undefined> {
    const first = await this.some(count)
    if (first === undefined || first.byteLength === count) return first
    const bytes = new Uint8Array(count)
    bytes.set(first)
    for (let at = first.byteLength; at < count; ) {
      const part = await this.some(count - at)
      if (part === undefined) throw new RegistryError('SIZE_INVALID', 'The body broke off before its end.')
      bytes.set(part, at)
      at += part.byteLength
    }
    return bytes
  }

  /** Ends the reading. A stream that has failed says so once more, which tells us nothing. */
  async cancel(reason?: unknown): Promise<void> {
    await this.#reader.cancel(reason).catch(() => undefined)
  }
}

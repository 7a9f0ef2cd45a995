import type { StoredReader } from './pieces.ts'

/**
 * The memory that a reader of a byte stream brought, to be given back with bytes in it (Streams, "bring your own buffer"): where he brings the same
 * again and again, none is made for what passes.
 */
export class Room {
  readonly #request: ReadableStreamBYOBRequest
  readonly #whole: number
  readonly #offset: number
  readonly #length: number
  #memory: ArrayBuffer

  private constructor(request: ReadableStreamBYOBRequest, { buffer, byteOffset, byteLength }: ArrayBufferView<ArrayBuffer>) {
    this.#request = request
    this.#memory = buffer
    this.#whole = buffer.byteLength
    this.#offset = byteOffset
    this.#length = byteLength
  }

  /** undefined: the reader brought none. */
  static of(controller: ReadableStreamController<Uint8Array>): Room | undefined {
    const request = 'byobRequest' in controller ? controller.byobRequest : null
    return request?.view ? new Room(request, request.view) : undefined
  }

  get bytes(): Uint8Array<ArrayBuffer> {
    // A read that failed has taken it along.
    if (this.#memory.detached) this.#memory = new ArrayBuffer(this.#whole)
    return new Uint8Array(this.#memory, this.#offset, this.#length)
  }

  /** Has the store read into it. What it answers lies here. */
  async filled(read: NonNullable<StoredReader['readInto']>): ReturnType<StoredReader['read']> {
    const answer = await read(this.bytes)
    if (answer.value !== undefined) this.#memory = answer.value.buffer
    return answer
  }

  /** Gives it back with `chunk`, or as much of that as it holds. @returns how much */
  give(chunk: Uint8Array): number {
    const length = Math.min(chunk.length, this.#length)
    const filled = this.bytes.subarray(0, length)
    if (chunk.buffer !== this.#memory) filled.set(chunk.subarray(0, length))
    this.#request.respondWithNewView(filled)
    return length
  }
}

/**
 * A Response whose whole body is in memory. The platform makes a stream of every body, which costs more than all the rest of a small answer
 * (20 µs); our server takes the bytes of this one as they are. Whoever else reads it gets what any Response gives.
 */
export class WholeResponse extends Response {
  readonly whole: Uint8Array<ArrayBuffer>
  #streamed: Response | undefined

  constructor(bytes: Uint8Array<ArrayBuffer>, init: ResponseInit) {
    super(null, init)
    this.whole = bytes
  }

  /** Whether somebody has asked for the body in another way, and may have taken it. */
  get opened(): boolean {
    return this.#streamed !== undefined
  }

  override get body(): ReadableStream<Uint8Array<ArrayBuffer>> | null {
    return this.#plain().body
  }

  override get bodyUsed(): boolean {
    return this.#streamed?.bodyUsed ?? false
  }

  override arrayBuffer(): Promise<ArrayBuffer> {
    return this.#plain().arrayBuffer()
  }

  override blob(): Promise<Blob> {
    return this.#plain().blob()
  }

  override bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return this.#plain().bytes()
  }

  override clone(): Response {
    return this.#plain().clone()
  }

  override formData(): Promise<FormData> {
    return this.#plain().formData()
  }

  override json(): Promise<unknown> {
    return this.#plain().json()
  }

  override text(): Promise<string> {
    return this.#plain().text()
  }

  #plain(): Response {
    this.#streamed ??= new Response(this.whole, { status: this.status, statusText: this.statusText, headers: this.headers })
    return this.#streamed
  }
}

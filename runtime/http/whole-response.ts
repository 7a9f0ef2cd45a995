import { LightHeaders } from './light-headers.ts'

/**
 * A Response whose whole body is in memory, or that has none. The platform makes a stream of every body, which costs more than all the rest
 * of a small answer (20 µs); our server takes the bytes of this one as they are. Whoever else reads it gets what any Response gives.
 */
export class WholeResponse implements Response {
  readonly whole: Uint8Array<ArrayBuffer> | null
  readonly status: number
  readonly headers: LightHeaders
  #platform: Response | undefined

  constructor(bytes: Uint8Array<ArrayBuffer> | null, init: { readonly status: number; readonly headers: Readonly<Record<string, string>> }) {
    this.whole = bytes
    this.status = init.status
    this.headers = LightHeaders.of(init.headers)
  }

  /** Whether somebody has asked for the body in another way, and may have taken it. */
  get opened(): boolean {
    return this.#platform !== undefined
  }

  get ok(): boolean {
    return this.status >= 200 && this.status < 300
  }

  get statusText(): string {
    return ''
  }

  get redirected(): boolean {
    return false
  }

  get type(): ResponseType {
    return 'default'
  }

  get url(): string {
    return ''
  }

  get body(): ReadableStream<Uint8Array<ArrayBuffer>> | null {
    return this.whole === null ? null : this.#full().body
  }

  get bodyUsed(): boolean {
    return this.#platform?.bodyUsed ?? false
  }

  arrayBuffer(): Promise<ArrayBuffer> {
    return this.#full().arrayBuffer()
  }

  blob(): Promise<Blob> {
    return this.#full().blob()
  }

  bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return this.#full().bytes()
  }

  clone(): Response {
    return this.#full().clone()
  }

  formData(): Promise<FormData> {
    return this.#full().formData()
  }

  json(): Promise<unknown> {
    return this.#full().json()
  }

  text(): Promise<string> {
    return this.#full().text()
  }

  #full(): Response {
    this.#platform ??= new Response(this.whole, { status: this.status, headers: [...this.headers] })
    return this.#platform
  }
}
// It is one for all who ask.
Object.setPrototypeOf(WholeResponse.prototype, Response.prototype)

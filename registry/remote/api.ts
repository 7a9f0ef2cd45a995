import type { Reply } from './transport.ts'

export interface ApiRequest {
  readonly method: string
  /** Below the registry's root, or whole. */
  readonly url: string | URL
  readonly scopes: readonly string[]
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | ReadableStream<Uint8Array>
  readonly repeatable: boolean
}

/** A registry's API, as somebody who may use it. */
export interface Api {
  /** The registry's answer, after authorization. @throws RegistryError DENIED, UNAVAILABLE, UPSTREAM_INVALID */
  send(request: ApiRequest): Promise<Reply>
  /** The error that an answer means. Reads the beginning of its body. `what` completes "the registry refuses …". */
  errorOf(reply: Reply, what: string): Promise<Error>
}

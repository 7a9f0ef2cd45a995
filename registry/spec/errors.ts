/** Every code a `/v2` answer may carry, with its HTTP status (distribution-spec, "Error Codes", and the codes that clients know from Docker). */
const STATUS = {
  BLOB_UNKNOWN: 404,
  BLOB_UPLOAD_INVALID: 400,
  BLOB_UPLOAD_UNKNOWN: 404,
  DIGEST_INVALID: 400,
  MANIFEST_BLOB_UNKNOWN: 404,
  MANIFEST_INVALID: 400,
  MANIFEST_UNKNOWN: 404,
  NAME_INVALID: 400,
  NAME_UNKNOWN: 404,
  SIZE_INVALID: 400,
  TAG_INVALID: 400,
  PAGINATION_NUMBER_INVALID: 400,
  RANGE_INVALID: 416,
  UNAUTHORIZED: 401,
  DENIED: 403,
  UNSUPPORTED: 405,
  TOOMANYREQUESTS: 429,
  /** Something this registry stands on (an upstream, the origin, a store) answered wrongly. */
  UPSTREAM_INVALID: 502,
  /** Something this registry stands on does not answer now; trying again later is right. */
  UNAVAILABLE: 503,
  /** A fault of our own. Its message never carries internals. */
  UNKNOWN: 500,
} as const

export type ErrorCode = keyof typeof STATUS

export interface RegistryErrorOptions {
  /** Overrides the status that belongs to the code (413 for a SIZE_INVALID manifest, 416 for an upload out of order). */
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly cause?: unknown
}

/**
 * The one class of errors that may reach a client. The message is a sentence for a person; `detail` is for a program.
 * Neither ever holds a credential or an internal address.
 */
export class RegistryError extends Error {
  override readonly name = 'RegistryError'
  readonly code: ErrorCode
  readonly detail: unknown
  readonly status: number
  readonly headers: Readonly<Record<string, string>>

  constructor(code: ErrorCode, message: string, detail?: unknown, options: RegistryErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.detail = detail
    this.status = options.status ?? STATUS[code]
    this.headers = options.headers ?? {}
  }

  /** The body of the answer (distribution-spec, "Error Codes"). */
  toJSON(): { errors: { code: ErrorCode; message: string; detail?: unknown }[] } {
    return { errors: [{ code: this.code, message: this.message, ...(this.detail === undefined ? {} : { detail: this.detail }) }] }
  }
}

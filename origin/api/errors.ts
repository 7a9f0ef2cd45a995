import { RegistryError } from '../../registry/spec/errors.ts'

/** Harbor's codes for errors on /api/v2.0, with the HTTP status of each. */
const STATUS = {
  BAD_REQUEST: 400,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  CONFLICT: 409,
  PRECONDITION: 412,
  /** Something else still stands on it. */
  VIOLATE_FOREIGN_KEY_CONSTRAINT: 412,
  PAYLOAD_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  TOO_MANY_REQUESTS: 429,
  UNKNOWN: 500,
  /** An operation of the contract that Atoll does not have yet. */
  UNSUPPORTED: 501,
  BAD_GATEWAY: 502,
  UNAVAILABLE: 503,
} as const

export type ApiErrorCode = keyof typeof STATUS
export type ApiStatus = (typeof STATUS)[ApiErrorCode]

/** What every refusal of this API looks like. */
export interface ErrorBody {
  readonly errors: { readonly code: string; readonly message: string }[]
}

/** The one class of errors that reaches clients of /api/v2.0. The message is a sentence for a person and never holds a credential. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly code: ApiErrorCode
  readonly status: ApiStatus
  readonly headers: Readonly<Record<string, string>>

  constructor(code: ApiErrorCode, message: string, options: { readonly headers?: Readonly<Record<string, string>>; readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.status = STATUS[code]
    this.headers = options.headers ?? {}
  }

  toJSON(): ErrorBody {
    return { errors: [{ code: this.code, message: this.message }] }
  }
}

/** 400, naming the field of the body or the parameter that is wrong. */
export function badField(field: string, message: string): ApiError {
  return new ApiError('BAD_REQUEST', `${field}: ${message}`)
}

export function unauthorized(message = 'Log in first: this needs a user or a robot.'): ApiError {
  return new ApiError('UNAUTHORIZED', message)
}

/** What is missing and what is hidden are told apart by nobody who may not see it: both say this. */
export function notFound(what: string): ApiError {
  return new ApiError('NOT_FOUND', `${what} not found`)
}

const CODE_OF_STATUS: Readonly<Record<number, ApiErrorCode>> = {
  400: 'BAD_REQUEST',
  401: 'UNAUTHORIZED',
  403: 'FORBIDDEN',
  404: 'NOT_FOUND',
  405: 'METHOD_NOT_ALLOWED',
  409: 'CONFLICT',
  412: 'PRECONDITION',
  413: 'PAYLOAD_TOO_LARGE',
  415: 'UNSUPPORTED_MEDIA_TYPE',
  429: 'TOO_MANY_REQUESTS',
  502: 'BAD_GATEWAY',
  503: 'UNAVAILABLE',
}

/** Errors of the other rooms in this API's words; undefined: a fault of our own, which is nobody's business outside the log. */
export function toApiError(error: unknown): ApiError | undefined {
  if (error instanceof ApiError) return error
  if (!(error instanceof RegistryError)) return undefined
  const code = CODE_OF_STATUS[error.status]
  if (code === undefined) return undefined
  const { 'Retry-After': retryAfter } = error.headers
  return new ApiError(code, error.message, { ...(retryAfter !== undefined && { headers: { 'Retry-After': retryAfter } }), cause: error })
}

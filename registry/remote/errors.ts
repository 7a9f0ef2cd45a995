import { type ErrorCode, RegistryError } from '../spec/errors.ts'

/** What an upstream may say of what we sent; anything else it says is its own fault. */
const PASSED_ON: ReadonlySet<string> = new Set<ErrorCode>([
  'BLOB_UPLOAD_INVALID',
  'BLOB_UPLOAD_UNKNOWN',
  'DIGEST_INVALID',
  'MANIFEST_BLOB_UNKNOWN',
  'MANIFEST_INVALID',
  'NAME_INVALID',
  'NAME_UNKNOWN',
  'SIZE_INVALID',
  'TAG_INVALID',
  'RANGE_INVALID',
  'UNSUPPORTED',
])

const MESSAGE_LIMIT = 300
const RETRY_AFTER_LIMIT_S = 24 * 3600

export interface Failure {
  readonly status: number
  readonly headers: Headers
  readonly url: URL
  /** false: not the registry itself said it, but somebody to whom it redirected us: what stands there is not for our clients to read. */
  readonly direct?: boolean
  readonly now: number
}

/** An answer that is not a success, as the error our own callers see. `body` is the beginning of its text. */
export function upstreamError(answer: Failure, body: string, what: string): RegistryError {
  const { status, headers, url } = answer
  const host = url.host
  const said = firstError(body)
  const words = said.message === '' || answer.direct === false ? '' : ` It says: ${said.message}`
  const detail = { upstream: host, status, ...(said.code !== undefined && { code: said.code }) }
  if (status === 401) return new RegistryError('DENIED', `${host} does not accept our credentials for ${what}.${words}`, detail)
  // An upload that another request is still writing to: the registry says so with a code of uploads.
  if (status === 409 && isPassedOn(said.code)) return new RegistryError(said.code, `${host} refuses ${what}.${words}`, detail, { status })
  if (status === 403 || status === 409 || status === 412 || status === 451) {
    return new RegistryError('DENIED', `${host} refuses ${what} (HTTP ${status}).${words}`, detail)
  }
  if (status === 429) {
    const seconds = retryAfterSeconds(headers, answer.now)
    return new RegistryError('TOOMANYREQUESTS', `${host} limits how often it is asked.${words}`, detail, {
      headers: seconds === undefined ? {} : { 'Retry-After': String(seconds) },
    })
  }
  if (status >= 500 || status === 408) {
    const seconds = retryAfterSeconds(headers, answer.now)
    return new RegistryError('UNAVAILABLE', `${host} fails at ${what} (HTTP ${status}).${words}`, detail, {
      headers: seconds === undefined ? {} : { 'Retry-After': String(seconds) },
    })
  }
  if (isPassedOn(said.code)) return new RegistryError(said.code, `${host} refuses ${what}.${words}`, detail, { status })
  if (status === 405) return new RegistryError('UNSUPPORTED', `${host} does not support ${what}.${words}`, detail)
  if (status === 413) return new RegistryError('SIZE_INVALID', `${host} finds it too large: ${what}.${words}`, detail, { status })
  if (status === 416) return new RegistryError('RANGE_INVALID', `${host} has not that range: ${what}.${words}`, detail)
  return new RegistryError('UPSTREAM_INVALID', `${host} answers ${what} with HTTP ${status}.${words}`, detail)
}

export function upstreamInvalid(url: URL, message: string, cause?: unknown): RegistryError {
  return new RegistryError('UPSTREAM_INVALID', `${url.host} ${message}`, { upstream: url.host }, cause === undefined ? {} : { cause })
}

/** A request that got no answer. The reason comes from the network's error code, which names no secret. */
export function unreachable(url: URL, cause: unknown): RegistryError {
  const reason = cause instanceof TimedOut ? cause.message : `cannot be reached${networkReason(cause)}`
  return new RegistryError('UNAVAILABLE', `${url.host} ${reason}.`, { upstream: url.host }, { cause })
}

/** Why our own clock ended a request. */
export class TimedOut extends Error {
  override readonly name = 'TimedOut'
}

/** `Retry-After` in whole seconds from now (RFC 9110, 10.2.3), at most a day. */
export function retryAfterSeconds(headers: Headers, now: number): number | undefined {
  const text = headers.get('retry-after')?.trim()
  if (!text) return undefined
  const seconds = /^\d+$/.test(text) ? Number(text) : Math.ceil((Date.parse(text) - now) / 1000)
  return Number.isNaN(seconds) ? undefined : Math.min(Math.max(seconds, 0), RETRY_AFTER_LIMIT_S)
}

function networkReason(error: unknown): string {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth++) {
    const code = 'code' in cause ? cause.code : undefined
    if (typeof code === 'string' && /^[A-Z][A-Z0-9_]{2,60}$/.test(code)) return ` (${code})`
  }
  return ''
}

/** What an answer's body says first of what went wrong (distribution-spec, "Error Codes"), fit to be shown. */
export function firstError(body: string): { code?: string; message: string } {
  let document: unknown
  try {
    document = JSON.parse(body)
  } catch {
    return { message: '' }
  }
  const errors = isObject(document) && Array.isArray(document.errors) ? document.errors : []
  const first: unknown = errors[0]
  if (!isObject(first)) return { message: '' }
  const code = typeof first.code === 'string' && /^[A-Z_]{1,40}$/.test(first.code) ? first.code : undefined
  return { ...(code !== undefined && { code }), message: typeof first.message === 'string' ? presentable(first.message) : '' }
}

/** What a stranger wrote, fit for a log and for our own clients: one line, short, and without anything that looks like a credential. */
function presentable(text: string): string {
  return text
    .replace(/\p{Cc}+/gu, ' ')
    .replace(/\b(?:bearer|basic)\s+\S+/gi, '…')
    .replace(/(?<!sha(?:256|512):)(?<![A-Za-z0-9])(?!sha(?:256|512):)[A-Za-z0-9_\-+/=.]{60,}/g, '…')
    .slice(0, MESSAGE_LIMIT)
    .trim()
}

function isPassedOn(code: string | undefined): code is ErrorCode {
  return code !== undefined && PASSED_ON.has(code)
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

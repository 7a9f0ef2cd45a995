import { type ErrorCode, RegistryError } from '../../registry/spec/errors.ts'
import { RETRY_AFTER_S } from '../limits.ts'
import type { Env } from './env.ts'

/** A header that isolates and objects set: which bucket is to be filled. */
export const BUCKET_HEADER = 'X-Atoll-Bucket'
/** A header that says: no client wants this yet, so it is no hit and no miss. */
export const AHEAD_HEADER = 'X-Atoll-Ahead'
/** Where requests to objects seem to go. It means nothing outside this Worker, and no answer to a client names it. */
export const OBJECT_HOST = 'edge.internal'

export interface Asked {
  readonly env: Pick<Env, 'FILL'>
  readonly bucket: string
  /** `blob <digest>` or `repository <name>`: one object does it for the whole region. */
  readonly what: string
  /** No client wants it yet. */
  readonly ahead?: boolean
}

const BY_STATUS: ReadonlyMap<number, ErrorCode> = new Map([
  [403, 'DENIED'],
  [416, 'RANGE_INVALID'],
  [429, 'TOOMANYREQUESTS'],
  [502, 'UPSTREAM_INVALID'],
  [503, 'UNAVAILABLE'],
])
const PASSED_ON = ['Retry-After', 'Content-Range']

/** Asks the object that does the fetching. @throws RegistryError what it refuses, in its own words; that something is not there is an answer */
export async function askObject({ env, bucket, what, ahead }: Asked, url: URL, init: RequestInit): Promise<Response> {
  const headers = new Headers(init.headers)
  headers.set(BUCKET_HEADER, bucket)
  if (ahead) headers.set(AHEAD_HEADER, '1')
  const response = await reached(env.FILL.get(env.FILL.idFromName(`${bucket} ${what}`)).fetch(url, { ...init, headers }))
  if (response.status < 400 || response.status === 404) return response
  throw await refusal(response)
}

async function reached(answer: Promise<Response>): Promise<Response> {
  try {
    return await answer
  } catch (cause) {
    // Whoever waits has left, or waits no longer: that is for him to say.
    if (cause instanceof Error && (cause.name === 'AbortError' || cause.name === 'TimeoutError')) throw cause
    throw new RegistryError('UNAVAILABLE', 'A part of this edge does not answer now. Try again.', undefined, {
      cause,
      headers: { 'Retry-After': String(RETRY_AFTER_S) },
    })
  }
}

async function refusal(response: Response): Promise<RegistryError> {
  const { status } = response
  const {
    code = BY_STATUS.get(status) ?? 'UNAVAILABLE',
    message = 'The source could not give this. Ask with GET to hear why.',
    detail,
  } = await said(response)
  const headers = Object.fromEntries(PASSED_ON.flatMap((name) => [[name, response.headers.get(name)] as const]).filter(hasValue))
  return new RegistryError(code, message, detail, { status, headers })
}

/** Our own envelope; an answer to HEAD has none. */
async function said(response: Response): Promise<{ readonly code?: ErrorCode; readonly message?: string; readonly detail?: unknown }> {
  const text = await response.text()
  if (text === '' || !response.headers.get('Content-Type')?.startsWith('application/json')) return {}
  try {
    const { errors } = JSON.parse(text) as ReturnType<RegistryError['toJSON']>
    return errors[0] ?? {}
  } catch {
    // Not ours: cut off, or of the platform itself. The status says enough.
    return {}
  }
}

function hasValue(entry: readonly [string, string | null]): entry is readonly [string, string] {
  return entry[1] !== null
}

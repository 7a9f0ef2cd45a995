import type { Clock } from '../../registry/clock.ts'
import type { Log } from '../../registry/log.ts'
import type { Fetch } from '../../registry/remote/index.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import type { Heard } from '../mesh.ts'
import { Patience } from '../patience.ts'
import { PUSH_ANSWER_MS, PUSH_AWAY_MS, PUSH_RETRY_AFTER_S, PUSH_STALL_MS } from './limits.ts'

export interface ForwardOptions {
  readonly origin: URL
  readonly fetch: Fetch
  readonly mesh: Heard
  readonly clock: Clock
  readonly log: Log
}

export interface Forwarded {
  readonly request: Request
  /** Instead of the request's own body. */
  readonly bytes?: Uint8Array<ArrayBuffer>
  /** Sent besides. */
  readonly headers?: Readonly<Record<string, string>>
  /** The body goes as it is, for runtimes that know its length by the stream: then nobody sees its chunks. */
  readonly untouched?: boolean
  /** Sees each chunk before it goes on; it is waited for, and never throws. */
  readonly onChunk?: (chunk: Uint8Array) => Promise<void>
}

const REQUEST_HEADERS = ['authorization', 'content-type', 'content-length', 'content-range', 'x-request-id']
const ANSWER_HEADERS = [
  'content-type',
  'content-length',
  'docker-content-digest',
  'docker-distribution-api-version',
  'docker-upload-uuid',
  'location',
  'oci-chunk-min-length',
  'oci-subject',
  'oci-tag',
  'range',
  'retry-after',
  'warning',
]

const STREAMED = { duplex: 'half' } as const

/**
 * For a body that is a stream: fetch keeps no second copy of it for a redirect or another login, which it would have to hold in memory
 * (Fetch, "HTTP-network-or-cache fetch", 8.2). An origin that redirects a push is refused so.
 */
const UNCLONED = { ...STREAMED, redirect: 'error', window: null } as const

/**
 * The same request at the origin, with the client's own token, and the origin's answer.
 * @throws RegistryError UNAVAILABLE when there is none, and soon when the origin is not heard any more; the request's reason when its client left
 */
export async function forward({ request, bytes, onChunk, ...how }: Forwarded, { origin, fetch, ...options }: ForwardOptions): Promise<Response> {
  const { pathname, search } = new URL(request.url)
  const url = new URL(origin)
  url.pathname = origin.pathname.replace(/\/$/, '') + pathname
  url.search = search
  const headers = pick(request.headers, REQUEST_HEADERS)
  for (const [name, value] of Object.entries(how.headers ?? {})) headers.set(name, value)
  const watch = new Watch(options)
  const source = request.body
  const empty = source === null || headers.get('content-length') === '0'
  const body = bytes ?? (empty ? null : how.untouched ? source : passing(source, watch, onChunk))
  if (body === null) headers.set('content-length', '0')
  try {
    watch.wait(body instanceof ReadableStream && !how.untouched ? PUSH_STALL_MS : PUSH_ANSWER_MS)
    const signal = AbortSignal.any([request.signal, watch.signal])
    const init = {
      method: request.method,
      headers,
      body,
      signal,
      ...(body instanceof ReadableStream && (how.untouched ? STREAMED : UNCLONED)),
    }
    const answer = await fetch(url, { redirect: 'manual', ...init })
    return new Response(answer.body, { status: answer.status, headers: answered(answer.headers, url) })
  } catch (cause) {
    request.signal.throwIfAborted()
    if (watch.broken !== undefined) throw brokenOff(watch.broken.error)
    throw originAway(cause)
  } finally {
    watch.end()
  }
}

/** Whether what a request was to delete is not there any more, by that request or an earlier one. */
export function isGone({ ok, status }: Response): boolean {
  return ok || status === 404
}

/** What a push gets while the origin is away. */
export function originAway(cause?: unknown): RegistryError {
  return new RegistryError(
    'UNAVAILABLE',
    'The origin of this edge cannot be reached, and a push is only done when the origin has it. Nothing was accepted: push again in a moment. Pulls go on.',
    undefined,
    { cause, headers: { 'Retry-After': String(PUSH_RETRY_AFTER_S) } },
  )
}

function brokenOff(cause: unknown): RegistryError {
  return new RegistryError('BLOB_UPLOAD_INVALID', 'The body broke off before its end.', undefined, { cause })
}

/** Ends an exchange that does not move. */
class Watch {
  /** Why the client's body ended early. */
  broken: { readonly error: unknown } | undefined
  /** Aborted when it does. */
  readonly signal: AbortSignal
  readonly #clock: Clock
  readonly #late = new AbortController()
  readonly #patience: Patience
  #stop = () => {}
  #ended = false

  constructor(options: Omit<ForwardOptions, 'origin' | 'fetch'>) {
    this.#clock = options.clock
    this.#patience = new Patience({ ...options, ms: PUSH_AWAY_MS })
    this.signal = AbortSignal.any([this.#late.signal, this.#patience.signal])
  }

  /** Something moved: the next has so long. */
  wait(ms: number): void {
    this.#stop()
    this.#patience.moved()
    // A chunk may still come out of a body that nobody waits for any more.
    if (this.#ended) return
    this.#stop = this.#clock.after(ms, () => this.#late.abort(new DOMException('The push does not move.', 'TimeoutError')))
  }

  end(): void {
    this.#ended = true
    this.#stop()
    this.#patience.end()
  }
}

/** The same bytes, one chunk at a time: who reads it sets the pace. */
function passing(body: ReadableStream<Uint8Array>, watch: Watch, onChunk: Forwarded['onChunk']): ReadableStream<Uint8Array> {
  const reader = body.getReader()
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        let next: ReadableStreamReadResult<Uint8Array>
        try {
          next = await reader.read()
        } catch (error) {
          watch.broken = { error }
          throw error
        }
        if (next.done) {
          watch.wait(PUSH_ANSWER_MS)
          controller.close()
          return
        }
        await onChunk?.(next.value)
        watch.wait(PUSH_STALL_MS)
        controller.enqueue(next.value)
      },
      async cancel(reason) {
        await reader.cancel(reason)
      },
    },
    { highWaterMark: 0 },
  )
}

function pick(from: Headers, names: readonly string[]): Headers {
  const picked = new Headers()
  for (const name of names) {
    const value = from.get(name)
    if (value !== null) picked.set(name, value)
  }
  return picked
}

/** The origin's own address stays behind: paths are the same here and there. */
function answered(from: Headers, url: URL): Headers {
  const headers = pick(from, ANSWER_HEADERS)
  const location = URL.parse(from.get('location') ?? '', url)
  if (from.has('location') && location?.origin === url.origin) headers.set('location', location.pathname + location.search)
  return headers
}

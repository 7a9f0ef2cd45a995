import { type Clock, pause, steady } from '../clock.ts'
import { Deadline } from '../deadline.ts'
import { emptyStream } from '../empty-stream.ts'
import { RegistryError } from '../spec/errors.ts'
import { retryAfterSeconds, TimedOut, unreachable, upstreamInvalid } from './errors.ts'
import type { RemoteLimits } from './limits.ts'
import { isLinkLocal } from './link-local.ts'

export type Fetch = (input: URL, init: RequestInit & { duplex?: 'half' }) => Promise<Response>

export interface Request {
  readonly method: string
  readonly url: URL
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | ReadableStream<Uint8Array>
  /** May be sent again when it failed. Never so with a stream. */
  readonly repeatable: boolean
  /** What proves who we are. It is asked for each hop on the first URL's origin, and what it gives goes nowhere else. */
  readonly authorize?: (method: string, url: URL) => Promise<Readonly<Record<string, string>>>
  readonly signal?: AbortSignal | undefined
  readonly onWait?: OnWait | undefined
}

/** Told before a request is sent again: what it was answered with (undefined: nothing came), and how long is waited, in milliseconds. */
export type OnWait = (wait: { readonly url: URL; readonly status: number | undefined; readonly ms: number }) => void

/** An answer. Its body must be read to its end, cancelled, or discarded. */
export interface Reply {
  readonly status: number
  readonly headers: Headers
  /** Where it came from, after redirects. */
  readonly url: URL
  /** It came from where the request was sent, not from where it was redirected to. */
  readonly direct: boolean
  readonly body: ReadableStream<Uint8Array>
  /** In place of `body`: as the fetch gave it, without a deadline between its chunks, so that no chunk need pass through here. */
  unguarded(): ReadableStream<Uint8Array>
  discard(): Promise<void>
}

export interface TransportOptions {
  readonly fetch: Fetch
  readonly clock: Clock
  readonly limits: RemoteLimits
  /** In [0, 1). */
  readonly random: () => number
  /** Sees each answer of the registry itself. */
  readonly onReply?: (reply: Reply) => void
}

/**
 * How a body that is a stream goes out. By default a fetch keeps a second copy of it, for a redirect or another login that could not use
 * it, and would so hold all of a layer in memory (Fetch, "HTTP-network-or-cache fetch", 8.2); with these two it does not. A fetch that knows
 * no `redirect: 'error'`, as a Worker's, keeps no copy to begin with.
 */
const STREAMED = { duplex: 'half' } as const
const UNCLONED = { ...STREAMED, redirect: 'error', window: null } as const

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

/** Sends requests: with deadlines, retries and redirects, knowing nothing of registries. */
export class Transport {
  readonly limits: RemoteLimits
  readonly clock: Clock
  readonly #fetch: Fetch
  readonly #random: () => number
  readonly #onReply: ((reply: Reply) => void) | undefined

  constructor({ fetch, clock, limits, random, onReply }: TransportOptions) {
    this.#fetch = fetch
    this.clock = clock
    this.limits = limits
    this.#random = random
    this.#onReply = onReply
  }

  /**
   * The final answer, whatever its status.
   * @throws RegistryError UNAVAILABLE when none came, UPSTREAM_INVALID on redirects that must not be followed; the signal's reason
   */
  async send(request: Request): Promise<Reply> {
    const { clock, limits } = this
    const repeatable = request.repeatable && !(request.body instanceof ReadableStream)
    const started = steady(clock)
    for (let attempt = 1; ; attempt++) {
      const last = !repeatable || attempt >= limits.attempts
      let wait = limits.backoffMs * 2 ** (attempt - 1) * this.#random()
      let status: number | undefined
      try {
        const reply = await this.#follow(request)
        status = reply.status
        if (last || !isTransient(reply.status)) return reply
        const asked = retryAfterSeconds(reply.headers, clock.now())
        if (asked !== undefined) wait = asked * 1000
        else if (reply.status === 429) wait = Math.max(wait, limits.limitedMs)
        if (steady(clock) - started + wait > limits.retryWindowMs) return reply
        await reply.discard()
      } catch (error) {
        const transient = error instanceof RegistryError && error.code === 'UNAVAILABLE'
        if (last || !transient || steady(clock) - started + wait > limits.retryWindowMs) throw error
      }
      request.onWait?.({ url: request.url, status, ms: wait })
      await pause(clock, wait, request.signal)
    }
  }

  async #follow(request: Request): Promise<Reply> {
    const { origin } = request.url
    let { url, method } = request
    let direct = true
    for (let hops = 0; ; hops++) {
      // Once away, we do not come back with credentials: whoever sent us back chose what we would ask.
      direct &&= url.origin === origin
      const credentials = direct && request.authorize ? await request.authorize(method, url) : {}
      const reply = await this.#exchange(request, method, url, direct, credentials)
      if (direct) this.#onReply?.(reply)
      const location = reply.headers.get('location')
      if (!REDIRECTS.has(reply.status) || location === null) return reply
      await reply.discard()
      if (hops >= this.limits.redirects) throw upstreamInvalid(request.url, `redirects more than ${this.limits.redirects} times.`)
      if (method !== 'GET' && method !== 'HEAD') throw notFollowed(request.url, method)
      url = redirectTarget(url, location)
    }
  }

  async #exchange(request: Request, method: string, url: URL, direct: boolean, credentials: Readonly<Record<string, string>>): Promise<Reply> {
    const watch = new Watch(this.clock, request.signal)
    const { firstByteMs, stallMs } = this.limits
    try {
      watch.arm(firstByteMs, 'did not answer in time')
      const { body } = request
      const response = await this.#fetch(url, {
        method,
        headers: { 'Accept-Encoding': 'identity', ...request.headers, ...credentials },
        redirect: 'manual',
        signal: watch.signal,
        ...(body instanceof ReadableStream
          ? { body: watched(body, watch, { stallMs, afterwardsMs: firstByteMs }), ...(canRefuseRedirects() ? UNCLONED : STREAMED) }
          : body !== undefined && { body: new Uint8Array(body) }),
      })
      watch.disarm()
      if (response.body === null) watch.end()
      const stream = guarded(response, watch, url, stallMs)
      return {
        status: response.status,
        headers: response.headers,
        url,
        direct,
        body: stream,
        unguarded: () => {
          watch.disarm()
          return response.body ?? emptyStream()
        },
        discard: () => stream.cancel(),
      }
    } catch (error) {
      watch.end()
      if (isRefusedRedirect(error)) throw notFollowed(request.url, method)
      throw watch.verdict(url, error)
    }
  }
}

/** The one AbortSignal of an exchange: the caller's, or our deadline's. */
class Watch {
  readonly #controller = new AbortController()
  readonly #outer: AbortSignal | undefined
  readonly #onAbort = () => this.#controller.abort(this.#outer?.reason)
  readonly #deadline: Deadline<string>

  constructor(clock: Clock, outer: AbortSignal | undefined) {
    this.#deadline = new Deadline(clock, (message) => this.#controller.abort(new TimedOut(message)))
    this.#outer = outer
    outer?.throwIfAborted()
    outer?.addEventListener('abort', this.#onAbort, { once: true })
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  arm(ms: number, message: string): void {
    this.#deadline.set(ms, message)
  }

  disarm(): void {
    this.#deadline.lift()
  }

  end(): void {
    this.#deadline.end()
    this.#outer?.removeEventListener('abort', this.#onAbort)
  }

  /** What to throw for an exchange that failed: the caller's own reason, or that the upstream is not there. */
  verdict(url: URL, error: unknown): unknown {
    if (this.#outer?.aborted) return this.#outer.reason
    const { reason } = this.signal
    return error instanceof RegistryError ? error : unreachable(url, reason instanceof TimedOut ? reason : error)
  }
}

/**
 * The body of an answer, which fails when nothing comes for `stallMs`. It holds on to the answer itself: in Node, the body of an answer that was
 * collected before anybody began to read it ends, as if it were empty.
 */
function guarded(response: Response, watch: Watch, url: URL, stallMs: number): ReadableStream<Uint8Array> {
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  let ended = false
  const end = () => {
    ended = true
    watch.end()
  }
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        // A fetch need not end its body with its signal; a reader of ours must not wait for that.
        watch.signal.addEventListener(
          'abort',
          () => {
            if (ended) return
            end()
            controller.error(watch.verdict(url, watch.signal.reason))
            reader?.cancel(watch.signal.reason).catch(() => undefined)
          },
          { once: true },
        )
      },
      async pull(controller) {
        watch.arm(stallMs, 'stopped sending')
        try {
          reader ??= (response.body ?? emptyStream()).getReader()
          const { done, value } = await reader.read()
          if (ended) return
          watch.disarm()
          if (!done) return controller.enqueue(value)
          end()
          controller.close()
        } catch (error) {
          if (ended) return
          end()
          controller.error(watch.verdict(url, error))
        }
      },
      cancel(reason) {
        end()
        return reader === undefined ? response.body?.cancel(reason) : reader.cancel(reason)
      },
    },
    { highWaterMark: 0 },
  )
}

/** The body of a request: while it moves, the deadline is that of a stall. */
function watched(body: ReadableStream<Uint8Array>, watch: Watch, { stallMs, afterwardsMs }: { stallMs: number; afterwardsMs: number }) {
  return body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        watch.arm(stallMs, 'stopped taking what we send')
        controller.enqueue(chunk)
      },
      flush() {
        watch.arm(afterwardsMs, 'did not answer in time')
      },
    }),
  )
}

function canRefuseRedirects(): boolean {
  try {
    return new Request('http://localhost', { redirect: 'error' }).redirect === 'error'
  } catch {
    return false
  }
}

/** The standard gives a refused redirect no mark of its own: Node's words tell it from a host that is not there. */
function isRefusedRedirect(error: unknown): boolean {
  return error instanceof TypeError && error.cause instanceof Error && error.cause.message === 'unexpected redirect'
}

function notFollowed(url: URL, method: string): RegistryError {
  return upstreamInvalid(url, `redirects a ${method}, which is not followed.`)
}

function redirectTarget(from: URL, location: string): URL {
  const target = URL.parse(location, from)
  if (target === null || (target.protocol !== 'https:' && target.protocol !== 'http:'))
    throw upstreamInvalid(from, 'redirects to what is no address.')
  if (from.protocol === 'https:' && target.protocol === 'http:') throw upstreamInvalid(from, 'redirects from https to http, which is not followed.')
  if (target.username !== '' || target.password !== '') throw upstreamInvalid(from, 'redirects to an address with a password in it.')
  // An upstream that is there itself is one that an administrator has named so.
  if (isLinkLocal(target.hostname) && !isLinkLocal(from.hostname))
    throw upstreamInvalid(from, 'redirects to a link-local address, which is not followed.')
  return target
}

function isTransient(status: number): boolean {
  return status === 429 || status === 408 || (status >= 500 && status !== 501 && status !== 505)
}

import { createHash } from 'node:crypto'
import { AwsV4Signer } from 'aws4fetch'
import { type Clock, pause, steady } from '../../registry/clock.ts'
import type { SizedStream } from '../../registry/object-store.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import { guard } from '../sized.ts'
import { framed, framedHeaders } from './framing.ts'
import { ANSWER_MS, ATTEMPTS, BACKOFF_LIMIT_MS, BACKOFF_MS, READ_ANSWER_MS, READ_TOTAL_MS, STALL_MS, TOTAL_MS } from './limits.ts'
import { errorCode } from './xml.ts'

export interface S3ClientOptions {
  /** For instance https://s3.eu-central-1.amazonaws.com, http://minio:9000, https://<account>.r2.cloudflarestorage.com. Buckets are addressed by path. */
  readonly endpoint: string
  readonly bucket: string
  /** `auto` for R2, `us-east-1` for most that have none. */
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
  readonly fetch: typeof fetch
  readonly clock: Clock
  /** Between 0 and 1: spreads new tries. */
  readonly random: () => number
  /** Ends everything that is under way. */
  readonly signal?: AbortSignal
}

export interface S3Request {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE'
  readonly key?: string
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array<ArrayBuffer> | SizedStream
  /** Statuses that are an answer, not a failure. */
  readonly accept: readonly number[]
}

export interface S3Answer {
  readonly response: Response
  /** A try before this one may have taken effect without our hearing of it. */
  readonly repeated: boolean
}

const RETRYABLE = new Set([429, 500, 502, 503, 504])

/** Signs requests and sends them, again where that can help. A streamed body goes once: nobody has its bytes any more. */
export class S3Client {
  readonly #options: S3ClientOptions
  readonly #base: string
  readonly #keys = new Map<string, ArrayBuffer>()

  constructor(options: S3ClientOptions) {
    this.#options = options
    this.#base = `${options.endpoint.replace(/\/+$/, '')}/${options.bucket}`
  }

  /** @throws RegistryError UNAVAILABLE when the store fails or does not answer, UNKNOWN when it refuses; whatever a streamed body failed with */
  async send(request: S3Request): Promise<S3Answer> {
    const { clock, random } = this.#options
    const until = steady(clock) + (reads(request) ? READ_TOTAL_MS : TOTAL_MS)
    for (let attempt = 1; ; attempt++) {
      const outcome = await this.#attempt(request)
      if (outcome instanceof Response) return { response: outcome, repeated: attempt > 1 }
      const wait = random() * Math.min(BACKOFF_LIMIT_MS, BACKOFF_MS * 2 ** (attempt - 1))
      const streamed = request.body !== undefined && !(request.body instanceof Uint8Array)
      if (!outcome.retryable || streamed || attempt === ATTEMPTS || steady(clock) + wait > until) throw outcome.error
      await pause(clock, wait, this.#options.signal)
    }
  }

  async #attempt(request: S3Request): Promise<Response | { readonly error: unknown; readonly retryable: boolean }> {
    const { body } = request
    const deadline = new Deadline(this.#options.clock, this.#options.signal)
    // While a body flows its own pieces are timed, so that a large one on a slow link is not cut.
    const guarded =
      body === undefined || body instanceof Uint8Array ? undefined : guard(body, (event) => deadline.set(event === 'given' ? STALL_MS : undefined))
    deadline.set(guarded ? STALL_MS : reads(request) ? READ_ANSWER_MS : ANSWER_MS)
    try {
      const response = await this.#fetch(request, guarded ? framed(guarded) : body instanceof Uint8Array ? body : undefined, deadline.signal)
      if (request.accept.includes(response.status)) return timed(response, deadline)
      const code = errorCode(await response.text())
      deadline.end()
      return refused(request, response.status, code)
    } catch (cause) {
      deadline.end()
      this.#options.signal?.throwIfAborted()
      if (guarded?.failure()) return { error: guarded.failure()?.error, retryable: false }
      return { error: unavailable(cause), retryable: true }
    }
  }

  async #fetch(request: S3Request, body: Uint8Array<ArrayBuffer> | SizedStream | undefined, signal: AbortSignal): Promise<Response> {
    const { accessKeyId, secretAccessKey, sessionToken, region, clock } = this.#options
    const url = new URL(this.#base + (request.key === undefined ? '' : `/${request.key}`))
    for (const [name, value] of Object.entries(request.query ?? {})) url.searchParams.set(name, value)
    const streamed = request.body !== undefined && !(request.body instanceof Uint8Array) ? request.body : undefined
    const bytes = body instanceof Uint8Array ? body : new Uint8Array(0)
    const signer = new AwsV4Signer({
      method: request.method,
      url: url.href,
      headers: {
        ...request.headers,
        ...(streamed ? framedHeaders(streamed.size) : { 'X-Amz-Content-Sha256': createHash('sha256').update(bytes).digest('hex') }),
      },
      accessKeyId,
      secretAccessKey,
      ...(sessionToken === undefined ? {} : { sessionToken }),
      service: 's3',
      region,
      cache: this.#keys,
      datetime: new Date(clock.now()).toISOString().replace(/[:-]|\.\d{3}/g, ''),
    })
    const { url: signed, headers } = await signer.sign()
    this.#forgetOldKeys()
    // Not signed: fetch adds to it by itself when there is a range.
    headers.set('Accept-Encoding', 'identity')
    if (body !== undefined) headers.set('Content-Length', String(body instanceof Uint8Array ? body.length : body.size))
    return this.#options.fetch(signed, {
      method: request.method,
      headers,
      redirect: 'manual',
      signal,
      ...(body === undefined ? {} : { body: body instanceof Uint8Array ? body : body.stream, duplex: 'half' }),
    } satisfies RequestInit & { duplex?: 'half' })
  }

  /** The signing key changes with the day. */
  #forgetOldKeys(): void {
    for (const key of this.#keys.keys()) if (this.#keys.size > 1) this.#keys.delete(key)
  }
}

/** Aborts its signal when the wait that was last set is over. */
class Deadline {
  readonly #clock: Clock
  readonly #controller = new AbortController()
  readonly signal: AbortSignal
  #stop: (() => void) | undefined

  constructor(clock: Clock, signal: AbortSignal | undefined) {
    this.#clock = clock
    this.signal = signal ? AbortSignal.any([signal, this.#controller.signal]) : this.#controller.signal
  }

  set(ms: number | undefined): void {
    this.#stop?.()
    this.#stop =
      ms === undefined
        ? undefined
        : this.#clock.after(ms, () => this.#controller.abort(new DOMException('The object store took too long.', 'TimeoutError')))
  }

  end(): void {
    this.set(undefined)
  }
}

/** The answer with its body under the deadline for pieces: it runs only while somebody waits for one. */
function timed(response: Response, deadline: Deadline): Response {
  deadline.end()
  if (!response.body) return response
  const reader = response.body.getReader()
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        deadline.set(STALL_MS)
        try {
          const { done, value } = await reader.read()
          if (done) controller.close()
          else controller.enqueue(value)
        } finally {
          deadline.end()
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  )
  return new Response(stream, { status: response.status, headers: response.headers })
}

function refused(request: S3Request, status: number, code: string | undefined): { error: RegistryError; retryable: boolean } {
  const cause = new Error(`S3 ${request.method} ${request.key ?? ''}: ${status} ${code ?? ''}`)
  if (RETRYABLE.has(status)) return { error: unavailable(cause), retryable: true }
  if (status === 507) {
    return { error: new RegistryError('UNAVAILABLE', 'There is no space left in the store.', undefined, { cause }), retryable: false }
  }
  return {
    error: new RegistryError('UNKNOWN', 'The object store refused a request; its administrator finds the reason in the log.', undefined, { cause }),
    retryable: status === 409,
  }
}

function unavailable(cause: unknown): RegistryError {
  return new RegistryError('UNAVAILABLE', 'The object store does not answer as it should; try again.', undefined, { cause })
}

/** Of a key; a listing may take its time. */
function reads({ method, key }: S3Request): boolean {
  return key !== undefined && (method === 'GET' || method === 'HEAD')
}

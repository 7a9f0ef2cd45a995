import type { JWK } from 'jose'
import type { EnrolmentRequest } from '../mesh/enrolment.ts'
import { MESH } from '../mesh/enrolment.ts'
import { neighbourTarget, signRequest } from '../mesh/signing.ts'
import type { Clock } from '../registry/clock.ts'
import type { Authorizer, Fetch } from '../registry/remote/index.ts'
import { RegistryError } from '../registry/spec/errors.ts'
import { readText } from './bodies.ts'
import type { EdgeKey, Member } from './identity.ts'
import { DOCUMENT_BYTES, KEYS_EVERY_MS, ORIGIN_ANSWER_MS, RETRY_AFTER_S } from './limits.ts'

export interface OriginClientOptions {
  readonly url: URL
  readonly fetch: Fetch
  readonly clock: Clock
  /** New unguessable ids. */
  readonly newId: () => string
}

export interface Question {
  readonly query?: Readonly<Record<string, string>>
  readonly json?: unknown
  readonly signal?: AbortSignal | undefined
  /** Milliseconds. */
  readonly timeout?: number
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/** What an edge asks of its origin. Every request after the enrolment carries a proof, signed for it alone with the edge's key. */
export class OriginClient {
  readonly #options: OriginClientOptions
  #url: URL
  #member: Member | undefined
  #jwks: { readonly keys: readonly JWK[] } = { keys: [] }
  #keysReadAt = Number.NEGATIVE_INFINITY
  /** How far the origin's clock is ahead of ours, in milliseconds. */
  #offset = 0

  constructor(options: OriginClientOptions) {
    this.#url = options.url
    this.#options = options
  }

  /** Where the origin is asked now. */
  get url(): URL {
    return this.#url
  }

  /** From here on the origin is asked there: of a pair of sites, the other may be the primary. */
  use(url: URL): void {
    if (url.href !== this.#url.href) this.#url = url
  }

  /** From here on requests are signed as this member. */
  join(member: Member): void {
    this.#member = member
    this.#jwks = member.enrolment.jwks
  }

  /** @throws RegistryError UNAVAILABLE before the enrolment */
  get member(): Member {
    if (this.#member === undefined) throw unavailable('This edge has not been enrolled at its origin yet.')
    return this.#member
  }

  get enrolled(): boolean {
    return this.#member !== undefined
  }

  /** A new object whenever they change. */
  get jwks(): { readonly keys: readonly JWK[] } {
    return this.#jwks
  }

  get offset(): number {
    return this.#offset
  }

  /** The origin's clock says that it is `time` now. */
  observe(time: number): void {
    this.#offset = time - this.#options.clock.now()
  }

  /** Now, by the origin's clock as far as we know it. */
  now(): number {
    return this.#options.clock.now() + this.#offset
  }

  /** A signed question with a small answer. Any status is an answer. @throws RegistryError UNAVAILABLE when there is none in time */
  async ask(method: 'GET' | 'POST', path: string, question: Question = {}): Promise<Answer> {
    const url = this.#address(path, question.query)
    return await this.#twice(async () => await this.#small(method, url, question, { Authorization: await this.#proof(method, url) }))
  }

  /** A signed request whose answer is a stream: only its head has a deadline. */
  async follow(path: string, question: Question & { readonly signal: AbortSignal }): Promise<Response> {
    const url = this.#address(path, question.query)
    return await this.#twice(async () => {
      const headers = { Authorization: await this.#proof('GET', url) }
      return await this.#withDeadline(question, async (signal) => await this.#options.fetch(url, { headers, signal, redirect: 'manual' }))
    })
  }

  /** The answer to a request that proves nothing but that we hold this key. */
  async enrol(key: EdgeKey, request: Omit<EnrolmentRequest, 'publicKey' | 'proof'>): Promise<Answer> {
    const url = this.#address(MESH.enrol)
    return await this.#twice(async () => {
      const proof = await signRequest({ method: 'POST', url: url.href }, { id: key.kid, key }, this.now(), this.#options.newId())
      return await this.#small('POST', url, { json: { ...request, publicKey: key.publicKey, proof } satisfies EnrolmentRequest })
    })
  }

  /** Reads the origin's public keys again, unless that was done a moment ago (`atOnce`: even then). Nobody waits for another's reading: in a Worker, that may be gone. */
  async refreshKeys(options: { readonly atOnce?: boolean } = {}): Promise<void> {
    const now = this.#options.clock.now()
    if (options.atOnce !== true && Math.abs(now - this.#keysReadAt) < KEYS_EVERY_MS) return
    const answer = await this.#small('GET', this.#address(MESH.jwks), {})
    if (answer.status !== 200) throw unavailable(`The origin answered ${answer.status} when asked for its keys.`)
    this.#keysReadAt = now
    const read = JSON.parse(answer.text) as { keys?: unknown }
    if (Array.isArray(read.keys)) this.#jwks = { keys: read.keys as JWK[] }
  }

  /** For a RemoteRegistry over the origin. */
  authorizer(): Authorizer {
    return {
      headers: async ({ method, url }) => ({ Authorization: await this.#proof(method, url) }),
      // As below: our clock, or the origin's, may have been set since it was last compared.
      challenged: async () => {
        const { headers } = await this.#small('GET', this.#address(MESH.jwks), {})
        this.#compare(headers)
        // Also when they agree: somebody else may have compared them meanwhile.
        return true
      },
      refused: () => unavailable('The origin of this edge does not take its proofs.'),
    }
  }

  /** For a RemoteRegistry over another edge: what proves a request to it is good at no other, and not at the origin. */
  neighbourAuthorizer(neighbour: string): Authorizer {
    return {
      headers: async ({ method, url }) => ({ Authorization: await this.#proof(method, neighbourTarget(neighbour, url)) }),
    }
  }

  async #proof(method: string, url: URL): Promise<string> {
    const { enrolment, key } = this.member
    return `Atoll-Edge ${await signRequest({ method, url: url.href }, { id: enrolment.id, key }, this.now(), this.#options.newId())}`
  }

  #address(path: string, query: Readonly<Record<string, string>> = {}): URL {
    const url = new URL(this.url)
    url.pathname = url.pathname.replace(/\/$/, '') + path
    url.search = new URLSearchParams(query).toString()
    return url
  }

  async #small(method: string, url: URL, { json, ...question }: Question, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return await this.#withDeadline(question, async (signal) => {
      const response = await this.#options.fetch(url, {
        method,
        signal,
        redirect: 'manual',
        headers: { ...headers, ...(json !== undefined && { 'Content-Type': 'application/json' }) },
        ...(json !== undefined && { body: JSON.stringify(json) }),
      })
      return { status: response.status, headers: response.headers, text: await readText(response, DOCUMENT_BYTES) }
    })
  }

  async #withDeadline<T>({ signal, timeout = ORIGIN_ANSWER_MS }: Question, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const late = new AbortController()
    const stop = this.#options.clock.after(timeout, () => late.abort(new DOMException('no answer in time', 'TimeoutError')))
    try {
      return await work(signal ? AbortSignal.any([signal, late.signal]) : late.signal)
    } catch (cause) {
      signal?.throwIfAborted()
      throw unavailable('The origin of this edge cannot be reached.', cause)
    } finally {
      stop()
    }
  }

  /** A proof is refused when our clock is wrong; the refusal itself says what time it is, and then it is worth signing again. */
  async #twice<T extends { readonly status: number; readonly headers: Headers }>(send: () => Promise<T>): Promise<T> {
    const first = await send()
    if (first.status !== 401 || !this.#compare(first.headers)) return first
    if (first instanceof Response) await first.body?.cancel()
    return await send()
  }

  /** Whether the clocks were so far apart that a good proof looked old. From now on they are not. */
  #compare(headers: Headers): boolean {
    const date = Date.parse(headers.get('Date') ?? '')
    if (Number.isNaN(date) || Math.abs(date - this.now()) < CLOCK_WRONG_MS) return false
    this.observe(date)
    return true
  }
}

/** A difference that can make a good proof look old. `Date` itself is exact to a second. */
const CLOCK_WRONG_MS = 10_000

function unavailable(message: string, cause?: unknown): RegistryError {
  return new RegistryError('UNAVAILABLE', message, undefined, { cause, headers: { 'Retry-After': String(RETRY_AFTER_S) } })
}

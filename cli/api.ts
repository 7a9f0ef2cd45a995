import { emptyStream } from '../registry/empty-stream.ts'
import { CliError, EXIT, exitCodeOf } from './exit-codes.ts'
import type { Session } from './session.ts'

const ANSWER_DEADLINE_MS = 60_000
const PAGE_SIZE = 100

export interface Answer<T> {
  readonly body: T
  readonly headers: Headers
}

/** The public API of an origin, nothing else: `/api/v2.0`, and `/api/atoll/v1` for what only Atoll has. */
export class Api {
  readonly #session: Session
  readonly #fetch: typeof fetch

  constructor(session: Session, fetcher: typeof fetch = fetch) {
    this.#session = session
    this.#fetch = fetcher
  }

  get url(): string {
    return this.#session.url
  }

  get username(): string | undefined {
    return this.#session.username
  }

  /** @throws CliError with the server's own sentence, or what to do when nobody answers */
  async call<T>(method: string, path: string, body?: unknown): Promise<Answer<T>> {
    const { text, headers } = await this.#exchange(method, path, body)
    return { body: (text === '' ? undefined : parse(text)) as T, headers }
  }

  async get<T>(path: string): Promise<T> {
    return (await this.call<T>('GET', path)).body
  }

  /** An answer that is text for people, for instance a log. */
  async text(path: string): Promise<string> {
    return (await this.#exchange('GET', path)).text
  }

  /** A long answer as it comes. @throws CliError when nobody answers, or it is a refusal */
  async stream(path: string): Promise<ReadableStream<Uint8Array>> {
    const { url } = this.#session
    // How long it takes is up to its length; that it begins is not.
    const beginning = new AbortController()
    const deadline = setTimeout(() => beginning.abort(), ANSWER_DEADLINE_MS)
    try {
      const response = await this.#fetch(new URL(path, url), { headers: this.#headers(), signal: beginning.signal })
      if (!response.ok) throw new CliError(this.#refusal(response.status, await response.text()), exitCodeOf(response.status))
      return response.body ?? emptyStream()
    } catch (error) {
      throw error instanceof CliError ? error : this.#silence(error)
    } finally {
      clearTimeout(deadline)
    }
  }

  /** The same, line by line. */
  async *lines(path: string): AsyncGenerator<string> {
    let rest = ''
    const decoder = new TextDecoder()
    for await (const bytes of await this.stream(path)) {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n')
      rest = lines.pop() ?? ''
      yield* lines
    }
    if (rest !== '') yield rest
  }

  #headers(): Headers {
    const { username, password } = this.#session
    const headers = new Headers({ accept: 'application/json, text/plain' })
    if (username !== undefined && password !== undefined) headers.set('authorization', basic(username, password))
    return headers
  }

  #silence(error: unknown): CliError {
    const { url } = this.#session
    return new CliError(`No answer from ${url}. Is the origin running there? Choose another with --server or ATOLL_SERVER.`, EXIT.unreachable, error)
  }

  async #exchange(method: string, path: string, body?: unknown): Promise<{ text: string; headers: Headers }> {
    const { url } = this.#session
    const headers = this.#headers()
    if (body !== undefined) headers.set('content-type', 'application/json')
    let response: Response
    let text: string
    try {
      response = await this.#fetch(new URL(path, url), {
        method,
        headers,
        signal: AbortSignal.timeout(ANSWER_DEADLINE_MS),
        ...(body !== undefined && { body: JSON.stringify(body) }),
      })
      text = await response.text()
    } catch (error) {
      throw this.#silence(error)
    }
    if (!response.ok) throw new CliError(this.#refusal(response.status, text), exitCodeOf(response.status))
    return { text, headers: response.headers }
  }

  /** A token for /v2, which every edge of this origin takes: the password itself goes nowhere else. */
  async token(scope: string): Promise<string> {
    return (await this.get<{ token: string }>(`/service/token?${new URLSearchParams({ scope })}`)).token
  }

  /** Creates, and follows the Location of what was created. */
  async create<T>(path: string, body: unknown): Promise<T> {
    const { headers, body: answer } = await this.call<T | undefined>('POST', path, body)
    const location = headers.get('location')
    if (answer !== undefined || location === null) return answer as T
    return await this.get<T>(location)
  }

  /** Every entry of a paged list, page by page: an answer says where the next one is (RFC 8288, `rel="next"`). */
  async *list<T>(path: string): AsyncGenerator<T> {
    const first = new URL(path, this.#session.url)
    first.searchParams.set('page_size', String(PAGE_SIZE))
    for (let next: string | undefined = first.pathname + first.search; next !== undefined; ) {
      const { body, headers }: Answer<T[] | null> = await this.call('GET', next)
      yield* body ?? []
      next = /<([^>]*)>;\s*rel="?next"?/.exec(headers.get('link') ?? '')?.[1]
    }
  }

  #refusal(status: number, text: string): string {
    const message = firstMessage(text) ?? `the server answered ${status}`
    if (status !== 401) return message
    return this.#session.username === undefined
      ? `This needs a login: atoll login ${this.#session.url}`
      : `${message}. The credentials of ${this.#session.username} were not accepted at ${this.#session.url}.`
  }
}

function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}

function firstMessage(text: string): string | undefined {
  const body = parse(text)
  if (typeof body !== 'object' || body === null || !('errors' in body) || !Array.isArray(body.errors)) return undefined
  const [first] = body.errors as unknown[]
  if (typeof first !== 'object' || first === null || !('message' in first)) return undefined
  return String(first.message).replace(/\.$/, '')
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

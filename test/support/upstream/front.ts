import { createHmac, randomBytes } from 'node:crypto'
import { createServer, request as httpRequest, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { sendBody } from './body.ts'
import { type Counts, noCounts } from './counts.ts'
import { type Faults, noFaults, type RequestKind } from './faults.ts'
import { Link } from './link.ts'
import { TokenService, type TokensOptions } from './tokens.ts'

const SERVICE = 'registry.test'
const WINDOW_S = 21_600
const SEEN_LIMIT = 10_000

export interface FrontOptions extends TokensOptions {
  /** The registry behind. */
  readonly behind: URL
  /** Pulls in six hours, as Hub counts them: GETs of manifests. */
  readonly pulls: number
  /** Whether blobs lie at another host, as Hub's do: a round trip more for each. Otherwise the registry sends them itself. */
  readonly redirects: boolean
}

/** One request that came, in the order in which they came. */
export interface SeenRequest {
  readonly kind: RequestKind
  readonly method: string
  readonly path: string
  readonly range?: string
  readonly authorized: boolean
}

/** What stands before the registry: Hub's tokens, redirects, limits and faults. */
export class Front {
  readonly faults: Faults = noFaults()
  readonly tokens: TokenService
  /** Set by whoever wants to start anew. */
  counts: Counts = noCounts()
  seen: SeenRequest[] = []
  /** Requests that brought credentials to where they do not belong. */
  readonly leaks: string[] = []
  /** Pulls left. */
  remaining: number
  readonly #options: FrontOptions
  readonly #key = randomBytes(32)
  readonly #link = new Link(() => this.faults.bytesPerSecond)
  readonly #registry: Server
  readonly #cdn: Server

  constructor(options: FrontOptions) {
    this.#options = options
    this.tokens = new TokenService(options)
    this.remaining = options.pulls
    this.#registry = createServer((request, response) => handle(response, () => this.#atRegistry(request, response)))
    this.#cdn = createServer((request, response) => handle(response, () => this.#atCdn(request, response)))
  }

  /** @param port of the registry; 0: any */
  async listen(port: number): Promise<void> {
    await new Promise<void>((resolve) => this.#registry.listen(port, '127.0.0.1', resolve))
    await new Promise<void>((resolve) => this.#cdn.listen(0, '127.0.0.1', resolve))
  }

  get url(): URL {
    return new URL(`http://127.0.0.1:${(this.#registry.address() as AddressInfo).port}`)
  }

  /** Another host by name and by port. */
  get cdnUrl(): URL {
    return new URL(`http://localhost:${(this.#cdn.address() as AddressInfo).port}`)
  }

  async close(): Promise<void> {
    for (const server of [this.#registry, this.#cdn]) {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  }

  async #atRegistry(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET' } = request
    const url = new URL(request.url ?? '/', this.url)
    const target = parsePath(url.pathname, method)
    const { authorization } = request.headers
    const access = target.repository === undefined ? undefined : `${target.repository}:${target.kind === 'push' ? 'push' : 'pull'}`
    const allowed = target.kind === 'token' || this.tokens.allows(authorization, access)
    this.#note(target.kind, request, allowed)
    if (await this.#goesWrong(target.kind, url.pathname, response)) return
    if (target.kind === 'token') return this.#token(authorization, url.searchParams.getAll('scope'), response)
    if (!allowed) return this.#challenge(response, access)
    if (target.kind === 'blob' && target.repository !== undefined && this.#options.redirects) {
      response.writeHead(307, { location: this.#address(target.repository, target.reference).href, 'content-length': '0' }).end()
      return
    }
    if (target.kind === 'manifest' && !this.#mayPull(method, response)) return
    await this.#pass(request, url.pathname + url.search, response, target.kind, target.kind === 'blob' ? this.#link : undefined)
  }

  async #atCdn(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#note('cdn', request, true)
    if (request.headers.authorization !== undefined) {
      this.leaks.push(`${request.method} ${request.url}`)
      return answerError(response, 400, 'UNSUPPORTED', 'only one way of authentication at a time')
    }
    const url = new URL(request.url ?? '/', this.cdnUrl)
    if (await this.#goesWrong('cdn', url.pathname, response)) return
    const [, encoded = '', digest = ''] = url.pathname.split('/')
    if (url.searchParams.get('signature') !== this.#sign(url.pathname)) return answerError(response, 403, 'DENIED', 'not signed')
    await this.#pass(request, `/v2/${Buffer.from(encoded, 'base64url')}/blobs/${digest}`, response, 'cdn', this.#link)
  }

  /** Whether that was all there is to say. */
  async #goesWrong(kind: RequestKind, path: string, response: ServerResponse): Promise<boolean> {
    const { faults } = this
    if (faults.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, faults.delayMs))
    if (!faults.on(kind, path)) return false
    if (faults.hang) return true
    if (faults.status === undefined) return false
    if (faults.retryAfter !== undefined) response.setHeader('retry-after', String(faults.retryAfter))
    answerError(response, faults.status, faults.status === 429 ? 'TOOMANYREQUESTS' : 'UNKNOWN', 'as the test wants it')
    return true
  }

  #token(authorization: string | undefined, scopes: readonly string[], response: ServerResponse): void {
    const issued = this.tokens.issue(authorization, scopes)
    if (issued === undefined) answerError(response, 401, 'UNAUTHORIZED', 'incorrect username or password')
    else answerJson(response, 200, issued)
  }

  #challenge(response: ServerResponse, access: string | undefined): void {
    this.counts.challenges++
    const scope = access === undefined ? '' : `,scope="repository:${access}"`
    response.setHeader('www-authenticate', `Bearer realm="${new URL('/token', this.url).href}",service="${SERVICE}"${scope}`)
    answerError(response, 401, 'UNAUTHORIZED', 'authentication required')
  }

  #mayPull(method: string, response: ServerResponse): boolean {
    if (method === 'GET' && this.remaining > 0) this.remaining--
    else if (method === 'GET') {
      response.setHeader('retry-after', '60')
      answerError(response, 429, 'TOOMANYREQUESTS', 'You have reached your pull rate limit.')
      return false
    }
    response.setHeader('ratelimit-limit', `${this.#options.pulls};w=${WINDOW_S}`)
    response.setHeader('ratelimit-remaining', `${this.remaining};w=${WINDOW_S}`)
    return true
  }

  async #pass(request: IncomingMessage, path: string, response: ServerResponse, kind: RequestKind, link: Link | undefined): Promise<void> {
    const { authorization: _own, host: _host, connection: _connection, range, ...headers } = request.headers
    const { faults } = this
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const passed = httpRequest(new URL(path, this.#options.behind), {
        method: request.method ?? 'GET',
        headers: { ...headers, ...(range !== undefined && !faults.ignoreRange && { range }) },
      })
      passed.on('response', resolve)
      passed.on('error', reject)
      response.on('close', () => passed.destroy())
      request.pipe(passed)
    })
    // The registry behind writes its own address into the locations of uploads.
    const location = answer.headers.location && new URL(answer.headers.location, this.#options.behind)
    if (location) answer.headers.location = new URL(location.pathname + location.search, this.url).href
    if (request.method === 'HEAD' || answer.headers['content-length'] === undefined) {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
      return
    }
    await sendBody({
      answer,
      response,
      faults,
      faulty: (answer.statusCode ?? 0) < 300 && faults.on(kind, path),
      link,
      onBytes: (count) => {
        if (kind === 'cdn' || kind === 'blob') this.counts.blobBytes += count
      },
    })
  }

  #address(repository: string, digest: string): URL {
    const url = new URL(`/${Buffer.from(repository).toString('base64url')}/${digest}`, this.cdnUrl)
    url.searchParams.set('signature', this.#sign(url.pathname))
    return url
  }

  #sign(path: string): string {
    return createHmac('sha256', this.#key).update(path).digest('base64url')
  }

  #note(kind: RequestKind, { method = 'GET', url = '/', headers }: IncomingMessage, allowed: boolean): void {
    const { counts } = this
    if (this.seen.length < SEEN_LIMIT) {
      const { range, authorization } = headers
      this.seen.push({ kind, method, path: url, authorized: authorization !== undefined, ...(range !== undefined && { range }) })
    }
    // Those that are answered with a challenge are counted as such.
    if (!allowed) return
    const head = method === 'HEAD'
    if (kind === 'token') counts.tokens++
    else if (kind === 'manifest' && head) counts.manifestHeads++
    else if (kind === 'manifest') counts.manifestGets++
    else if (kind === 'blob' && head) counts.blobHeads++
    else if (kind === 'blob') counts.blobGets++
    else if (kind === 'cdn' && !head) counts.cdnGets++
    else if (kind === 'tags') counts.tags++
    else if (kind === 'referrers') counts.referrers++
    else counts.other++
  }
}

function handle(response: ServerResponse, work: () => Promise<void>): void {
  work().catch((error: unknown) => {
    if (response.headersSent) response.destroy()
    else answerError(response, 502, 'UNKNOWN', String(error))
  })
}

function parsePath(path: string, method: string): { kind: RequestKind; repository?: string; reference: string } {
  if (path === '/token') return { kind: 'token', reference: '' }
  if (path === '/v2/' || path === '/v2') return { kind: 'ping', reference: '' }
  const [, repository, noun, reference = ''] = path.match(/^\/v2\/(.+?)\/(manifests|blobs|tags|referrers)\/(.*)$/) ?? []
  if (repository === undefined) return { kind: 'other', reference }
  if (method !== 'GET' && method !== 'HEAD') return { kind: 'push', repository, reference }
  if (noun === 'manifests') return { kind: 'manifest', repository, reference }
  if (noun === 'blobs') return { kind: 'blob', repository, reference }
  return { kind: noun === 'tags' ? 'tags' : 'referrers', repository, reference }
}

function answerError(response: ServerResponse, status: number, code: string, message: string): void {
  answerJson(response, status, { errors: [{ code, message }] })
}

function answerJson(response: ServerResponse, status: number, document: object): void {
  const body = JSON.stringify(document)
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }).end(body)
}

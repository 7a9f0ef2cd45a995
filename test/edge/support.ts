import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RunningEdge, startEdge } from '../../edge/node.ts'
import { type EdgeConfig, edgeSettings } from '../../edge/settings.ts'
import { type OriginConfig, originSettings } from '../../origin/config/settings.ts'
import { type RunningOrigin, startOrigin } from '../../origin/main.ts'
import { type Clock, systemClock } from '../../registry/clock.ts'
import { createLogger } from '../../runtime/logger.ts'
import { defaults } from '../../runtime/settings/define.ts'
import { ADMIN_PASSWORD } from '../support/atoll.ts'
import type { TestClock } from '../support/clock.ts'

export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
export const ADMIN = { username: 'admin', password: ADMIN_PASSWORD }

export interface Credentials {
  readonly username: string
  readonly password: string
}

export interface PushedImage {
  readonly digest: string
  readonly layer: string
  readonly layerBytes: Uint8Array
}

/** A real origin in this process, with what tests do to it as an administrator would. */
export class TestOrigin implements AsyncDisposable {
  readonly #folder: string
  readonly running: RunningOrigin

  private constructor(folder: string, running: RunningOrigin) {
    this.#folder = folder
    this.running = running
  }

  /** Its clock is the system's, or one that a test moves. */
  static async start(settings: Partial<OriginConfig> = {}, clock: Clock = systemClock): Promise<TestOrigin> {
    const folder = await mkdtemp(join(tmpdir(), 'atoll-origin-'))
    const config = {
      ...defaults(originSettings),
      'http.port': 0,
      data_volume: folder,
      admin_password: ADMIN_PASSWORD,
      'log.level': 'silent' as const,
      ...settings,
    }
    return new TestOrigin(folder, await startOrigin(config, { print: () => {}, clock }))
  }

  get url(): string {
    return this.running.url
  }

  async api(method: string, path: string, body?: unknown): Promise<Response> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: { authorization: basic(ADMIN), ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
    return await whole(response)
  }

  async project(name: string, options: { readonly public: boolean }): Promise<void> {
    await this.api('POST', '/api/v2.0/projects', { project_name: name, public: options.public })
  }

  /** A system robot that pulls from one project. */
  async robot(name: string, project: string): Promise<Credentials & { readonly id: number }> {
    const response = await this.api('POST', '/api/v2.0/robots', {
      name,
      level: 'project',
      duration: -1,
      permissions: [{ kind: 'project', namespace: project, access: [{ resource: 'repository', action: 'pull' }] }],
    })
    const made = (await response.json()) as { id: number; name: string; secret: string }
    return { id: made.id, username: made.name, password: made.secret }
  }

  async enrolmentToken(name: string): Promise<string> {
    const made = (await (await this.api('POST', '/api/atoll/v1/edges', { name, region: 'here' })).json()) as { token: string }
    return made.token
  }

  async push(repository: string, tag: string, layerBytes: Uint8Array = randomBytes(300_000)): Promise<PushedImage> {
    const blob = async (bytes: Uint8Array) => {
      const digest = sha256(bytes)
      const begun = await this.#v2('POST', `/v2/${repository}/blobs/uploads/`)
      const location = new URL(begun.headers.get('location') ?? '', this.url)
      location.searchParams.set('digest', digest)
      await this.#v2('PUT', location.pathname + location.search, bytes, 'application/octet-stream')
      return digest
    }
    const config = new TextEncoder().encode(JSON.stringify({ os: 'linux', architecture: 'amd64', made: layerBytes.byteLength }))
    const layer = await blob(layerBytes)
    const manifest = new TextEncoder().encode(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: OCI_MANIFEST,
        config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: await blob(config), size: config.byteLength },
        layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: layer, size: layerBytes.byteLength }],
      }),
    )
    await this.#v2('PUT', `/v2/${repository}/manifests/${tag}`, manifest, OCI_MANIFEST)
    return { digest: sha256(manifest), layer, layerBytes }
  }

  async #v2(method: string, path: string, body?: Uint8Array, type?: string): Promise<Response> {
    const response = await fetch(this.url + path, {
      method,
      headers: { authorization: basic(ADMIN), ...(type !== undefined && { 'content-type': type }) },
      ...(body && { body: Buffer.from(body) }),
    })
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
    return await whole(response)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.running.close()
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** What goes between an edge and everything behind it: counted, cut and forged as a test wants. */
export class Line {
  /** Bytes that came through this line, of answers under /v2. */
  bytes = 0
  /** Paths that were asked under /v2, and for policy documents; without `/v2/` itself, by which an edge meets upstreams when it likes. */
  readonly asked: string[] = []
  down = false
  /** Loses so many lines of the feed that tell of changes, and lets heartbeats through. */
  loseNews = 0
  /** Takes the place of an answer. */
  forge: (url: URL, response: Response) => Promise<Response> = async (_url, response) => response
  /** Told when the line is cut. */
  onCut: () => void = () => {}
  #cut = new AbortController()
  #hang: PromiseWithResolvers<void> | undefined

  /** Ends what is open, and lets nothing new through. */
  cut(): void {
    this.down = true
    this.onCut()
    this.#cut.abort(new Error('the line is cut'))
    this.#cut = new AbortController()
  }

  /** Nothing goes through, and nothing ends, until `release`. */
  hang(): void {
    this.#hang ??= Promise.withResolvers()
  }

  release(): void {
    this.#hang?.resolve()
    this.#hang = undefined
  }

  readonly fetch = async (url: URL, init: RequestInit): Promise<Response> => {
    if (url.pathname !== '/v2/') this.asked.push(`${init.method ?? 'GET'} ${url.pathname}`)
    if (this.down) throw new TypeError('the line is down')
    const signal = init.signal ? AbortSignal.any([init.signal, this.#cut.signal]) : this.#cut.signal
    await this.#unlessHung(signal)
    const body = init.body instanceof ReadableStream ? { body: init.body.pipeThrough(this.#hanging()) } : {}
    const answer = await this.forge(url, await fetch(url, { ...init, ...body, signal }))
    await this.#unlessHung(signal)
    const response = answer.body === null ? answer : new Response(answer.body.pipeThrough(this.#hanging()), answer)
    if (response.body !== null && url.pathname.endsWith('/mesh/feed')) return new Response(response.body.pipeThrough(this.#losing()), response)
    if (!url.pathname.startsWith('/v2/') || response.body === null) return response
    const count = new TransformStream<Uint8Array, Uint8Array>({
      transform: (chunk, controller) => {
        this.bytes += chunk.byteLength
        controller.enqueue(chunk)
      },
    })
    return new Response(response.body.pipeThrough(count), response)
  }

  async #unlessHung(signal: AbortSignal): Promise<void> {
    if (this.#hang === undefined) return
    const aborted = new Promise<never>((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
    signal.throwIfAborted()
    await Promise.race([this.#hang.promise, aborted])
  }

  #hanging(): TransformStream<Uint8Array, Uint8Array> {
    return new TransformStream({
      transform: async (chunk, controller) => {
        await this.#hang?.promise
        controller.enqueue(chunk)
      },
    })
  }

  /** The origin writes a line at a time. */
  #losing(): TransformStream<Uint8Array, Uint8Array> {
    return new TransformStream({
      transform: (chunk, controller) => {
        const lines = new TextDecoder().decode(chunk).split('\n')
        const kept = lines.filter((line) => {
          const lost = this.loseNews > 0 && line !== '' && (decodeBatch(line).entries ?? []).length > 0
          if (lost) this.loseNews--
          return !lost
        })
        controller.enqueue(new TextEncoder().encode(kept.join('\n')))
      },
    })
  }
}

function decodeBatch(jws: string): { readonly entries?: readonly unknown[] } {
  return JSON.parse(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString())
}

/** A whole edge in this process, on its own folder, behind a line that a test holds. Its clock is the system's, moved by `skew`, or the test's own. */
export class TestEdge implements AsyncDisposable {
  readonly line = new Line()
  skew = 0
  readonly #folder: string
  readonly #origin: TestOrigin
  readonly #name: string
  readonly #grace: number
  readonly #settings: Partial<EdgeConfig>
  readonly #clock: TestClock | undefined
  #running: RunningEdge | undefined

  private constructor(
    folder: string,
    origin: TestOrigin,
    options: { name: string; grace: number; settings: Partial<EdgeConfig>; clock: TestClock | undefined },
  ) {
    this.#folder = folder
    this.#origin = origin
    this.#name = options.name
    this.#grace = options.grace
    this.#settings = options.settings
    this.#clock = options.clock
  }

  /** `grace` is in seconds. It knows no neighbours unless it is told to. Resolves when it follows the feed. */
  static async start(
    origin: TestOrigin,
    {
      name = 'edge-a',
      grace = 3_600,
      neighbours = 'off',
      settings = {},
      clock,
    }: { name?: string; grace?: number; neighbours?: 'off' | 'region'; settings?: Partial<EdgeConfig>; clock?: TestClock } = {},
  ): Promise<TestEdge> {
    const edge = new TestEdge(await mkdtemp(join(tmpdir(), 'atoll-edge-')), origin, {
      name,
      grace,
      settings: { 'edge.neighbours': neighbours, ...settings },
      clock,
    })
    await edge.start()
    return edge
  }

  async start(): Promise<void> {
    const config = {
      ...defaults(edgeSettings),
      'edge.port': 0,
      'edge.origin_url': this.#origin.url,
      'edge.data_volume': this.#folder,
      'edge.grace': this.#grace,
      ...this.#settings,
    }
    this.#running = await startEdge({
      config,
      enrolmentToken: () => this.#origin.enrolmentToken(this.#name),
      clock: this.#clock ?? { now: () => Date.now() + this.skew, after: systemClock.after },
      monotonic: () => this.#clock?.monotonic() ?? performance.now() + this.skew,
      log: createLogger({ level: (process.env.TEST_LOG ?? 'silent') as 'silent' }),
      fetch: this.line.fetch,
    })
    await this.#running.joined
    if (!this.line.down) await this.connected()
  }

  async stop(): Promise<void> {
    await this.#running?.close()
    this.#running = undefined
  }

  get url(): string {
    return this.#running?.url ?? ''
  }

  get metricsUrl(): string | undefined {
    return this.#running?.metricsUrl
  }

  get status() {
    return this.#running?.status()
  }

  async connected(): Promise<void> {
    await this.#until(() => this.status?.state === 'connected')
  }

  async disconnected(): Promise<void> {
    await this.#until(() => this.status?.state === 'disconnected')
  }

  /** Resolves when the feed has been followed to where the origin is now. */
  async caughtUp(cursor: number): Promise<void> {
    await this.#until(() => (this.status?.cursor ?? 0) >= cursor)
  }

  async #until(holds: () => boolean): Promise<void> {
    const { until } = await import('../support/until.ts')
    await until('the edge is as wanted', holds)
  }

  async token(scope: string, credentials?: Credentials): Promise<Response> {
    return await token(this.url, scope, credentials)
  }

  async get(path: string, bearer?: string, headers: Record<string, string> = {}): Promise<Response> {
    const response = await fetch(this.url + path, { headers: { ...headers, ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }) } })
    return await whole(response)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** Asks a token service; `token` of the answer's body is what it gives. */
export async function token(base: string, scope: string, credentials?: Credentials): Promise<Response> {
  const response = await fetch(`${base}/service/token?service=atoll&scope=${encodeURIComponent(scope)}`, {
    headers: credentials ? { authorization: basic(credentials) } : {},
  })
  return await whole(response)
}

/** The answer with its body read: one that nobody reads keeps its connection, and its server from ending. @throws when it breaks off */
export async function whole(response: Response): Promise<Response> {
  return new Response(response.status === 204 ? null : await response.arrayBuffer(), response)
}

export async function tokenOf(response: Response): Promise<string> {
  if (response.status !== 200) throw new Error(`no token: ${response.status} ${await response.text()}`)
  return ((await response.json()) as { token: string }).token
}

export function basic({ username, password }: Credentials): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}

export function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { Response as AnswerOf, Miniflare, type Request as MiniflareRequest } from 'miniflare'
import { until } from '../support/until.ts'
import { type Credentials, Line, type TestOrigin, token, whole } from './support.ts'

const ENTRY = fileURLToPath(new URL('../../edge/worker.ts', import.meta.url))

/** As wrangler.toml has it; what differs between tests is added. */
export const WORKER_OPTIONS = {
  modules: true,
  host: '127.0.0.1',
  port: 0,
  compatibilityDate: '2026-04-01',
  compatibilityFlags: ['nodejs_compat', 'enable_request_signal'],
  r2Buckets: ['BUCKET'],
  durableObjects: {
    LINK: { className: 'Link', useSQLite: true },
    FILL: { className: 'Fill', useSQLite: true },
    SPACE: { className: 'Space', useSQLite: true },
  },
} as const

/** The Worker as wrangler makes it: one module. */
export async function bundleWorker(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [ENTRY],
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2024',
    conditions: ['workerd', 'worker', 'browser'],
    external: ['node:*', 'cloudflare:*'],
    logLevel: 'silent',
  })
  const [file] = outputFiles
  if (file === undefined) throw new Error('the bundle is empty')
  return file.text
}

export interface TestWorkerOptions {
  readonly grace?: number
  readonly regions?: string
  /** Further variables of wrangler.toml. */
  readonly bindings?: Readonly<Record<string, string>>
  /** The folder where buckets and objects outlive the Worker. */
  readonly persist?: string
}

/** The whole Worker in workerd, talked to over HTTP; what it asks of the world goes through a line that a test holds. */
export class TestWorker implements AsyncDisposable {
  readonly line: Line
  readonly #miniflare: Miniflare
  readonly url: string

  private constructor(line: Line, miniflare: Miniflare, url: string) {
    this.line = line
    this.#miniflare = miniflare
    this.url = url
  }

  static async start(
    origin: TestOrigin,
    script: string,
    { grace = 3_600, regions = '', bindings = {}, persist }: TestWorkerOptions = {},
  ): Promise<TestWorker> {
    const line = new Line()
    const miniflare = new Miniflare({
      ...WORKER_OPTIONS,
      script,
      bindings: {
        ORIGIN_URL: origin.url,
        ENROLMENT_TOKEN: await origin.enrolmentToken(`worker-${randomUUID()}`),
        GRACE: String(grace),
        REGIONS: regions,
        ...bindings,
      },
      ...(persist !== undefined && { r2Persist: join(persist, 'r2'), durableObjectsPersist: join(persist, 'objects') }),
      r2Buckets: ['BUCKET', ...regions.split(',').flatMap((pair) => pair.split('=')[1] ?? [])],
      outboundService: async (request: MiniflareRequest) => {
        const body = request.body === null ? undefined : await request.arrayBuffer()
        const init: RequestInit = { method: request.method, headers: [...request.headers], redirect: 'manual', ...(body && { body }) }
        const response = await line.fetch(new URL(request.url), init)
        return new AnswerOf(response.body, { status: response.status, headers: [...response.headers] })
      },
    })
    const url = (await miniflare.ready).origin
    const worker = new TestWorker(line, miniflare, url)
    await worker.connected()
    return worker
  }

  async health(): Promise<{ status: string; cursor: number }> {
    return (await (await fetch(`${this.url}/healthz`)).json()) as { status: string; cursor: number }
  }

  async connected(): Promise<void> {
    await until('the worker is connected', async () => (await this.health()).status === 'connected')
  }

  async disconnected(): Promise<void> {
    await until('the worker is disconnected', async () => (await this.health()).status === 'disconnected')
  }

  async token(scope: string, credentials?: Credentials): Promise<Response> {
    return await token(this.url, scope, credentials)
  }

  async get(path: string, bearer?: string, headers: Record<string, string> = {}): Promise<Response> {
    return await whole(await fetch(this.url + path, { headers: { ...headers, ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }) } }))
  }

  /** Asks as a client on that continent does. */
  async getFrom(
    continent: 'EU' | 'NA',
    path: string,
    headers: Record<string, string> = {},
  ): Promise<{ readonly status: number; readonly bytes: Uint8Array; readonly location: string | null }> {
    const answer = await this.#miniflare.dispatchFetch(this.url + path, { cf: { continent }, headers, redirect: 'manual' })
    return { status: answer.status, bytes: new Uint8Array(await answer.arrayBuffer()), location: answer.headers.get('location') }
  }

  async has(digest: string): Promise<boolean> {
    const bucket = await this.#miniflare.getR2Bucket('BUCKET')
    return (await bucket.head(`blobs/${digest.replace(':', '/')}`)) !== null
  }

  /** Keys in the region's bucket. */
  async stored(prefix: string): Promise<string[]> {
    const bucket = await this.#miniflare.getR2Bucket('BUCKET')
    return (await bucket.list({ prefix })).objects.map(({ key }) => key)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.line.cut()
    await this.#miniflare.dispose()
  }
}

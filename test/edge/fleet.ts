import { randomUUID } from 'node:crypto'
import { edgeApp } from '../../edge/app.ts'
import { keptInMemory } from '../../edge/kept.ts'
import { Link } from '../../edge/link.ts'
import { Sources } from '../../edge/sources.ts'
import { originLogin } from '../../edge/token-service.ts'
import { Tokens } from '../../edge/tokens.ts'
import { systemClock } from '../../registry/clock.ts'
import { FillTable } from '../../registry/fill/index.ts'
import { createLogger } from '../../runtime/logger.ts'
import { createHasher } from '../../stores/hasher.ts'
import { memoryObjectStore } from '../../stores/memory-object-store.ts'
import { slicedBlobStore } from '../../stores/sliced-blob-store.ts'
import { Line } from './support.ts'

/** A whole edge of a fleet: everything but a socket and a disk. What it is told and what it answers are an edge's own. */
export class FleetEdge implements AsyncDisposable {
  readonly name: string
  readonly line: Line
  readonly #link: Link
  readonly #app: (request: Request) => Promise<Response>
  readonly #ending = new AbortController()
  readonly #running: Promise<void>
  readonly #fills: FillTable
  #heard = Promise.withResolvers<void>()

  private constructor(name: string, parts: { link: Link; line: Line; fills: FillTable; app: (request: Request) => Promise<Response> }) {
    this.name = name
    this.line = parts.line
    this.#link = parts.link
    this.#app = parts.app
    this.#fills = parts.fills
    this.#running = this.#link.run(this.#ending.signal)
  }

  static async join(name: string, originUrl: string, enrolmentToken: string): Promise<FleetEdge> {
    const line = new Line()
    const log = createLogger({ level: 'silent' })
    const newId = () => randomUUID()
    const records = memoryObjectStore()
    const blobs = slicedBlobStore(records)
    const fills = new FillTable({ blobs, createHasher, clock: systemClock, log })
    const made: { sources?: Sources; edge?: FleetEdge } = {}
    const link = await Link.open({
      originUrl: new URL(originUrl),
      fetch: line.fetch,
      kept: keptInMemory(),
      clock: systemClock,
      monotonic: () => performance.now(),
      random: Math.random,
      newId,
      log,
      grace: 3_600_000,
      enrolmentToken,
      url: `https://${name}.example.com`,
      version: '0.1.0',
      listener: {
        apply: async (entries) => {
          await made.sources?.forget(entries)
          made.edge?.tell()
        },
        restart: async () => made.edge?.tell(),
      },
      report: async () => ({ hits: 0, misses: 0, bytesServed: 0, bytesFetched: 0, diskBytes: 0 }),
    })
    const sources = new Sources({
      mesh: link,
      fetchFor: () => line.fetch,
      cache: { blobs, records },
      fills,
      createHasher,
      clock: systemClock,
      log,
    })
    made.sources = sources
    const app = edgeApp({
      mesh: link,
      sources,
      tokens: new Tokens({ origin: link.origin, newId }),
      login: originLogin(link.origin, (principal) => link.offer(principal), { mesh: link, clock: systemClock, log }),
      region: () => 'here',
      version: '0.1.0',
      url: undefined,
      newId,
      log,
    })
    await link.join(AbortSignal.timeout(30_000))
    const edge = new FleetEdge(name, { link, line, fills, app })
    made.edge = edge
    return edge
  }

  get state() {
    return this.#link.status().state
  }

  /** The next time that the feed has been acted on here. */
  get news(): Promise<void> {
    return this.#heard.promise
  }

  tell(): void {
    this.#heard.resolve()
    this.#heard = Promise.withResolvers()
  }

  async get(path: string, token: string | undefined): Promise<Response> {
    const response = await this.#app(
      new Request(`https://${this.name}.example.com${path}`, { headers: token === undefined ? {} : { authorization: `Bearer ${token}` } }),
    )
    return new Response(await response.arrayBuffer(), response)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort(new DOMException('The edge ends.', 'AbortError'))
    await this.#running
    await this.#fills.close()
  }
}

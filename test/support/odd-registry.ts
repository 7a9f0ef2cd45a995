import type { ServerResponse } from 'node:http'
import { type RandomImageOptions, randomImage, type TestImage } from './images.ts'
import { ScriptedServer, type Seen } from './scripted-server.ts'

/** What is answered in place of anything else. */
export interface OddAnswer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

type Layers = NonNullable<RandomImageOptions['layers']>

/** A registry of one repository with one tag that keeps to no more of the specification than a test wants it to. */
export class OddRegistry implements AsyncDisposable {
  /** What the tag points at. */
  image: TestImage
  /** For the next requests, one each. */
  readonly answers: Readonly<Record<'manifests' | 'blobs', OddAnswer[]>> = { manifests: [], blobs: [] }
  /** How a HEAD for a manifest is answered. */
  headless: number | undefined
  /** Blobs come in chunks, without saying how long they are … */
  chunked = false
  /** … but when they are asked with HEAD, … */
  lengthInHead = true
  /** … or for a part of them. */
  ranges = true
  /** So many manifests are cut in the middle. */
  cuts = 0
  readonly #images: TestImage[] = []
  readonly #layers: Layers
  readonly #server: ScriptedServer

  private constructor(server: ScriptedServer, layers: Layers) {
    this.#server = server
    this.#layers = layers
    this.image = this.move()
  }

  static async start(layers: Layers): Promise<OddRegistry> {
    const server = await ScriptedServer.start((_request, response) => response.writeHead(503).end())
    const registry = new OddRegistry(server, layers)
    server.script = (_request, response, seen) => registry.#answer(seen, response)
    return registry
  }

  get url(): URL {
    return this.#server.url
  }

  get seen(): Seen[] {
    return this.#server.seen
  }

  get lines(): string[] {
    return this.#server.lines
  }

  /** The tag points at another image. */
  move(to: TestImage = randomImage({ layers: this.#layers })): TestImage {
    this.image = to
    this.#images.push(this.image)
    return this.image
  }

  #answer({ method, url, headers }: Seen, response: ServerResponse): void {
    const [, kind, reference = ''] = url.match(/^\/v2\/team\/app\/(manifests|blobs)\/(.+)$/) ?? []
    const odd = kind === 'manifests' || kind === 'blobs' ? this.answers[kind].shift() : { status: 404 }
    if (odd !== undefined) response.writeHead(odd.status, odd.headers).end(method === 'HEAD' ? undefined : odd.body)
    else if (kind === 'manifests') this.#manifest(method, reference, response)
    else this.#blob(method, reference, headers.range, response)
  }

  #manifest(method: string, reference: string, response: ServerResponse): void {
    const image = reference === 'latest' ? this.image : this.#images.find(({ manifest }) => manifest.digest === reference)
    const refused = method === 'HEAD' ? this.headless : undefined
    if (refused !== undefined || image === undefined) {
      response.writeHead(refused ?? 404).end()
      return
    }
    const { mediaType, digest, bytes } = image.manifest
    response.writeHead(200, { 'content-type': mediaType, 'docker-content-digest': digest, 'content-length': bytes.length })
    if (method !== 'GET' || this.cuts === 0) {
      response.end(method === 'HEAD' ? undefined : bytes)
      return
    }
    this.cuts--
    response.write(bytes.subarray(0, bytes.length / 2), () => response.destroy())
  }

  #blob(method: string, digest: string, range: string | undefined, response: ServerResponse): void {
    const blob = this.#images.flatMap(({ blobs }) => blobs).find((one) => one.digest === digest)
    if (blob === undefined) {
      response.writeHead(404).end()
      return
    }
    const { bytes } = blob
    const [, from, to] = (this.ranges ? range : undefined)?.match(/^bytes=(\d+)-(\d*)$/) ?? []
    const start = Number(from ?? 0)
    const end = to ? Math.min(Number(to) + 1, bytes.length) : bytes.length
    response.writeHead(from === undefined ? 200 : 206, {
      ...((from !== undefined || (method === 'HEAD' ? this.lengthInHead : !this.chunked)) && { 'content-length': end - start }),
      ...(from !== undefined && { 'content-range': `bytes ${start}-${end - 1}/${bytes.length}` }),
    })
    response.end(method === 'HEAD' ? undefined : bytes.subarray(start, end))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#server[Symbol.asyncDispose]()
  }
}

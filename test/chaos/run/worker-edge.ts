import { createHash } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { Miniflare } from 'miniflare'
import { parseIndex, slicesOf } from '../../../stores/slices.ts'
import { bundleWorker, WORKER_OPTIONS } from '../../edge/worker-support.ts'
import { freePort } from '../../support/atoll.ts'
import { childrenNamed } from '../../support/processes.ts'
import { until } from '../../support/until.ts'
import type { ChaosEdge } from './chaos-edge.ts'

/** What workerd has said last, in characters. */
const OUTPUT = 200_000

export interface WorkerEdgeOptions {
  /** `host:port` */
  readonly origin: string
  readonly enrolmentToken: string
  readonly cacheBytes: number
}

/** The Worker in a workerd that can be killed: its bucket and its objects' storage are on the disk. */
export class WorkerEdge implements ChaosEdge {
  readonly edge: string
  // An object that fetches is given up after 150 s without a byte, and before that it has had its own sources to wait for.
  readonly answersWithinMs = 240_000
  readonly #start: () => Promise<Miniflare>
  readonly #folder: string
  #miniflare: Miniflare | undefined
  #pid = 0
  #output = ''

  private constructor(port: number, folder: string, script: string, { origin, enrolmentToken, cacheBytes }: WorkerEdgeOptions) {
    this.edge = `127.0.0.1:${port}`
    this.#folder = folder
    this.#start = async () => {
      const miniflare = new Miniflare({
        ...WORKER_OPTIONS,
        port,
        script,
        bindings: { ORIGIN_URL: `http://${origin}`, ENROLMENT_TOKEN: enrolmentToken, GRACE: '3600', CACHE_MAX_BYTES: String(cacheBytes) },
        r2Persist: join(folder, 'r2'),
        durableObjectsPersist: join(folder, 'objects'),
        handleRuntimeStdio: (stdout: Readable, stderr: Readable) => {
          this.#listen(stdout)
          this.#listen(stderr)
        },
      })
      await miniflare.ready
      return miniflare
    }
  }

  /** Resolves when it is connected with its origin. */
  static async start(options: WorkerEdgeOptions): Promise<WorkerEdge> {
    const folder = await mkdtemp(join(tmpdir(), 'atoll-worker-'))
    const edge = new WorkerEdge(await freePort(), folder, await bundleWorker(), options)
    await edge.restart()
    await until('the worker is connected', async () => (await edge.#health()) === 'connected')
    return edge
  }

  get pid(): number {
    return this.#pid
  }

  async kill(): Promise<void> {
    const miniflare = this.#miniflare
    if (miniflare === undefined) return
    process.kill(this.#pid, 'SIGKILL')
    await until('workerd is gone', async () => !(await childrenNamed('workerd')).includes(this.#pid))
    this.#miniflare = undefined
    await miniflare.dispose()
  }

  async restart(): Promise<void> {
    const others = await childrenNamed('workerd')
    this.#miniflare = await this.#start()
    const [pid] = (await childrenNamed('workerd')).filter((child) => !others.includes(child))
    if (pid === undefined) throw new Error('no child process is named workerd')
    this.#pid = pid
    await until('the worker answers', async () => (await this.#health()) !== undefined, 60_000)
  }

  /** Ends it, and takes the storage of the objects of one class away. */
  async loseObjects(className: string): Promise<void> {
    await this.kill()
    const objects = join(this.#folder, 'objects')
    for (const name of await readdir(objects)) if (name.endsWith(className)) await rm(join(objects, name), { recursive: true })
  }

  async output(): Promise<string> {
    return this.#output
  }

  async wrongBlobs(): Promise<string[]> {
    const bucket = await this.#miniflare?.getR2Bucket('BUCKET')
    if (bucket === undefined) throw new Error('the worker does not run')
    const bytesOf = async (key: string) => {
      const found = await bucket.get(key)
      return found === null ? undefined : new Uint8Array(await found.arrayBuffer())
    }
    /** undefined: it is not there, or not all of it. */
    const digestOf = async (key: string): Promise<string | undefined> => {
      const index = await bytesOf(key)
      if (index === undefined) return undefined
      const hash = createHash('sha256')
      for (const slice of slicesOf(parseIndex(index))) {
        const bytes = await bytesOf(slice.key)
        if (bytes === undefined) return undefined
        hash.update(bytes)
      }
      return hash.digest('hex')
    }
    const wrong: string[] = []
    for (const { key } of (await bucket.list({ prefix: 'blobs/sha256/' })).objects) {
      const digest = await digestOf(key)
      // What makes room is gone a moment later as a whole.
      if (digest === undefined) await until(`${key} is gone`, async () => (await bucket.head(key)) === null)
      else if (digest !== key.slice('blobs/sha256/'.length)) wrong.push(key)
    }
    return wrong
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#miniflare?.dispose()
    await rm(this.#folder, { recursive: true, force: true })
  }

  async #health(): Promise<string | undefined> {
    try {
      return ((await (await fetch(`http://${this.edge}/healthz`)).json()) as { status: string }).status
    } catch {
      return undefined
    }
  }

  #listen(stream: Readable): void {
    stream.setEncoding('utf8')
    stream.on('data', (text: string) => {
      this.#output = (this.#output + text).slice(-OUTPUT)
    })
  }
}

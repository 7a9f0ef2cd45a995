import { rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type AtollProcess, startAtoll } from '../../support/atoll.ts'
import { randomImage, type TestImage } from '../../support/images.ts'
import { fillDisk, type SmallDisk, smallDisk } from '../../support/small-disk.ts'
import { Tenant, type TestRobot } from '../../support/tenant.ts'
import { startUpstream, type Upstream } from '../../support/upstream/upstream.ts'
import type { ChaosEdge } from './chaos-edge.ts'
import { nodeEdge } from './node-edge.ts'
import type { Random } from './random.ts'
import { Wire } from './wire.ts'
import { WorkerEdge } from './worker-edge.ts'

const MIB = 1024 * 1024
const DISK_MIB = 64
/** Less than there is to pull: blobs come and go. */
const CACHE_MIB = { node: 24, worker: 8 } as const
/** Under miniflare everything takes longer, so that a Worker has less to pull. */
const CONTENT = {
  node: { proxied: ['library/one', 'library/two', 'library/three'], tags: ['v1', 'v2', 'latest'], layers: [40_000, 700_000, 3 * MIB, 6 * MIB] },
  worker: { proxied: ['library/one', 'library/two'], tags: ['v1', 'latest'], layers: [40_000, 700_000, 3 * MIB] },
} as const
const CLOCK = fileURLToPath(new URL('../../support/moved-clock.ts', import.meta.url))

/** A repository at the edge, and what its tags have pointed at, the newest last. */
export interface Subject {
  readonly repository: string
  readonly private: boolean
  readonly tags: Map<string, TestImage[]>
  /** Those that are there for certain. */
  readonly pushed: Set<TestImage>
}

/** An upstream, an origin behind a wire, and an edge on a small disk or in workerd: all of them real, and everything about them can be made to fail. */
export class Site implements AsyncDisposable {
  readonly kind: 'node' | 'worker'
  readonly upstream: Upstream
  readonly origin: AtollProcess
  readonly edge: ChaosEdge
  /** The edge, if it is one in workerd. */
  readonly worker: WorkerEdge | undefined
  readonly wire: Wire
  readonly robot: TestRobot
  readonly subjects: readonly Subject[]
  /** Whether the upstream gives other bytes than it should, or did so while a fill that is still under way began. */
  lying = false
  readonly #tenant: Tenant
  readonly #disk: SmallDisk | undefined
  readonly #stack: AsyncDisposableStack

  private constructor(parts: Pick<Site, 'kind' | 'upstream' | 'origin' | 'edge' | 'worker' | 'wire' | 'robot' | 'subjects'>, inner: SiteInner) {
    this.kind = parts.kind
    this.worker = parts.worker
    this.upstream = parts.upstream
    this.origin = parts.origin
    this.edge = parts.edge
    this.wire = parts.wire
    this.robot = parts.robot
    this.subjects = parts.subjects
    this.#tenant = inner.tenant
    this.#disk = inner.disk
    this.#stack = inner.stack
  }

  /** undefined: distribution's registry is not installed, and a line said how to get it. */
  static async start(kind: Site['kind']): Promise<Site | undefined> {
    await using stack = new AsyncDisposableStack()
    const upstream = await startUpstream()
    if (upstream === undefined) return undefined
    stack.use(upstream)
    const disk = kind === 'node' ? await smallDisk(DISK_MIB) : undefined
    if (disk !== undefined) stack.use(disk)
    const moved = { ATOLL_LOG_LEVEL: 'warn', NODE_OPTIONS: `--import=${CLOCK}` }
    const origin = stack.use(await startAtoll({ role: 'origin', env: { ...moved, MOVED_CLOCK_FILE: clockOf(upstream, 'origin') } }))
    const wire = stack.use(await Wire.to(origin.origin))
    const tenant = new Tenant(origin)
    const registry = await tenant.endpoint({ name: 'hub', type: 'docker-hub', url: upstream.url.origin, insecure: true })
    await tenant.project('hub', { public: true, registry_id: registry })
    await tenant.project('team', { public: false })
    const robot = await tenant.robot('puller', 'team')
    const enrolmentToken = await tenant.enrolmentToken('chaos')
    const startNode = async () => {
      const atoll = await startAtoll({
        role: 'edge',
        env: {
          ...moved,
          MOVED_CLOCK_FILE: clockOf(upstream, 'edge'),
          ATOLL_EDGE_ORIGIN_URL: `http://${wire.near}`,
          ATOLL_EDGE_ENROLMENT_TOKEN: enrolmentToken,
          ATOLL_EDGE_CACHE_MAX_BYTES: `${CACHE_MIB.node}MiB`,
          ...(disk && { ATOLL_EDGE_DATA_VOLUME: join(disk.folder, 'edge') }),
        },
      })
      return nodeEdge(atoll, join(disk?.folder ?? join(atoll.data, 'data'), 'edge'))
    }
    const worker = kind === 'worker' ? await WorkerEdge.start({ origin: wire.near, enrolmentToken, cacheBytes: CACHE_MIB.worker * MIB }) : undefined
    const edge = stack.use(worker ?? (await startNode()))
    stack.defer(async () => {
      for (const who of ['origin', 'edge'] as const) await rm(clockOf(upstream, who), { force: true })
    })
    const content = CONTENT[kind]
    const subjects: Subject[] = [
      ...content.proxied.map((name) => ({
        repository: `hub/${name}`,
        private: false,
        tags: new Map(),
        pushed: new Set<TestImage>(),
      })),
      { repository: 'team/app', private: true, tags: new Map(), pushed: new Set() },
    ]
    const site = new Site({ kind, upstream, origin, edge, worker, wire, robot, subjects }, { tenant, disk, stack: stack.move() })
    for (const subject of subjects) for (const tag of content.tags) await site.push(subject, tag, content.layers)
    return site
  }

  get hasSmallDisk(): boolean {
    return this.#disk !== undefined
  }

  /** A new image under a tag: it counts from before it is pushed, for nobody knows when a push is seen. */
  async push(subject: Subject, tag: string, sizes: readonly number[]): Promise<void> {
    const image = randomImage({ layers: sizes })
    subject.tags.set(tag, [...(subject.tags.get(tag) ?? []), image])
    if (subject.private) await this.#tenant.push(subject.repository, image, this.robot, tag)
    else await this.upstream.push(subject.repository.slice('hub/'.length), image, tag)
    subject.pushed.add(image)
  }

  async move(subject: Subject, random: Random): Promise<void> {
    await this.push(subject, 'latest', [random.between(1, 2 * MIB), random.between(1, MIB)])
  }

  async setClock(who: 'origin' | 'edge', offsetMs: number): Promise<void> {
    await writeFile(clockOf(this.upstream, who), String(offsetMs))
    process.kill(this[who].pid, 'SIGUSR2')
  }

  async fillDisk(): Promise<void> {
    if (this.#disk !== undefined) await fillDisk(join(this.#disk.folder, 'filler'))
  }

  async freeDisk(): Promise<void> {
    if (this.#disk !== undefined) await rm(join(this.#disk.folder, 'filler'), { force: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { pid } of [this.origin, this.edge]) resume(pid)
    await this.#stack[Symbol.asyncDispose]()
  }
}

interface SiteInner {
  readonly tenant: Tenant
  readonly disk: SmallDisk | undefined
  readonly stack: AsyncDisposableStack
}

/** A stopped process goes on. One that has ended does not mind. */
export function resume(pid: number): void {
  try {
    process.kill(pid, 'SIGCONT')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

/** A file of this site only: ports are given once. */
function clockOf(upstream: Upstream, who: string): string {
  return join(tmpdir(), `atoll-clock-${process.pid}-${upstream.url.port}-${who}`)
}

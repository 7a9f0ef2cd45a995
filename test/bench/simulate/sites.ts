import { destinationName } from '../../../control-plane/replication/destination-name.ts'
import { matching } from '../../../control-plane/replication/matching.ts'
import { type JobHandler, Scheduler } from '../../../control-plane/scheduler.ts'
import { pause } from '../../../registry/clock.ts'
import type { Log } from '../../../registry/log.ts'
import { RegistryError } from '../../../registry/spec/errors.ts'
import { parseRepositoryName, type RepositoryName, type Tag } from '../../../registry/spec/names.ts'
import type { Page, Slice } from '../../../registry/spec/pages.ts'
import { compare, nextVersion, type SiteId, type TagState } from '../../../registry/versions/version.ts'
import { REPLICATE } from '../../../schema/replication-jobs.ts'
import { ModelledJobs } from './modelled-jobs.ts'
import { logNormal, seeded } from './random.ts'
import { VirtualClock } from './virtual-clock.ts'

/** What the world is like. Times in milliseconds, bytes, bytes a second. */
export const WORLD = {
  tagsOfRepository: 100,
  medianBytes: 2 * 2 ** 20,
  bytesSpread: 1.2,
  rtt: 60,
  uplink: 1.25e9,
  downlink: 1.25e9,
  /** One stream over a long link. */
  stream: 60e6,
  /** Round trips to move one artifact: what its blobs are asked for, sent and finished in, its manifest and its tag; four blobs at once. */
  tripsOfCopy: 6,
  requestsOfCopy: 18,
  /** Requests until a cut that breaks a task, and how long it lasts. */
  cutEvery: 200_000,
  cutLasts: 120_000,
} as const

/** Whom each site has a rule to, and who does the work. */
export interface Topology {
  readonly name: string
  readonly targets: (site: number, sites: number) => readonly number[]
  /** `pull`: the destination's jobs do it. */
  readonly by: 'push' | 'pull'
  /** Whether the work is set off by what arrives (a tag each), or a batch is passed on as it came. */
  readonly passes: 'tags' | 'batches'
}

const siteId = (site: number) => site.toString(16).padStart(16, '0') as SiteId
const range = (from: number, to: number) => Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i)
const children = (site: number, sites: number, each: number) => range(Math.min(sites, site * each + 1), Math.min(sites, site * each + 1 + each))

export const star = (by: 'push' | 'pull', passes: Topology['passes']): Topology => ({
  name: `star, ${by === 'push' ? 'the hub pushes' : 'each site pulls'}`,
  targets: (site, sites) => (site === 0 ? range(1, sites) : []),
  by,
  passes,
})
export const tree = (each: number, by: 'push' | 'pull', passes: Topology['passes']): Topology => ({
  name: `tree of ${each}, ${by === 'push' ? 'parents push' : 'children pull'}`,
  targets: (site, sites) => children(site, sites, each),
  by,
  passes,
})
/** Both ways along a tree: whatever is pushed anywhere reaches everybody. */
export const treeBothWays = (each: number): Topology => ({
  name: `tree of ${each}, both ways`,
  targets: (site, sites) => [...(site === 0 ? [] : [Math.floor((site - 1) / each)]), ...children(site, sites, each)],
  by: 'push',
  passes: 'tags',
})
export const hubBothWays: Topology = {
  name: 'hub, both ways',
  targets: (site, sites) => (site === 0 ? range(1, sites) : [0]),
  by: 'push',
  passes: 'tags',
}
export const mesh: Topology = {
  name: 'everybody to everybody',
  targets: (site, sites) => range(0, sites).filter((other) => other !== site),
  by: 'push',
  passes: 'tags',
}

interface TaskPayload {
  readonly from: number
  readonly to: number
  readonly artifacts: Uint32Array
}

export interface SitesOptions {
  readonly topology: Topology
  readonly sites: number
  readonly artifacts: number
  readonly concurrency: number
  readonly seed: number
}

export interface SitesSeen {
  readonly hours: number
  readonly tasks: number
  readonly retried: number
  readonly failed: number
  readonly requests: number
  readonly deepest: number
  /** Bytes that left the first site, the most that left another, and all. */
  readonly egress: { readonly first: number; readonly other: number; readonly all: number }
  /** Of what was pushed while it ran: milliseconds until every site had it. */
  readonly delays: readonly number[]
  readonly converged: boolean
}

/** As the client of another registry says it. */
const cut = (message: string) => new RegistryError('UNAVAILABLE', message, { upstream: 'site.test' })

/** A site: its jobs are modelled, its scheduler is the real one. */
interface Site {
  readonly jobs: ModelledJobs
  /** Which write of each artifact it has; 0: none. */
  readonly held: Uint8Array
  up: number
  down: number
  sent: number
}

const SILENT: Log = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: (fields, message) => process.stderr.write(`${message} ${JSON.stringify(fields)}\n`),
}

export class SitesSimulation {
  readonly #options: SitesOptions
  readonly #clock = new VirtualClock()
  readonly #random: () => number
  readonly #sizes: Float64Array
  readonly #sites: Site[]
  readonly #writes: TagState[][]
  readonly #cuts = new Map<number, number>()
  readonly #schedulers: Scheduler[]
  /** Of each artifact, how many sites lack its last write. */
  readonly #lacking: Uint8Array
  readonly #pushedAt = new Map<number, number>()
  readonly #delays: number[] = []
  #open = 0
  #requests = 0

  constructor(options: SitesOptions) {
    const { sites, artifacts, concurrency, seed } = options
    this.#options = options
    this.#random = seeded(seed)
    this.#sizes = Float64Array.from({ length: artifacts }, () => logNormal(this.#random, WORLD.medianBytes, WORLD.bytesSpread))
    this.#sites = range(0, sites).map(() => ({ jobs: new ModelledJobs(this.#clock), held: new Uint8Array(artifacts), up: 0, down: 0, sent: 0 }))
    this.#writes = []
    this.#lacking = new Uint8Array(artifacts)
    const handlers = new Map<string, JobHandler>([[REPLICATE, { run: (job, signal) => this.#task(job.payload as TaskPayload, signal) }]])
    this.#schedulers = this.#sites.map(
      ({ jobs }, index) =>
        new Scheduler({ jobs, handlers, owner: `site-${index}`, concurrency, clock: this.#clock, log: SILENT, random: this.#random }),
    )
  }

  /** Everything that the first site has goes to all others. */
  async firstSync(): Promise<SitesSeen> {
    const { sites, artifacts } = this.#options
    // They all have one version, told once: a million states would say the same.
    const first = [{ version: nextVersion(undefined, this.#clock.now(), siteId(0)), digest: undefined }]
    for (let artifact = 0; artifact < artifacts; artifact++) this.#writes[artifact] = first
    this.#sites[0]?.held.fill(1)
    this.#lacking.fill(sites - 1)
    this.#open = artifacts * (sites - 1)
    const batches = await this.#plan()
    for (const to of this.#targets(0)) for (const artifacts of batches) this.#enqueue({ from: 0, to, artifacts })
    return await this.#run()
  }

  /** Pushes at any site, so many, within so long; each moves a tag that is everywhere already. */
  async pushes(count: number, withinMs: number): Promise<SitesSeen> {
    for (let i = 0; i < count; i++) {
      const site = Math.floor(this.#random() * this.#options.sites)
      const artifact = Math.floor(this.#random() * this.#options.artifacts)
      this.#open++
      this.#clock.after(this.#random() * withinMs, () => {
        this.#open--
        this.#write(artifact, site)
        this.#tell(site, [artifact])
      })
    }
    return await this.#run()
  }

  /** The tasks of a rule for everything, by the code that plans them. */
  async #plan(): Promise<Uint32Array[]> {
    const { artifacts } = this.#options
    const repositories = Math.ceil(artifacts / WORLD.tagsOfRepository)
    const name = (index: number) => parseRepositoryName(`team/r${String(index).padStart(7, '0')}`)
    const pageOf = <T extends string>(all: readonly T[], { limit, last }: Page): Slice<T> => {
      const from = last === undefined ? 0 : all.indexOf(last as T) + 1
      return { items: all.slice(from, from + limit), more: from + limit < all.length }
    }
    const tags = range(0, WORLD.tagsOfRepository).map((index) => `t${String(index).padStart(4, '0')}` as Tag)
    const source = {
      repositories: async ({ limit, last }: Page) => {
        const from = last === undefined ? 0 : Number(last.slice('team/r'.length)) + 1
        return { items: range(from, Math.min(from + limit, repositories)).map(name), more: from + limit < repositories }
      },
      repository: (repository: RepositoryName) => ({
        tags: {
          list: async (page: Page) => {
            const first = Number(repository.slice('team/r'.length)) * WORLD.tagsOfRepository
            return pageOf(tags.slice(0, Math.min(tags.length, artifacts - first)), page)
          },
        },
      }),
    }
    const batches: Uint32Array[] = []
    const site = { open: () => source, facts: async () => undefined }
    const rule = { filters: [{ type: 'name', value: 'team/**' }] }
    for await (const { repository, tags } of matching(site, rule, undefined, new AbortController().signal)) {
      const first = Number(destinationName(repository, '', -1).slice('team/r'.length)) * WORLD.tagsOfRepository
      batches.push(Uint32Array.from(tags, (tag) => first + Number(tag.slice(1))))
    }
    return batches
  }

  #write(artifact: number, site: number): void {
    const at = this.#sites[site] as Site
    const before = this.#writes[artifact]?.[(at.held[artifact] as number) - 1]
    const version = nextVersion(before && { ...before, seen: [] }, this.#clock.now(), siteId(site))
    const writes = [...(this.#writes[artifact] ?? []), { version, digest: undefined }]
    this.#writes[artifact] = writes
    this.#pushedAt.set(artifact, this.#clock.now())
    at.held[artifact] = writes.length
    const winner = this.#winner(artifact)
    const lacking = this.#sites.reduce((sum, { held }) => sum + (held[artifact] === winner ? 0 : 1), 0)
    this.#open += lacking - (this.#lacking[artifact] as number)
    this.#lacking[artifact] = lacking
  }

  /** Which of the writes stands in the end, counted from 1. */
  #winner(artifact: number): number {
    const writes = this.#writes[artifact] ?? []
    let best = 0
    writes.forEach((write, index) => {
      if (best === 0 || compare(write, writes[best - 1] as TagState) === 'newer') best = index + 1
    })
    return best
  }

  #targets(site: number): readonly number[] {
    return this.#options.topology.targets(site, this.#options.sites)
  }

  #enqueue(payload: TaskPayload): void {
    const { from, to } = payload
    const [doer, other] = this.#options.topology.by === 'push' ? [from, to] : [to, from]
    // Lane 0 is of no endpoint.
    this.#sites[doer]?.jobs.enqueue({ kind: REPLICATE, payload, lane: other + 1, maxAttempts: 1_000 })
  }

  /** What a site has taken it passes on, by its rules. */
  #tell(site: number, artifacts: readonly number[]): void {
    for (const to of this.#targets(site)) {
      if (this.#options.topology.passes === 'batches') this.#enqueue({ from: site, to, artifacts: Uint32Array.from(artifacts) })
      else for (const artifact of artifacts) this.#enqueue({ from: site, to, artifacts: Uint32Array.of(artifact) })
    }
  }

  async #task({ from, to, artifacts }: TaskPayload, signal: AbortSignal): Promise<void> {
    const [source, destination] = [this.#sites[from] as Site, this.#sites[to] as Site]
    const link = from * this.#options.sites + to
    if ((this.#cuts.get(link) ?? 0) > this.#clock.now()) throw cut('The link is cut.')
    const newer = artifacts.filter((artifact) => this.#isNewer(artifact, source, destination))
    const bytes = newer.reduce((sum, artifact) => sum + (this.#sizes[artifact] as number), 0)
    const requests = artifacts.length + newer.length * WORLD.requestsOfCopy
    source.up++
    destination.down++
    // The share at its beginning counts for all of a task.
    const rate = Math.min(WORLD.uplink / source.up, WORLD.downlink / destination.down, WORLD.stream)
    const whole = WORLD.rtt * (artifacts.length + newer.length * WORLD.tripsOfCopy) + (bytes / rate) * 1000
    const broken = this.#random() < requests / WORLD.cutEvery ? this.#random() : 1
    try {
      await pause(this.#clock, whole * broken, signal)
    } finally {
      source.up--
      destination.down--
    }
    this.#requests += Math.ceil(requests * broken)
    source.sent += bytes * broken
    // What arrived before the cut is there, and is not sent again.
    const arrived = [...newer.subarray(0, Math.floor(newer.length * broken))].filter((artifact) => this.#isNewer(artifact, source, destination))
    for (const artifact of arrived) this.#take(artifact, source, destination)
    if (arrived.length > 0) this.#tell(to, arrived)
    if (broken === 1) return
    this.#cuts.set(link, this.#clock.now() + this.#random() * 2 * WORLD.cutLasts)
    throw cut('The link was cut.')
  }

  #isNewer(artifact: number, source: Site, destination: Site): boolean {
    const writes = this.#writes[artifact] ?? []
    const [mine, theirs] = [writes[(source.held[artifact] as number) - 1], writes[(destination.held[artifact] as number) - 1]]
    return mine !== undefined && (theirs === undefined || compare(mine, theirs) === 'newer')
  }

  #take(artifact: number, source: Site, destination: Site): void {
    destination.held[artifact] = source.held[artifact] as number
    if (destination.held[artifact] !== this.#winner(artifact)) return
    this.#open--
    this.#lacking[artifact] = (this.#lacking[artifact] as number) - 1
    const pushed = this.#pushedAt.get(artifact)
    if (this.#lacking[artifact] === 0 && pushed !== undefined) this.#delays.push(this.#clock.now() - pushed)
  }

  async #run(): Promise<SitesSeen> {
    let ended = 0
    await this.#clock.run(() => {
      if (this.#open > 0) return false
      ended ||= this.#clock.now()
      // What is left to do is to find out that there is nothing to do.
      return this.#sites.every(({ jobs }) => jobs.depth === 0)
    })
    const stopped = Promise.all(this.#schedulers.map((scheduler) => scheduler.stop()))
    await this.#clock.run(() => false)
    await stopped
    const sum = (of: (site: Site) => number) => this.#sites.reduce((total, site) => total + of(site), 0)
    return {
      hours: ended / 3_600_000,
      tasks: sum(({ jobs }) => jobs.done),
      retried: sum(({ jobs }) => jobs.tries - jobs.done - jobs.failed),
      failed: sum(({ jobs }) => jobs.failed),
      requests: this.#requests,
      deepest: Math.max(...this.#sites.map(({ jobs }) => jobs.deepest)),
      egress: { first: this.#sites[0]?.sent ?? 0, other: Math.max(...this.#sites.slice(1).map(({ sent }) => sent)), all: sum(({ sent }) => sent) },
      delays: this.#delays.sort((one, other) => one - other),
      converged: this.#open === 0,
    }
  }
}

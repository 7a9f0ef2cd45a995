import type { JobStore } from '../../../control-plane/job-store.ts'
import type { Claim } from '../../../schema/claims.ts'
import type { Failure, Job, NewJob } from '../../../schema/jobs.ts'
import type { VirtualClock } from './virtual-clock.ts'

/**
 * The jobs of one site in memory, by the rules of schema/jobs.ts and schema/claims.ts: leases with fences, lanes that take turns and are paused,
 * priorities, attempts and times to run. Ended jobs are forgotten. A model: nothing is durable, and nothing else holds jobs of this site, so no
 * lease is ever lost here.
 */
export class ModelledJobs implements JobStore {
  readonly #clock: VirtualClock
  readonly #lanes = new Map<number, Lane>()
  readonly #later = new Set<Job>()
  readonly #running = new Map<number, Job>()
  readonly #listeners = new Set<() => void>()
  #last = 0
  #order = 0
  #waiting = 0
  deepest = 0
  done = 0
  failed = 0
  tries = 0

  constructor(clock: VirtualClock) {
    this.#clock = clock
  }

  get depth(): number {
    return this.#waiting + this.#later.size + this.#running.size
  }

  enqueue(job: NewJob): void {
    this.#put(job)
    for (const listener of this.#listeners) listener()
  }

  onJobs(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async pausedKinds(): Promise<ReadonlySet<string>> {
    return NONE
  }

  async lease({ owner, leaseMs, idleLanesOnly = false }: Pick<Claim, 'owner' | 'leaseMs' | 'idleLanesOnly'>): Promise<Job | undefined> {
    const now = this.#clock.now()
    for (const job of this.#later) {
      if (job.runAt > now) continue
      this.#later.delete(job)
      this.#put(job)
    }
    let best: Lane | undefined
    for (const lane of this.#lanes.values()) {
      if (lane.until > now || (lane.running > 0 && (idleLanesOnly || lane.failures > 0))) continue
      if (lane.length > 0 && (best === undefined || lane.goesBefore(best))) best = lane
    }
    const waiting = best?.take()
    if (best === undefined || waiting === undefined) return undefined
    best.running++
    this.#waiting--
    this.tries++
    const job = 'id' in waiting ? waiting : this.#begin(waiting)
    const leased: Job = { ...job, state: 'running', attempts: job.attempts + 1, leaseOwner: owner, leaseUntil: now + leaseMs, fence: job.fence + 1 }
    this.#running.set(job.id, leased)
    return leased
  }

  async nextRunAt(): Promise<number | undefined> {
    const now = this.#clock.now()
    let next: number | undefined
    for (const { runAt } of this.#later) if (next === undefined || runAt < next) next = runAt
    for (const { length, until } of this.#lanes.values()) if (length > 0 && until > now && (next === undefined || until < next)) next = until
    return next
  }

  async find(id: number): Promise<Job | undefined> {
    return this.#running.get(id)
  }

  async renew({ id, fence }: { readonly id: number; readonly fence: number }): Promise<boolean> {
    return this.#running.get(id)?.fence === fence
  }

  async finish({ id }: { readonly id: number }): Promise<boolean> {
    const lane = this.#end(id)
    if (lane === undefined) return false
    lane.resume()
    this.done++
    return true
  }

  async fail(lease: { readonly id: number }, failure: Failure) {
    const job = this.#running.get(lease.id)
    const lane = this.#end(lease.id)
    if (job === undefined || lane === undefined) return undefined
    if (failure.pauseMs !== undefined) lane.pause(this.#clock.now(), failure.pauseMs)
    if (failure.final === true || job.attempts >= job.maxAttempts) {
      this.failed++
      return 'failed' as const
    }
    this.#later.add({ ...job, state: 'queued', runAt: this.#clock.now() + failure.delayMs(job.attempts), error: failure.error })
    return 'queued' as const
  }

  async release({ id }: { readonly id: number }): Promise<boolean> {
    const job = this.#running.get(id)
    if (job === undefined) return false
    this.#end(id)
    this.#put({ ...job, state: 'queued', attempts: job.attempts - 1 })
    return true
  }

  #end(id: number): Lane | undefined {
    const job = this.#running.get(id)
    if (job === undefined) return undefined
    this.#running.delete(id)
    const lane = this.#lane(job.lane)
    lane.running--
    return lane
  }

  #lane(id: number): Lane {
    const lane = this.#lanes.get(id) ?? new Lane()
    this.#lanes.set(id, lane)
    return lane
  }

  #put(job: Job | NewJob): void {
    this.#lane(job.lane ?? 0).put(job, ++this.#order)
    this.#waiting++
    this.deepest = Math.max(this.deepest, this.depth)
  }

  /** Two million wait at a time: each is only as much as was asked for until its turn comes. */
  #begin({ kind, payload, priority = 0, lane = 0, maxAttempts = 5 }: NewJob): Job {
    const now = this.#clock.now()
    return {
      ...{ id: ++this.#last, kind, payload, priority, lane, maxAttempts, state: 'queued', runAt: now, attempts: 0, fence: 0 },
      ...{
        leaseOwner: null,
        leaseUntil: null,
        progress: null,
        error: null,
        idempotencyKey: null,
        mergeKey: null,
        createdAt: now,
        updatedAt: now,
        finishedAt: null,
      },
    }
  }
}

/** The jobs that use one endpoint. */
class Lane {
  /** The urgent ones, then the others. */
  readonly #lines = [new Line(), new Line()]
  running = 0
  failures = 0
  until = 0

  get length(): number {
    return this.#lines.reduce((sum, { length }) => sum + length, 0)
  }

  put(job: Job | NewJob, order: number): void {
    this.#lines[(job.priority ?? 0) > 0 ? 0 : 1]?.put(job, order)
  }

  take(): Job | NewJob | undefined {
    return this.#lines.find(({ length }) => length > 0)?.take()
  }

  goesBefore(other: Lane): boolean {
    const [mine, theirs] = [this.#first, other.#first]
    return (mine.line - theirs.line || this.running - other.running || mine.order - theirs.order) < 0
  }

  pause(now: number, pauseMs: (failures: number) => number): void {
    if (this.until <= now) this.failures++
    this.until = Math.max(this.until, now + pauseMs(this.failures))
  }

  resume(): void {
    this.failures = 0
    this.until = 0
  }

  get #first(): { readonly line: number; readonly order: number } {
    const line = this.#lines.findIndex(({ length }) => length > 0)
    return { line, order: this.#lines[line]?.first ?? 0 }
  }
}

/** First in, first out. */
class Line {
  #jobs: (Job | NewJob)[] = []
  #orders: number[] = []
  #first = 0

  get length(): number {
    return this.#jobs.length - this.#first
  }

  /** Where the first one is among all that came. */
  get first(): number | undefined {
    return this.#orders[this.#first]
  }

  put(job: Job | NewJob, order: number): void {
    this.#jobs.push(job)
    this.#orders.push(order)
  }

  take(): Job | NewJob | undefined {
    const job = this.#jobs[this.#first++]
    if (this.#first > 1_000 && this.#first > this.#jobs.length / 2) {
      this.#jobs = this.#jobs.slice(this.#first)
      this.#orders = this.#orders.slice(this.#first)
      this.#first = 0
    }
    return job
  }
}

const NONE: ReadonlySet<string> = new Set()

import type { JobStore } from '../../../control-plane/job-store.ts'
import type { Job, NewJob } from '../../../schema/jobs.ts'
import type { VirtualClock } from './virtual-clock.ts'

/**
 * The jobs of one site in memory, by the rules of schema/jobs.ts: leases with fences, priorities, attempts and times to run. Ended jobs are
 * forgotten. A model: nothing is durable, and nothing else holds jobs of this site, so no lease is ever lost here.
 */
export class ModelledJobs implements JobStore {
  readonly #clock: VirtualClock
  /** In the order in which they came, for each priority. */
  readonly #ready = [new Line(), new Line()]
  readonly #later = new Set<Job>()
  readonly #running = new Map<number, Job>()
  readonly #listeners = new Set<() => void>()
  #last = 0
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

  async lease({ owner, leaseMs }: { readonly owner: string; readonly leaseMs: number }): Promise<Job | undefined> {
    const now = this.#clock.now()
    for (const job of this.#later) {
      if (job.runAt > now) continue
      this.#later.delete(job)
      this.#put(job)
    }
    const waiting = this.#ready.find((line) => line.length > 0)?.take()
    if (waiting === undefined) return undefined
    this.#waiting--
    this.tries++
    const job = 'id' in waiting ? waiting : this.#begin(waiting)
    const leased: Job = { ...job, state: 'running', attempts: job.attempts + 1, leaseOwner: owner, leaseUntil: now + leaseMs, fence: job.fence + 1 }
    this.#running.set(job.id, leased)
    return leased
  }

  async nextRunAt(): Promise<number | undefined> {
    let next: number | undefined
    for (const { runAt } of this.#later) if (next === undefined || runAt < next) next = runAt
    return next
  }

  async find(id: number): Promise<Job | undefined> {
    return this.#running.get(id)
  }

  async renew({ id, fence }: { readonly id: number; readonly fence: number }): Promise<boolean> {
    return this.#running.get(id)?.fence === fence
  }

  async finish({ id }: { readonly id: number }): Promise<boolean> {
    this.done++
    return this.#running.delete(id)
  }

  async fail(
    lease: { readonly id: number },
    failure: { readonly error: string; readonly delayMs: (attempts: number) => number; readonly final?: boolean | undefined },
  ) {
    const job = this.#running.get(lease.id)
    if (job === undefined) return undefined
    this.#running.delete(job.id)
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
    this.#running.delete(id)
    this.#put({ ...job, state: 'queued', attempts: job.attempts - 1 })
    return true
  }

  #put(job: Job | NewJob): void {
    this.#ready[(job.priority ?? 0) > 0 ? 0 : 1]?.put(job)
    this.#waiting++
    this.deepest = Math.max(this.deepest, this.depth)
  }

  /** Two million wait at a time: each is only as much as was asked for until its turn comes. */
  #begin({ kind, payload, priority = 0, maxAttempts = 5 }: NewJob): Job {
    const now = this.#clock.now()
    return {
      ...{ id: ++this.#last, kind, payload, priority, maxAttempts, state: 'queued', runAt: now, attempts: 0, fence: 0 },
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

/** First in, first out. */
class Line {
  #jobs: (Job | NewJob)[] = []
  #first = 0

  get length(): number {
    return this.#jobs.length - this.#first
  }

  put(job: Job | NewJob): void {
    this.#jobs.push(job)
  }

  take(): Job | NewJob | undefined {
    const job = this.#jobs[this.#first++]
    if (this.#first > 1_000 && this.#first > this.#jobs.length / 2) {
      this.#jobs = this.#jobs.slice(this.#first)
      this.#first = 0
    }
    return job
  }
}

const NONE: ReadonlySet<string> = new Set()

import PQueue from 'p-queue'
import type { Clock } from '../registry/clock.ts'
import type { Log } from '../registry/log.ts'
import { RegistryError } from '../registry/spec/errors.ts'
import type { Job, Lease } from '../schema/jobs.ts'
import type { JobStore } from './job-store.ts'
import { BACKOFF_LIMIT_MS, BACKOFF_MS, FIRSTS_BEYOND, LEASE_MS, POLL_MS, RENEW_MS, WATCH_MS } from './limits.ts'

/** Does jobs of one kind. It must be able to do a job again that another has half done. */
export interface JobHandler {
  /** `signal` ends when the job is stopped, its lease is lost, or the process shuts down. */
  run(job: Job, signal: AbortSignal): Promise<void>
  /** Called before the job is put back (`again`: in so many milliseconds) or given up (`again` undefined). */
  failed?(job: Job, error: unknown, again: number | undefined): Promise<void>
}

export interface SchedulerOptions {
  readonly jobs: JobStore
  readonly handlers: ReadonlyMap<string, JobHandler>
  /** Names this process among all that take jobs. */
  readonly owner: string
  /** Jobs done at once. Beyond it a lane of which nothing runs may begin one, so that however slow some are, no other waits for them. */
  readonly concurrency: number
  readonly clock: Clock
  readonly log: Log
  /** In [0, 1): spreads retries. */
  readonly random: () => number
}

/** The job is another's now, or nobody's. What was done is kept; nothing more is written. */
class LeaseLost extends Error {
  override readonly name = 'LeaseLost'
}

class ShuttingDown extends Error {
  override readonly name = 'ShuttingDown'
}

/** Takes jobs from the database and does them. Any number of processes may do so at once, and any may die. */
export class Scheduler {
  readonly #options: SchedulerOptions
  readonly #queue: PQueue
  readonly #running = new Set<AbortController>()
  readonly #unsubscribe: () => void
  #wake = Promise.withResolvers<void>()
  #stopping = false
  readonly #loop: Promise<void>

  constructor(options: SchedulerOptions) {
    this.#options = options
    this.#queue = new PQueue({ concurrency: options.concurrency + FIRSTS_BEYOND })
    this.#unsubscribe = options.jobs.onJobs(() => this.#wake.resolve())
    this.#loop = this.#work()
  }

  /** Ends what runs, and gives its jobs back for others to do at once. */
  async stop(): Promise<void> {
    this.#stopping = true
    this.#unsubscribe()
    for (const controller of this.#running) controller.abort(new ShuttingDown('This process is shutting down.'))
    this.#wake.resolve()
    await this.#loop
    await this.#queue.onIdle()
  }

  async #work(): Promise<void> {
    const { jobs, handlers, log } = this.#options
    const all = [...handlers.keys()]
    while (!this.#stopping) {
      // Before asking, so that a commit between the question and the wait is not slept through.
      this.#wake = Promise.withResolvers()
      try {
        const paused = await jobs.pausedKinds()
        const kinds = paused.size === 0 ? all : all.filter((kind) => !paused.has(kind))
        const job = await this.#next(kinds)
        if (job) {
          this.#begin(job)
          continue
        }
        await this.#idle(await jobs.nextRunAt(kinds))
      } catch (error) {
        log.error({ err: error }, 'The job queue does not answer.')
        await this.#idle(undefined)
      }
    }
  }

  async #next(kinds: readonly string[]): Promise<Job | undefined> {
    const { jobs, owner, concurrency } = this.#options
    const busy = this.#running.size
    if (busy >= concurrency + FIRSTS_BEYOND) return undefined
    return await jobs.lease({ kinds, owner, leaseMs: LEASE_MS, idleLanesOnly: busy >= concurrency })
  }

  async #idle(runAt: number | undefined): Promise<void> {
    const { clock } = this.#options
    const wait = Math.min(POLL_MS, runAt === undefined ? POLL_MS : Math.max(1, runAt - clock.now()))
    const cancel = clock.after(wait, () => this.#wake.resolve())
    await this.#wake.promise
    cancel()
  }

  #begin(job: Job): void {
    const controller = new AbortController()
    if (this.#stopping) controller.abort(new ShuttingDown('This process is shutting down.'))
    this.#running.add(controller)
    this.#queue
      .add(() => this.#run(job, controller))
      .catch((error) => this.#options.log.error({ err: error, job: job.id }, 'A job could not be settled; its lease will expire.'))
      .finally(() => {
        this.#running.delete(controller)
        this.#wake.resolve()
      })
  }

  async #run(job: Job, controller: AbortController): Promise<void> {
    const { jobs, handlers, log } = this.#options
    const lease: Lease = { id: job.id, fence: job.fence }
    const endWatch = this.#watch(lease, controller)
    try {
      controller.signal.throwIfAborted()
      // It may be what ends the processes that try it: its handler only gets to say that it failed.
      if (job.attempts > job.maxAttempts) throw new RegistryError('UNKNOWN', `Whoever did this stopped without a word, ${job.maxAttempts} times.`)
      await handlers.get(job.kind)?.run(job, controller.signal)
      if (!(await jobs.finish(lease))) log.warn({ job: job.id }, 'A job was done after its lease was lost; the result is not counted.')
    } catch (error) {
      const { reason, aborted } = controller.signal
      if (aborted && reason instanceof ShuttingDown) await jobs.release(lease)
      else if (aborted && reason instanceof LeaseLost) log.info({ job: job.id }, 'A job was stopped, or is done by another.')
      else await this.#fail(job, lease, error)
    } finally {
      endWatch()
    }
  }

  async #fail(job: Job, lease: Lease, error: unknown): Promise<void> {
    const { jobs, handlers, log } = this.#options
    // Who is fenced off must not write anything about the job.
    if (!(await jobs.renew(lease, LEASE_MS))) return
    const final = !isWorthAnother(error)
    const again = final || job.attempts >= job.maxAttempts ? undefined : this.#delay(job.attempts, error)
    const pauseMs = isOfEndpoint(error) ? (failures: number) => this.#delay(failures, error) : undefined
    log.warn({ err: error, job: job.id, kind: job.kind, again }, 'A job failed.')
    await handlers.get(job.kind)?.failed?.(job, error, again)
    await jobs.fail(lease, { error: describe(error), delayMs: () => again ?? 0, final, pauseMs })
  }

  /** Twice as long each time, spread, and never sooner than whoever refused us asked for. */
  #delay(times: number, error: unknown): number {
    const backoff = Math.min(BACKOFF_MS * 2 ** (times - 1), BACKOFF_LIMIT_MS) * (0.5 + this.#options.random() / 2)
    const asked = error instanceof RegistryError ? Number(error.headers['Retry-After'] ?? 0) * 1000 : 0
    return Math.max(backoff, Number.isFinite(asked) ? asked : 0)
  }

  #watch(lease: Lease, controller: AbortController): () => void {
    const { jobs, clock, log } = this.#options
    let ended = false
    let renewed = clock.now()
    let cancel = () => {}
    const look = async () => {
      try {
        let held: boolean
        if (clock.now() - renewed >= RENEW_MS) {
          held = await jobs.renew(lease, LEASE_MS)
          renewed = clock.now()
        } else {
          const job = await jobs.find(lease.id)
          held = job?.state === 'running' && job.fence === lease.fence
        }
        if (!held) controller.abort(new LeaseLost('The job was stopped, or is done by another.'))
      } catch (error) {
        log.warn({ err: error, job: lease.id }, 'A lease could not be looked at.')
        // Whoever cannot renew must assume that another has the job by now.
        if (clock.now() - renewed >= LEASE_MS) controller.abort(new LeaseLost('The lease could not be renewed.'))
      }
      if (!ended && !controller.signal.aborted) cancel = clock.after(WATCH_MS, () => void look())
    }
    cancel = clock.after(WATCH_MS, () => void look())
    return () => {
      ended = true
      cancel()
    }
  }
}

/** Whether time may help. What is refused or missing stays so. */
export function isWorthAnother(error: unknown): boolean {
  if (!(error instanceof RegistryError)) return true
  return (
    error.status >= 500 ||
    error.code === 'TOOMANYREQUESTS' ||
    error.code === 'BLOB_UPLOAD_UNKNOWN' ||
    error.code === 'BLOB_UPLOAD_INVALID' ||
    error.code === 'RANGE_INVALID'
  )
}

const AWAY: ReadonlySet<unknown> = new Set([undefined, 429, 502, 503, 504])

/** Whether it says that another registry cannot be asked for anything now: whoever asks it next would hear the same. */
export function isOfEndpoint(error: unknown): boolean {
  if (!(error instanceof RegistryError)) return false
  const { upstream, status } = (error.detail ?? {}) as { readonly upstream?: unknown; readonly status?: unknown }
  return upstream !== undefined && (error.code === 'TOOMANYREQUESTS' || (error.code === 'UNAVAILABLE' && AWAY.has(status)))
}

/** For a person, without internals. */
export function describe(error: unknown): string {
  return error instanceof RegistryError ? `${error.code}: ${error.message}` : 'A fault of our own; the log of the process has the details.'
}

import type { Clock } from '../../registry/clock.ts'
import type { Log } from '../../registry/log.ts'
import type { Database } from '../../schema/database.ts'
import type { Lease } from '../../schema/jobs.ts'
import { appendTaskLog, updateTask } from '../../schema/replication-tasks.ts'
import { PROGRESS_MS } from '../limits.ts'
import { describe } from '../scheduler.ts'
import { statusOf } from './advice.ts'

/** The log and the progress of a task as people read them, written down at most once a second, as long as the lease is held. */
export class TaskLog {
  readonly #db: Database
  readonly #clock: Clock
  readonly #log: Log
  readonly #taskId: number
  readonly #lease: Lease
  #lines: string[] = []
  readonly #told: WeakSet<object>
  #moved: number
  /** Of blobs that are on their way: how many bytes are not there yet. */
  readonly #left = new Map<string, number>()
  #hasMoved = false
  #cancel: (() => void) | undefined
  #writing: Promise<void> = Promise.resolve()

  /** `told`: failures that were written down, by any log of the task. `moved`: bytes, by the attempts before. */
  constructor(
    options: { readonly db: Database; readonly clock: Clock; readonly log: Log; readonly told: WeakSet<object> },
    taskId: number,
    lease: Lease,
    moved = 0,
  ) {
    this.#db = options.db
    this.#clock = options.clock
    this.#log = options.log
    this.#taskId = taskId
    this.#lease = lease
    this.#told = options.told
    this.#moved = moved
  }

  line(level: 'INFO' | 'WARNING' | 'ERROR', text: string): void {
    this.#lines.push(`${new Date(this.#clock.now()).toISOString()} [${level}] ${text}\n`)
    this.#later()
  }

  /** A failure, once, with what stands `before` it. */
  failure(error: unknown, before = ''): void {
    if (typeof error === 'object' && error !== null) {
      if (this.#told.has(error)) return
      this.#told.add(error)
    }
    const status = statusOf(error)
    this.line('ERROR', `${before}${describe(error)}${status === undefined ? '' : ` (HTTP ${status})`}`)
  }

  /** So many more bytes have travelled. */
  moved(bytes: number): void {
    this.#moved += bytes
    this.#hasMoved = true
    this.#later()
  }

  /** So many bytes of a blob are still to travel. */
  left(blob: string, bytes: number): void {
    if (bytes > 0) this.#left.set(blob, bytes)
    else this.#left.delete(blob)
    this.#hasMoved = true
    this.#later()
  }

  /** Writes down everything that was said. */
  async flush(): Promise<void> {
    this.#cancel?.()
    this.#cancel = undefined
    const text = this.#lines.join('')
    this.#lines = []
    const left = [...this.#left.values()].reduce((sum, bytes) => sum + bytes, 0)
    const progress = this.#hasMoved ? { bytesTotal: this.#moved + left, bytesDone: this.#moved } : undefined
    this.#writing = this.#writing.then(async () => {
      if (text !== '') await appendTaskLog(this.#db, this.#taskId, text, this.#lease)
      if (progress !== undefined) await updateTask(this.#db, this.#taskId, progress, this.#lease)
    })
    await this.#writing
  }

  #later(): void {
    this.#cancel ??= this.#clock.after(PROGRESS_MS, () => {
      this.#cancel = undefined
      this.flush().catch((error) => this.#log.warn({ err: error, task: this.#taskId }, 'The log of a task could not be written.'))
    })
  }
}

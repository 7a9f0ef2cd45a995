import type { Clock } from '../../registry/clock.ts'
import type { Log } from '../../registry/log.ts'
import type { Database } from '../../schema/database.ts'
import type { Lease } from '../../schema/jobs.ts'
import { appendTaskLog, updateTask } from '../../schema/replication-tasks.ts'
import { PROGRESS_MS } from '../limits.ts'

/** The log and the progress of a task as people read them, written down at most once a second, as long as the lease is held. */
export class TaskLog {
  readonly #db: Database
  readonly #clock: Clock
  readonly #log: Log
  readonly #taskId: number
  readonly #lease: Lease
  #lines: string[] = []
  #bytesTotal = 0
  #bytesDone = 0
  #cancel: (() => void) | undefined
  #writing: Promise<void> = Promise.resolve()

  constructor(options: { readonly db: Database; readonly clock: Clock; readonly log: Log }, taskId: number, lease: Lease) {
    this.#db = options.db
    this.#clock = options.clock
    this.#log = options.log
    this.#taskId = taskId
    this.#lease = lease
  }

  line(level: 'INFO' | 'WARNING' | 'ERROR', text: string): void {
    this.#lines.push(`${new Date(this.#clock.now()).toISOString()} [${level}] ${text}\n`)
    this.#later()
  }

  /** So many more bytes are to be moved, or have been. */
  bytes({ total = 0, done = 0 }: { readonly total?: number; readonly done?: number }): void {
    this.#bytesTotal += total
    this.#bytesDone += done
    this.#later()
  }

  /** Writes down everything that was said. */
  async flush(): Promise<void> {
    this.#cancel?.()
    this.#cancel = undefined
    const text = this.#lines.join('')
    this.#lines = []
    const progress = { bytesTotal: this.#bytesTotal, bytesDone: this.#bytesDone }
    this.#writing = this.#writing.then(async () => {
      if (text !== '') await appendTaskLog(this.#db, this.#taskId, text, this.#lease)
      await updateTask(this.#db, this.#taskId, progress, this.#lease)
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

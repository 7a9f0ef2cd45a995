import type Connection from 'libsql/promise'
import type { Log } from '../registry/log.ts'
import { CHECKPOINT_ROWS } from './limits.ts'

/**
 * Carries what was written from SQLite's log to where it belongs in the file, on a connection and a thread of its own
 * (docs/decisions/0057-checkpoints-beside-writes.md). What is not carried stays in the log, and the writer does it itself when that grows too long.
 */
export class Checkpoints {
  readonly #path: string
  readonly #log: Log | undefined
  /** Changed since the last began. */
  #rows = 0
  #connection: Connection | undefined
  #running: Promise<void> | undefined

  /** `path`: of the database file. */
  constructor(path: string, log: Log | undefined) {
    this.#path = path
    this.#log = log
  }

  /** A commit with so many changed rows. */
  committed(rows: number): void {
    this.#rows += rows
    if (this.#rows < CHECKPOINT_ROWS || this.#running !== undefined) return
    this.#rows = 0
    this.#running = this.#run().finally(() => {
      this.#running = undefined
    })
  }

  /** Nothing may be committed any more. */
  async close(): Promise<void> {
    await this.#running
    this.#connection?.close()
  }

  async #run(): Promise<void> {
    try {
      // The client's statements hold up the whole process while they run; these run beside it.
      this.#connection ??= new (await import('libsql/promise')).default(this.#path, {})
      // Passive: it waits for nobody, and nobody waits for it.
      await this.#connection.exec('PRAGMA wal_checkpoint(PASSIVE)')
    } catch (error) {
      this.#log?.warn({ err: error }, 'a checkpoint of the database failed; a later write carries what it left')
    }
  }
}

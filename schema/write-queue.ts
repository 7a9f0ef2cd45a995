import { AsyncLocalStorage } from 'node:async_hooks'
import type { Client, Transaction } from '@libsql/client'
import { type Clock, pause, steady } from '../registry/clock.ts'
import type { Log } from '../registry/log.ts'
import type { RegistryError } from '../registry/spec/errors.ts'
import { WriteConnection } from './connection.ts'
import { isBusy, unavailable, withoutQuery } from './errors.ts'
import { BUSY_PAUSE_LIMIT_MS, BUSY_PAUSE_MS, COMMIT_GROUP_LIMIT, COMMIT_TIME_MS, WRITE_QUEUE_LIMIT, WRITE_WAIT_MS } from './limits.ts'

/** What one writer wants done. It awaits nothing but statements on the connection it is given and turns of the event loop, and may be run again if its transaction is lost. */
export type Work<T> = (connection: WriteConnection) => Promise<T>

/** What a commit holds that somebody may wait for. */
export interface Commit {
  /** The sequence number of its last change; 0: none. */
  readonly lastChange: number
  /** Whether there is a job in it that can be taken up. */
  readonly jobs: boolean
  /** How many rows it changed, without those that went with others. */
  readonly rows: number
}

interface Waiting {
  readonly deadline: number
  /** Of this site's own affairs: it is written whatever the site may do. */
  readonly local: boolean
  /** Runs the work; what it returns settles the writer's promise once the commit is through. */
  run(connection: WriteConnection): Promise<() => void>
  reject(error: unknown): void
}

export interface WriteQueueOptions {
  /** A client that nothing else uses: SQLite knows one writer, and a second in the same process would fail at once. */
  readonly client: Client
  /** Gives the client a new connection. */
  reopen(): Promise<void>
  readonly clock: Clock
  readonly random: () => number
  readonly log?: Log | undefined
  /** The last that is done in each transaction. */
  finish?(connection: WriteConnection): Promise<void>
  /** Called after each commit with what it holds. */
  onCommit(commit: Commit): void
  /** Why nothing may be written now; undefined: it may. Asked before each commit and after it, since time passes. */
  fence?(): RegistryError | undefined
}

/**
 * Writes of one process, one transaction after the other. Those that wait share a commit, each in its own savepoint: what
 * fails takes nobody with it, and nobody hears of success before the commit is on disk.
 */
export class WriteQueue {
  readonly #options: WriteQueueOptions
  readonly #connection: WriteConnection
  #waiting: Waiting[] = []
  #transaction: Transaction | undefined
  #loop: Promise<void> | undefined
  #closed = false
  #reopen = false
  /** Changed in this transaction. */
  #rows = 0

  constructor(options: WriteQueueOptions) {
    this.#options = options
    // Statements are prepared once and run on whatever transaction is open: there is never more than one.
    this.#connection = new WriteConnection({
      execute: async (statement) => {
        if (this.#transaction === undefined) throw unavailable('This write has ended; nothing can be added to it.')
        const result = await this.#transaction.execute(statement as string)
        this.#rows += result.rowsAffected
        return result
      },
    })
  }

  /**
   * Does the work in a transaction; durable when it resolves.
   * @throws RegistryError UNAVAILABLE when too many wait already, the lock does not come free in time, or the database is closed; and what the work throws
   */
  run<T>(work: Work<T>, local = false): Promise<T> {
    const refusal = local ? undefined : this.#options.fence?.()
    if (refusal !== undefined) return Promise.reject(refusal)
    if (this.#closed) return Promise.reject(unavailable('The database is closing.'))
    if (this.#waiting.length >= WRITE_QUEUE_LIMIT) return Promise.reject(unavailable('Too many writes are waiting; try again shortly.'))
    // Writes run one after the other in a loop of their own; each within what its caller runs in.
    const within = AsyncLocalStorage.snapshot()
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({
        deadline: steady(this.#options.clock) + WRITE_WAIT_MS,
        local,
        run: async (connection) => {
          const result = await within(() => work(connection))
          return () => resolve(result)
        },
        reject,
      })
      this.#loop ??= this.#drain()
    })
  }

  /** Has the next transaction begin on a new connection. */
  reconnect(): void {
    this.#reopen = true
  }

  /** Refuses new writes and resolves when those that wait are done. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#loop
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      // Requests that arrived together are handled in one turn of the event loop: waiting for its end lets them share the commit.
      await new Promise<void>((resolve) => setImmediate(resolve))
      const transaction = await this.#begin()
      if (transaction !== undefined) await this.#commitGroup(transaction)
    }
    this.#loop = undefined
  }

  /** Opens a transaction, as often as it takes; undefined: everybody who waited has given up. */
  async #begin(): Promise<Transaction | undefined> {
    const { client, clock, random } = this.#options
    for (let attempt = 0; ; attempt++) {
      try {
        if (this.#reopen) await this.#options.reopen()
        this.#reopen = false
        return await client.transaction('write')
      } catch (error) {
        const busy = isBusy(error)
        // The driver leaves the refused BEGIN unfinished on its connection, which could then open no savepoint.
        if (busy) this.#reopen = true
        else this.#options.log?.error({ err: error }, 'a transaction could not be opened')
        this.#rejectLate(busy ? steady(clock) : Number.POSITIVE_INFINITY, error)
        if (this.#waiting.length === 0) return undefined
      }
      await pause(clock, random() * Math.min(BUSY_PAUSE_LIMIT_MS, BUSY_PAUSE_MS * 2 ** attempt))
    }
  }

  #rejectLate(now: number, cause: unknown): void {
    const late = this.#waiting.filter((entry) => entry.deadline <= now)
    if (late.length === 0) return
    this.#waiting = this.#waiting.filter((entry) => entry.deadline > now)
    for (const entry of late) entry.reject(unavailable('The database is busy; try again shortly.', cause))
  }

  async #commitGroup(transaction: Transaction): Promise<void> {
    const group = this.#waiting.splice(0, COMMIT_GROUP_LIMIT)
    let late = false
    const stop = this.#options.clock.after(COMMIT_TIME_MS, () => {
      late = true
      transaction.close()
    })
    this.#transaction = transaction
    this.#rows = 0
    Object.assign(this.#connection, { lastChange: 0, hasJobs: false })
    try {
      const settle: (() => void)[] = []
      for (const entry of group) settle.push(await this.#runOne(transaction, entry))
      await this.#options.finish?.(this.#connection)
      await transaction.commit()
      this.#transaction = undefined
      const { lastChange, hasJobs } = this.#connection
      this.#options.onCommit({ lastChange, jobs: hasJobs, rows: this.#rows })
      // Who lost the right to write while the disk was busy has told nobody yet, and must not now.
      const refusal = this.#options.fence?.()
      for (const [index, answer] of settle.entries()) {
        if (refusal === undefined || group[index]?.local === true) answer()
        else group[index]?.reject(refusal)
      }
    } catch (error) {
      this.#connection.auditHead = undefined
      this.#connection.names.clear()
      this.#options.log?.error({ err: withoutQuery(error), writes: group.length, late }, 'a commit failed')
      for (const entry of group) entry.reject(unavailable('The database could not store this; try again.', withoutQuery(error)))
    } finally {
      stop()
      this.#transaction = undefined
      transaction.close()
    }
  }

  /** @returns what settles this writer's promise. @throws when the whole transaction is lost */
  async #runOne(transaction: Transaction, entry: Waiting): Promise<() => void> {
    const refusal = entry.local ? undefined : this.#options.fence?.()
    if (refusal !== undefined) return () => entry.reject(refusal)
    const { lastChange, hasJobs, auditHead, names } = this.#connection
    await transaction.execute('SAVEPOINT work')
    try {
      const answer = await entry.run(this.#connection)
      await transaction.execute('RELEASE work')
      return answer
    } catch (error) {
      // A full disk or a failing one ends the transaction by itself; then nobody's work is in it any more.
      if (transaction.closed) throw error
      Object.assign(this.#connection, { lastChange, hasJobs, auditHead })
      // Whoever was made in what is undone: his id will be another's.
      names.clear()
      await transaction.execute('ROLLBACK TO work')
      await transaction.execute('RELEASE work')
      return () => entry.reject(withoutQuery(error))
    }
  }
}

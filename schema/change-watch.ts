import { max } from 'drizzle-orm'
import type { LibSQLDatabase } from 'drizzle-orm/libsql'
import type { Clock } from '../registry/clock.ts'
import type { Connection } from './connection.ts'
import { unavailable } from './errors.ts'
import { CHANGES_POLL_MS } from './limits.ts'
import { changes } from './tables/changes.ts'

const headStatement = (sql: LibSQLDatabase) =>
  sql
    .select({ seq: max(changes.seq) })
    .from(changes)
    .prepare()

/** The sequence number of the feed's last change, 0 for none. */
export async function lastChange(connection: Connection): Promise<number> {
  return (await connection.prepared(headStatement).get())?.seq ?? 0
}

interface Waiter {
  readonly after: number
  settle(head: number): void
  fail(error: unknown): void
}

/** Wakes those who wait for the feed: at once for this process's commits, by asking for those of others, and only while somebody waits. */
export class ChangeWatch {
  readonly #connection: Connection
  readonly #clock: Clock
  readonly #waiters = new Set<Waiter>()
  #stopPolling: (() => void) | undefined
  #closed = false

  constructor(connection: Connection, clock: Clock) {
    this.#connection = connection
    this.#clock = clock
  }

  async available(after: number, signal?: AbortSignal): Promise<number> {
    signal?.throwIfAborted()
    if (this.#closed) throw unavailable('The database is closing.')
    const found = Promise.withResolvers<number>()
    const waiter: Waiter = { after, settle: found.resolve, fail: found.reject }
    const onAbort = () => found.reject(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#waiters.add(waiter)
    try {
      // After it has become a waiter, so that no commit falls between asking and waiting.
      this.reached(await lastChange(this.#connection))
      this.#poll()
      return await found.promise
    } finally {
      this.#waiters.delete(waiter)
      signal?.removeEventListener('abort', onAbort)
      if (this.#waiters.size === 0) this.#stop()
    }
  }

  reached(head: number): void {
    for (const waiter of this.#waiters) if (head > waiter.after) waiter.settle(head)
  }

  close(): void {
    this.#closed = true
    this.#stop()
    for (const waiter of this.#waiters) waiter.fail(unavailable('The database is closing.'))
  }

  #poll(): void {
    if (this.#stopPolling !== undefined || this.#closed) return
    this.#stopPolling = this.#clock.after(CHANGES_POLL_MS, () => {
      this.#stopPolling = undefined
      lastChange(this.#connection)
        .then(
          (head) => this.reached(head),
          (error) => {
            for (const waiter of this.#waiters) waiter.fail(error)
          },
        )
        .finally(() => {
          if (this.#waiters.size > 0) this.#poll()
        })
    })
  }

  #stop(): void {
    this.#stopPolling?.()
    this.#stopPolling = undefined
  }
}

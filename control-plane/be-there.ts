import { hostname } from 'node:os'
import { type Clock, pause } from '../registry/clock.ts'
import type { Log } from '../registry/log.ts'
import type { Database } from '../schema/database.ts'
import { dropWorkerPool, seeWorkerPool } from '../schema/worker-pools.ts'
import { POOL_FORGOTTEN_MS, POOL_SEEN_MS } from './limits.ts'

export interface BeThereOptions {
  readonly db: Database
  readonly clock: Clock
  readonly log: Log
  readonly signal: AbortSignal
  /** As it is written on the jobs this process holds. */
  readonly owner: string
  readonly concurrency: number
}

/** Says again and again that this process does jobs, until the signal. */
export async function beThere({ db, clock, log, signal, owner, concurrency }: BeThereOptions): Promise<void> {
  const pool = { id: owner, host: hostname(), pid: process.pid, concurrency, startedAt: clock.now() }
  while (!signal.aborted) {
    try {
      await seeWorkerPool(db, pool, clock.now() - POOL_FORGOTTEN_MS)
    } catch (error) {
      log.warn({ err: error }, 'Nobody can be told that this process does jobs.')
    }
    await pause(clock, POOL_SEEN_MS, signal).catch(() => undefined)
  }
  await dropWorkerPool(db, owner)
}

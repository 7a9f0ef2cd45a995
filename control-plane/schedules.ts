import { type Clock, pause } from '../registry/clock.ts'
import type { Log } from '../registry/log.ts'
import type { Database } from '../schema/database.ts'
import { enqueueDue, nextDue, schedulesPaused } from '../schema/schedules.ts'
import { POLL_MS } from './limits.ts'

export interface SchedulesOptions {
  readonly db: Database
  readonly clock: Clock
  readonly log: Log
  readonly signal: AbortSignal
}

/** Enqueues the jobs of schedules when they are due, until the signal. Any number of processes may: each time is taken once. */
export async function followSchedules({ db, clock, log, signal }: SchedulesOptions): Promise<void> {
  while (!signal.aborted) {
    try {
      const due = await nextDue(db)
      if (due !== undefined && due <= clock.now() && !(await schedulesPaused(db))) await enqueueDue(db)
    } catch (error) {
      log.error({ err: error }, 'The schedules cannot be followed.')
    }
    // A schedule may be made or changed by any process at any time.
    await pause(clock, POLL_MS, signal).catch(() => undefined)
  }
}

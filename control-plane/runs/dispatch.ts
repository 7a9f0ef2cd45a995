import { type Clock, pause, steady } from '../../registry/clock.ts'
import type { Log } from '../../registry/log.ts'
import type { Database } from '../../schema/database.ts'
import { dropLease, takeLease } from '../../schema/leases.ts'
import { policyOfRun, type RunKind, type RunTask, settleTask, takeTasks } from '../../schema/runs.ts'
import { RUNS_POLL_MS, SOLE_LEASE_MS } from '../limits.ts'

/** How an attempt at a task went: `failed` may be tried again, `refused` may not. */
export interface Attempt {
  readonly outcome: 'done' | 'refused' | 'failed'
  /** Why, if not done. */
  readonly text: string
  /** What there is to read of it, without any secret. */
  readonly log: string
}

export interface DispatchOptions {
  readonly db: Database
  readonly clock: Clock
  readonly log: Log
  readonly kind: RunKind
  /** Targets that are worked for at once. */
  readonly atOnce: number
  readonly attempts: number
  /** The first wait before another attempt, and the longest, in milliseconds. */
  readonly backoff: { readonly first: number; readonly most: number }
  /** Does a task once. @throws the signal's reason */
  readonly attempt: (task: RunTask, policyId: number, signal: AbortSignal) => Promise<Attempt>
  /** Names this process among all that might dispatch. */
  readonly owner: string
  /** In [0, 1): spreads retries. */
  readonly random: () => number
  readonly signal: AbortSignal
}

/**
 * Does the tasks of runs, until the signal: one process at a time, each target's in order and one after the other, so that a slow one delays nobody
 * but itself. What was being done when a process ended is done again by the next.
 */
export async function dispatchRuns(options: DispatchOptions): Promise<void> {
  const { db, clock, log, kind, atOnce, owner, signal } = options
  const lease = `runs:${kind}`
  const busy = new Map<string, Promise<void>>()
  let renewed = Number.NEGATIVE_INFINITY
  while (!signal.aborted) {
    try {
      if (steady(clock) - renewed > SOLE_LEASE_MS / 3) {
        renewed = (await takeLease(db, lease, owner, SOLE_LEASE_MS)) ? steady(clock) : Number.NEGATIVE_INFINITY
      }
      const room = atOnce - busy.size
      const tasks = renewed === Number.NEGATIVE_INFINITY || room === 0 ? [] : await takeTasks(db, kind, [...busy.keys()], room)
      for (const task of tasks) {
        const working = work(options, task)
          .catch((error: unknown) => {
            if (!signal.aborted) log.error({ err: error, kind, task: task.id }, 'A task could not be settled; it is done again.')
          })
          .finally(() => busy.delete(task.target))
        busy.set(task.target, working)
      }
      if (tasks.length > 0) continue
    } catch (error) {
      log.error({ err: error, kind }, 'Tasks cannot be taken up.')
    }
    await Promise.race([pause(clock, RUNS_POLL_MS, signal).catch(() => undefined), ...busy.values()])
  }
  await Promise.all(busy.values())
  await dropLease(db, lease, owner)
}

async function work({ db, clock, attempts, backoff, attempt, random, signal }: DispatchOptions, task: RunTask): Promise<void> {
  const policyId = await policyOfRun(db, task.runId)
  if (policyId === undefined) return
  const at = new Date(clock.now()).toISOString()
  const { outcome, text, log } = await attempt(task, policyId, signal)
  const again = outcome === 'failed' && task.attempts < attempts
  // Twice as long each time, and spread.
  const wait = Math.min(backoff.first * 2 ** (task.attempts - 1), backoff.most) * (0.5 + random() / 2)
  const settled = again ? { again: clock.now() + wait, text } : { status: outcome === 'done' ? ('Success' as const) : ('Error' as const), text }
  await settleTask(db, task, settled, `--- attempt ${task.attempts}, ${at}\n${log}`)
}

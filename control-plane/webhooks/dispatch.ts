import { type Clock, pause, steady } from '../../registry/clock.ts'
import { dropLease, takeLease } from '../../schema/leases.ts'
import { policyOfRun, type RunTask, settleTask, takeTasks } from '../../schema/runs.ts'
import { SOLE_LEASE_MS, WEBHOOK_ATTEMPTS, WEBHOOK_BACKOFF_LIMIT_MS, WEBHOOK_BACKOFF_MS, WEBHOOK_POLL_MS, WEBHOOKS_AT_ONCE } from '../limits.ts'
import { type DeliverOptions, deliver } from './deliver.ts'

const NAME = 'webhooks'

export interface DispatchOptions extends DeliverOptions {
  readonly clock: Clock
  /** Names this process among all that might dispatch. */
  readonly owner: string
  /** In [0, 1): spreads retries. */
  readonly random: () => number
  readonly signal: AbortSignal
}

/**
 * Delivers webhooks, until the signal: one process at a time, each receiver's in order and one after the other, so that a slow one delays nobody
 * but itself. What was being sent when a process ended is sent again by the next.
 */
export async function dispatchWebhooks(options: DispatchOptions): Promise<void> {
  const { db, clock, log, owner, signal } = options
  const busy = new Map<string, Promise<void>>()
  let renewed = Number.NEGATIVE_INFINITY
  while (!signal.aborted) {
    try {
      if (steady(clock) - renewed > SOLE_LEASE_MS / 3) {
        renewed = (await takeLease(db, NAME, owner, SOLE_LEASE_MS)) ? steady(clock) : Number.NEGATIVE_INFINITY
      }
      const room = WEBHOOKS_AT_ONCE - busy.size
      const tasks = renewed === Number.NEGATIVE_INFINITY || room === 0 ? [] : await takeTasks(db, 'webhook', [...busy.keys()], room)
      for (const task of tasks) {
        const sending = send(options, task)
          .catch((error: unknown) => {
            if (!signal.aborted) log.error({ err: error, task: task.id }, 'A webhook could not be settled; it is sent again.')
          })
          .finally(() => busy.delete(task.target))
        busy.set(task.target, sending)
      }
      if (tasks.length > 0) continue
    } catch (error) {
      log.error({ err: error }, 'Webhooks cannot be delivered.')
    }
    await Promise.race([pause(clock, WEBHOOK_POLL_MS, signal).catch(() => undefined), ...busy.values()])
  }
  await Promise.all(busy.values())
  await dropLease(db, NAME, owner)
}

async function send(options: DispatchOptions, task: RunTask): Promise<void> {
  const { db, clock, random, signal } = options
  const policyId = await policyOfRun(db, task.runId)
  if (policyId === undefined) return
  const at = new Date(clock.now()).toISOString()
  const { outcome, text, log } = await deliver(options, task, policyId, signal)
  const lines = `--- attempt ${task.attempts}, ${at}\n${log}`
  const again = outcome === 'failed' && task.attempts < WEBHOOK_ATTEMPTS
  await settleTask(
    db,
    task,
    again ? { again: clock.now() + backoff(task.attempts, random), text } : { status: outcome === 'delivered' ? 'Success' : 'Error', text },
    lines,
  )
}

/** Twice as long each time, and spread. */
function backoff(attempts: number, random: () => number): number {
  return Math.min(WEBHOOK_BACKOFF_MS * 2 ** (attempts - 1), WEBHOOK_BACKOFF_LIMIT_MS) * (0.5 + random() / 2)
}

import { type Clock, steady } from '../../registry/clock.ts'
import type { OnWait } from '../../registry/remote/index.ts'
import type { TaskLog } from './task-log.ts'

/** Shorter waits are not worth a line, and longer ones of the same kind no further line for so long, in milliseconds. */
const WORTH_A_LINE_MS = 1_000
const TOLD_AGAIN_MS = 10_000

/** Writes into the log of a task why nothing seems to happen: a registry wants to be asked again later. */
export function waitsIn(task: Pick<TaskLog, 'line'>, clock: Clock): OnWait {
  const told = new Map<string, number>()
  return ({ url: { host }, status, ms }) => {
    const key = `${host} ${status}`
    const now = steady(clock)
    if (ms < WORTH_A_LINE_MS || now - (told.get(key) ?? Number.NEGATIVE_INFINITY) < TOLD_AGAIN_MS) return
    told.set(key, now)
    task.line(
      'WARNING',
      `${host} ${status === undefined ? 'does not answer' : `answers HTTP ${status}`}; it is asked again in ${Math.ceil(ms / 1000)} s.`,
    )
  }
}

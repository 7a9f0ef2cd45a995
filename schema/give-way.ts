import { type Clock, pause, steady } from '../registry/clock.ts'
import { LATE_MS } from './limits.ts'

/**
 * Called between the steps of long work, with when (by `steady`) this step began: lets everybody else go on, since statements on a file hold up
 * the whole process, and other processes wait for its lock. It rests for a quarter of the step's time, and where others are seen to need this
 * process, for half of it. Resolves with when the next step begins. @throws the signal's reason
 */
export async function giveWay(clock: Clock, began: number, signal?: AbortSignal): Promise<number> {
  const rests = steady(clock)
  const took = rests - began
  const quarter = Math.max(1, took / 4)
  await pause(clock, quarter, signal)
  // A timer is late where something else runs.
  const busy = steady(clock) - rests - quarter > LATE_MS
  const left = took / 2 - (steady(clock) - rests)
  if (busy && left > 0) await pause(clock, left, signal)
  return steady(clock)
}

import { ORIGIN_LOOK_MS } from '../../edge/limits.ts'
import type { Heard, MeshStatus } from '../../edge/mesh.ts'
import type { TestClock } from './clock.ts'

/** An origin whose feed is as a test says. */
export function heardAs(state: () => MeshStatus['state']): Heard {
  return { settle: async () => {}, status: () => ({ state: state(), lag: 0, cursor: 1, run: 1 }) }
}

/** Lets time pass from one look at the feed to the next. */
export async function passLooks(clock: TestClock, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= ORIGIN_LOOK_MS) {
    clock.advance(ORIGIN_LOOK_MS)
    await new Promise(setImmediate)
  }
}

import type { Flow } from './flow.ts'
import type { Keeper } from './keeper.ts'
import type { FillLimits } from './limits.ts'
import { orAborted } from './wait.ts'

export interface Paced {
  readonly flow: Flow
  readonly keeper: Keeper
  readonly limits: FillLimits
  /** How many bytes may be kept in memory now, of those that are stored already. */
  readonly windowBytes: () => number
}

/** Lets go of what is in memory and has been stored, or taken by everybody who keeps up. */
export function trim({ flow, keeper, limits, windowBytes }: Paced): void {
  // What is neither stored nor taken by anybody is dropped last.
  flow.window.trim(windowBytes(), limits.windowLimit, keeper.storing ? keeper.readable : Math.max(keeper.readable, flow.furthest))
}

/** With a store there is nothing to wait for. Without one, what nobody has taken yet must not be passed by. @throws the signal's reason */
export async function keepPace({ flow, keeper, windowBytes }: Paced, followed: () => boolean, signal: AbortSignal): Promise<void> {
  while (!keeper.storing && followed()) {
    const moved = flow.moved.next
    if (flow.head - flow.furthest < windowBytes() / 2) return
    await orAborted(moved, signal)
  }
}

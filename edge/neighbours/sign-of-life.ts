import { type Clock, pause } from '../../registry/clock.ts'
import type { Fetch } from '../../registry/remote/index.ts'
import { NEIGHBOUR_LIFE_LOOKS, NEIGHBOUR_LOOK_MS, NEIGHBOUR_SILENT_LOOKS } from '../limits.ts'

export interface LifeOptions {
  readonly fetch: Fetch
  /** Of the neighbour. */
  readonly url: string
  readonly clock: Clock
}

/**
 * Asks who is silent whether it lives at all: one that has to get a blob first is silent for a while, and one that hangs, for ever. Throws when
 * it gives no sign in time; otherwise resolves when `answered` is aborted. Time is counted in looks, each of which waits its turn as answers do,
 * so that it is not taken for dead because we were busy ourselves.
 */
export async function signOfLife({ fetch, url, clock }: LifeOptions, answered: AbortSignal): Promise<void> {
  const looks = async (count: number, until: () => boolean) => {
    for (let look = 0; look < count && !until(); look++) await pause(clock, NEIGHBOUR_LOOK_MS, answered).catch(() => undefined)
  }
  await looks(NEIGHBOUR_SILENT_LOOKS, () => answered.aborted)
  if (answered.aborted) return
  let alive = false
  const asked = async () => {
    const answer = await fetch(new URL('/livez', url), { signal: answered })
    await answer.body?.cancel()
    alive = answer.ok
  }
  // That it cannot be asked is no sign either.
  void asked().catch(() => undefined)
  await looks(NEIGHBOUR_LIFE_LOOKS, () => answered.aborted || alive)
  if (!alive && !answered.aborted) throw new TypeError('It gives no sign of life.')
}

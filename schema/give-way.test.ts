import { expect, it } from 'vitest'
import type { Clock } from '../registry/clock.ts'
import { giveWay } from './give-way.ts'

/** A clock whose timers all come so much later than they were set for, as where something else runs. */
function lateBy(late: number): Clock & { readonly waits: number[] } {
  let now = 0
  const waits: number[] = []
  return {
    waits,
    now: () => now,
    after: (ms, run) => {
      waits.push(ms)
      queueMicrotask(() => {
        now += ms + late
        run()
      })
      return () => {}
    },
  }
}

/** How long it rests after a step of 400 ms. */
async function restOf(clock: Clock): Promise<number> {
  return await giveWay(clock, -400)
}

it('a step that nobody waited for is followed by a short rest, and one that held others up by a longer one', async () => {
  expect(await restOf(lateBy(0))).toBe(100)
  const busy = lateBy(20)
  await restOf(busy)
  expect(busy.waits).toEqual([100, 80])
  // Others had more meanwhile than they are given: nothing is left.
  expect(await restOf(lateBy(300))).toBe(400)
})

it('rests at least for a turn, and ends when it is called off', async () => {
  const clock = lateBy(0)
  await giveWay(clock, 0)
  expect(clock.waits).toEqual([1])
  await expect(giveWay(clock, 0, AbortSignal.abort(new Error('stopped')))).rejects.toThrow('stopped')
})

import { describe, expect, it } from 'vitest'
import { keptInMemory } from './kept.ts'
import { Trust } from './trust.ts'

const HOUR = 3_600_000

function world() {
  const time = { wall: Date.UTC(2026, 0, 1), monotonic: 0 }
  const kept = keptInMemory()
  const open = () => Trust.open({ clock: { now: () => time.wall }, monotonic: () => time.monotonic, kept, grace: 2 * HOUR })
  const pass = (ms: number) => {
    time.wall += ms
    time.monotonic += ms
  }
  return { time, open, pass }
}

describe('trust in what the origin said', () => {
  it('is none before the origin was heard', async () => {
    const { open } = world()
    const trust = await open()
    expect([trust.connected, trust.trusted]).toEqual([false, false])
  })

  it('lasts for the grace after the last word, and not longer', async () => {
    const { open, pass } = world()
    const trust = await open()
    await trust.confirm()
    expect(trust.connected).toBe(true)
    pass(2_000)
    expect([trust.connected, trust.trusted]).toEqual([false, true])
    pass(2 * HOUR)
    expect(trust.trusted).toBe(false)
  })

  it('is not made longer by setting the clock back', async () => {
    const { time, open, pass } = world()
    const trust = await open()
    await trust.confirm()
    pass(HOUR)
    time.wall -= 365 * 24 * HOUR
    expect(trust.trusted).toBe(true)
    pass(HOUR + 1)
    expect(trust.trusted).toBe(false)
  })

  it('goes on over a restart, and counts the time between', async () => {
    const { time, open } = world()
    await (await open()).confirm()
    time.wall += HOUR
    time.monotonic = 0
    expect((await open()).trusted).toBe(true)
    time.wall += HOUR + 1
    expect((await open()).trusted).toBe(false)
  })

  it('ends when the clock has gone back while the edge was off', async () => {
    const { time, open } = world()
    await (await open()).confirm()
    time.wall -= HOUR
    time.monotonic = 0
    expect((await open()).trusted).toBe(false)
  })

  it('is there again when a clock that was behind at the start has been set right', async () => {
    const { time, open, pass } = world()
    await (await open()).confirm()
    time.wall -= HOUR
    time.monotonic = 0
    const trust = await open()
    pass(30_000)
    await trust.keep()
    expect([trust.trusted, (await open()).trusted]).toEqual([false, false])
    time.wall += HOUR
    expect([trust.trusted, trust.connected, (await open()).trusted]).toEqual([true, false, true])
    // The time that passed while it showed another counts.
    pass(2 * HOUR - 20_000)
    expect(trust.trusted).toBe(false)
  })
})

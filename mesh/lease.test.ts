import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Lease, Vow } from './lease.ts'

/** A clock that runs a little fast or slow, from wherever. */
function clockOf(real: { now: number }, rate: number, from: number) {
  return { monotonic: () => from + real.now * rate }
}

describe('the lease of a primary', () => {
  it('has ended when its standby may take over, whatever is delayed, lost, or restarted, and however the clocks run', () => {
    const step = fc.record({
      kind: fc.constantFrom('say', 'say', 'say', 'hear', 'hear', 'answer', 'answer', 'wait', 'restart primary', 'restart standby'),
      ms: fc.integer({ min: 0, max: 4_000 }),
      which: fc.nat(),
    })
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60 }),
        fc.double({ min: 0.995, max: 1.005, noNaN: true }),
        fc.double({ min: 0.995, max: 1.005, noNaN: true }),
        fc.integer({ min: 1_000, max: 20_000 }),
        (steps, fast, slow, ms) => {
          const real = { now: 0 }
          const [one, two] = [clockOf(real, fast, 1e6), clockOf(real, slow, -5e5)]
          let runs = 0
          let lease = new Lease(one, `run${runs}`)
          let vow = new Vow(two, ms)
          let known: string | undefined
          const said: string[] = []
          const answered: string[] = []
          for (const { kind, ms: passing, which } of steps) {
            real.now += passing
            // What is on its way arrives in any order, late, twice or never.
            if (kind === 'say' && known !== undefined) {
              vow.promise(ms)
              said.push(known)
            }
            if (kind === 'hear') {
              const beat = said[which % Math.max(1, said.length)]
              if (beat !== undefined) lease.renew(beat)
            }
            if (kind === 'answer') answered.push(lease.beat(ms))
            if (kind === 'wait') known = answered[which % Math.max(1, answered.length)] ?? known
            if (kind === 'restart primary') lease = new Lease(one, `run${++runs}`)
            if (kind === 'restart standby') {
              vow = new Vow(two, ms)
              known = undefined
            }
            if (vow.remaining === 0) expect(lease.held).toBe(false)
          }
          real.now += vow.remaining / slow + 1
          expect(lease.held).toBe(false)
        },
      ),
      { numRuns: 3_000 },
    )
  })

  it('is held while the standby answers, and not by a word from before a restart', () => {
    const real = { now: 0 }
    const time = clockOf(real, 1, 0)
    const lease = new Lease(time, 'a')
    expect(lease.held).toBe(false)
    const beat = lease.beat(10_000)
    real.now = 4_000
    lease.renew(beat)
    expect(lease.left).toBe(6_000)
    const again = new Lease(time, 'b')
    again.renew(beat)
    expect(again.held).toBe(false)
    again.renew('b 999999999 10000')
    expect(again.held).toBe(false)
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TestClock } from '../test/support/clock.ts'
import type { Clock } from './clock.ts'
import { Deadline } from './deadline.ts'

describe('a deadline that is set over and over', () => {
  it('passes when the last one set does, and not before, whatever was set and lifted earlier', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('set' as const), ms: fc.integer({ min: 1, max: 50 }) }),
      fc.record({ do: fc.constant('lift' as const), ms: fc.constant(0) }),
      fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 50 }) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const clock = new TestClock(0)
        const late: [number, number][] = []
        const expected: [number, number][] = []
        const deadline = new Deadline<number>(clock, (reason) => late.push([clock.now(), reason]))
        let due: number | undefined
        for (const { do: what, ms } of steps) {
          if (what === 'set') {
            due = clock.now() + ms
            deadline.set(ms, due)
          } else if (what === 'lift') {
            due = undefined
            deadline.lift()
          } else {
            const end = clock.now() + ms
            if (due !== undefined && due <= end) {
              expected.push([due, due])
              due = undefined
            }
            clock.advance(ms)
          }
          expect(late).toEqual(expected)
        }
      }),
    )
  })

  it('passes at its time, wherever somebody sets the clock meanwhile', () => {
    for (const set of [-3_600_000, 3_600_000]) {
      const clock = new TestClock()
      const late: string[] = []
      const deadline = new Deadline<string>(clock, (reason) => late.push(reason))
      deadline.set(100, 'late')
      clock.set(set)
      clock.advance(99)
      expect(late).toEqual([])
      clock.advance(1)
      expect(late).toEqual(['late'])
    }
  })

  it('takes no timer for a wait that ends in time', () => {
    const clock = new TestClock(0)
    let timers = 0
    const counting: Clock = {
      now: () => clock.now(),
      after: (ms, run) => {
        timers++
        return clock.after(ms, run)
      },
    }
    const deadline = new Deadline<string>(counting, () => expect.unreachable())
    for (let chunk = 0; chunk < 1000; chunk++) {
      deadline.set(15_000, 'stalled')
      clock.advance(1)
      deadline.lift()
    }
    expect(timers).toBe(1)
  })

  it('leaves no timer behind', () => {
    const clock = new TestClock(0)
    const deadline = new Deadline<string>(clock, () => expect.unreachable())
    deadline.set(10, 'late')
    deadline.end()
    clock.advance(20)
    deadline.set(10, 'late')
    deadline.lift()
    clock.advance(20)
  })
})

import { describe, expect, it } from 'vitest'
import { TestClock } from '../../test/support/clock.ts'
import { RegistryError } from '../spec/errors.ts'
import { Budget } from './budget.ts'
import { Health } from './health.ts'
import { PULL_THROUGH_LIMITS } from './limits.ts'
import { Negatives } from './negatives.ts'
import { Refusals } from './refusals.ts'

const HOUR_MS = 3_600_000

describe('what is remembered for a moment, when the clock is set back by an hour', () => {
  const clock = new TestClock()
  const forget = () => {
    clock.set(-HOUR_MS)
    clock.advance(1_000)
  }

  it('what is unknown or refused is asked for again in time', () => {
    const negatives = new Negatives(clock, 10)
    const refusals = new Refusals(clock, 10)
    negatives.add('a', 1_000)
    refusals.add('a', new RegistryError('DENIED', 'no'), 1_000)
    expect(negatives.has('a')).toBe(true)
    expect(() => refusals.check('a')).toThrow('no')
    forget()
    expect(negatives.has('a')).toBe(false)
    expect(() => refusals.check('a')).not.toThrow()
  })

  it('a source that failed, or wanted to be left alone, is asked again in time', async () => {
    const budget = new Budget(clock)
    const health = new Health({ clock, limits: { ...PULL_THROUGH_LIMITS, failingMs: 1_000 }, name: 'hub', budget })
    health.stalled()
    expect(health.failing).toBe(true)
    forget()
    expect(health.failing).toBe(false)
    budget.leaveAlone(1_000)
    expect(budget.limitedMs).toBe(1_000)
    forget()
    expect(budget.limitedMs).toBe(0)
  })
})

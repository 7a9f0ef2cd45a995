import { expect, it } from 'vitest'
import { TestClock } from '../../test/support/clock.ts'
import { Budget } from './budget.ts'

it.each([
  ['at the end of its window', 60],
  ['after a while where it names no window', undefined],
])('a low budget of a source that says nothing more is over %s', (_when, windowSeconds) => {
  const clock = new TestClock()
  const budget = new Budget(clock)
  budget.observe({ limit: 100, remaining: 1, ...(windowSeconds !== undefined && { windowSeconds }) })
  clock.advance(59_999)
  expect(budget.low).toBe(true)
  clock.advance(3_600_000)
  budget.observe({})
  expect(budget.low).toBe(false)
})

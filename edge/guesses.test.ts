import { expect, it } from 'vitest'
import { TestClock } from '../test/support/clock.ts'
import { Guesses } from './guesses.ts'
import { GUESSES_AT_ONCE, GUESSES_PER_SECOND } from './limits.ts'

const HOUR = 3_600_000

function used() {
  const clock = new TestClock()
  const guesses = new Guesses(clock)
  for (let i = 0; i < GUESSES_AT_ONCE; i++) guesses.take()
  return { clock, guesses }
}

it.each([HOUR, -HOUR])('guesses come back with the time that passes, not when the clock is set by %d ms', (set) => {
  const { clock, guesses } = used()
  clock.set(set)
  expect(() => guesses.take()).toThrow(/Too many names/)
  clock.advance(1000)
  for (let i = 0; i < GUESSES_PER_SECOND; i++) guesses.take()
  expect(() => guesses.take()).toThrow(/Too many names/)
})

it("a name that turns out to be somebody's costs nothing", () => {
  const guesses = new Guesses(new TestClock())
  for (let i = 0; i < 2 * GUESSES_AT_ONCE; i++) guesses.take().right()
})

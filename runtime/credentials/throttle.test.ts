import { expect, test } from 'vitest'
import { TestClock } from '../../test/support/clock.ts'
import { Throttle } from './throttle.ts'

const LIMITS = { perAccount: 3, perAddress: 5, anywhere: 8, window: 60_000, remembered: 100 }

function setUp() {
  const time = { now: 0 }
  return { time, throttle: new Throttle({ now: () => time.now }, LIMITS) }
}

test('guesses at one account from one address are refused after a few, and only those', () => {
  const { throttle } = setUp()
  for (let i = 0; i < LIMITS.perAccount; i++) throttle.attempt('admin', '192.0.2.1')
  expect(() => throttle.attempt('Admin', '192.0.2.1')).toThrow(/Try again in 60 s/)
  expect(() => throttle.admit('admin', '192.0.2.1')).toThrow(/Too many/)
  throttle.attempt('admin', '192.0.2.2').right()
  throttle.attempt('mimi', '192.0.2.1').right()
})

test('one password tried on many accounts is slowed down as well, and a /64 of IPv6 is one address', () => {
  const { throttle } = setUp()
  for (let i = 0; i < LIMITS.perAddress; i++) throttle.attempt(`user${i}`, `2001:db8::${i}`)
  expect(() => throttle.attempt('another', '2001:db8::ffff')).toThrow(/Too many/)
  throttle.attempt('another', '2001:db8:0:1::1')
})

test('a right secret forgets the wrong ones before it; the window ends by itself', () => {
  const { throttle, time } = setUp()
  throttle.attempt('mimi', 'here')
  throttle.attempt('mimi', 'here')
  throttle.attempt('mimi', 'here').right()
  for (let i = 0; i < LIMITS.perAccount; i++) throttle.attempt('mimi', 'here')
  expect(() => throttle.attempt('mimi', 'here')).toThrow()
  time.now = LIMITS.window
  throttle.attempt('mimi', 'here')
})

test('a secret that nobody could check was no guess', () => {
  const { throttle } = setUp()
  for (let i = 0; i < 10 * LIMITS.perAddress; i++) throttle.attempt('mimi', 'here').unchecked()
  for (let i = 0; i < LIMITS.perAccount; i++) throttle.attempt('mimi', 'here')
  expect(() => throttle.attempt('mimi', 'here')).toThrow(/Too many/)
})

test('a machine that goes on with a secret that was changed is no guesser', () => {
  const { throttle } = setUp()
  const again = Array.from({ length: 20 }, () => throttle.attempt('robot$ci', 'here', 'old').again)
  expect(again).toEqual([false, ...Array.from({ length: 19 }, () => true)])
  throttle.attempt('robot$ci', 'here', 'new').right()
  for (let i = 0; i < LIMITS.perAccount; i++) throttle.attempt('robot$ci', 'here', `guess ${i}`)
  expect(() => throttle.attempt('robot$ci', 'here', 'guess 0')).toThrow(/Too many/)
})

test('clients of one edge do not slow down those of another', () => {
  const { throttle } = setUp()
  for (let i = 0; i < LIMITS.perAccount; i++) throttle.attempt('mimi', 'edge:a/10.0.0.1')
  expect(() => throttle.attempt('mimi', 'edge:a/10.0.0.1')).toThrow()
  throttle.attempt('mimi', 'edge:b/10.0.0.1')
})

test.each([3_600_000, -3_600_000])('a window is as long as it is when the clock is set by %d ms', (set) => {
  const clock = new TestClock()
  const throttle = new Throttle(clock, LIMITS)
  for (let i = 0; i < LIMITS.perAccount; i++) throttle.attempt('mimi', 'here')
  clock.set(set)
  expect(() => throttle.attempt('mimi', 'here')).toThrow(/Try again in 60 s/)
  clock.advance(LIMITS.window)
  throttle.attempt('mimi', 'here')
})

import { expect, test } from 'vitest'
import { RegistryError } from '../../registry/spec/errors.ts'
import { memoryLog } from '../../test/support/bare-registry.ts'
import { TestClock } from '../../test/support/clock.ts'
import { StoreHealth } from './store-health.ts'

test('a store is well as long as it answers in time, is asked now and then, and told of once', async () => {
  const clock = new TestClock()
  const log = memoryLog()
  let asked = 0
  let answer: () => Promise<undefined> = async () => undefined
  const stat = () => {
    asked++
    return answer()
  }
  const health = new StoreHealth({ stat }, { clock, log })
  expect([await health.answers(), await health.answers(), asked]).toEqual([true, true, 1])

  clock.advance(2_000)
  answer = () => Promise.reject(new RegistryError('UNAVAILABLE', 'no'))
  expect([health.away, await health.answers(), health.away]).toEqual([false, false, true])

  clock.advance(2_000)
  answer = () => new Promise(() => undefined)
  const hanging = health.answers()
  await clock.waitedFor(2_000)
  clock.advance(2_000)
  expect(await hanging).toBe(false)
  expect(log.entries).toHaveLength(1)

  answer = async () => undefined
  expect(await health.answers()).toBe(true)
  expect(clock.pending).toBe(0)
})

import { expect, it } from 'vitest'
import { TestClock } from '../test/support/clock.ts'
import { temporaryDatabase } from '../test/support/database.ts'
import { RecentChanges } from './changes.ts'

it.each([3_600_000, -3_600_000])('the database is looked at as time passes, not when the clock is set by %d ms', async (set) => {
  await using held = await temporaryDatabase()
  const clock = new TestClock()
  const recent = await RecentChanges.open(held.db, clock)
  clock.set(set)
  expect(recent.settled()).toBeUndefined()
  clock.advance(500)
  const looking = recent.settled()
  expect(looking).toBeDefined()
  await looking
  expect(recent.settled()).toBeUndefined()
  recent.close()
})

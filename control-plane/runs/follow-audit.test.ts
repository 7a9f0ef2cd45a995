import { expect, onTestFinished, test } from 'vitest'
import { appendChange } from '../../schema/changes.ts'
import { memoryLog } from '../../test/support/bare-registry.ts'
import { TestClock } from '../../test/support/clock.ts'
import { temporaryDatabase } from '../../test/support/database.ts'
import { until } from '../../test/support/until.ts'
import { RUNS_POLL_MS } from '../limits.ts'
import { followAudit } from './follow-audit.ts'

async function followed() {
  const clock = new TestClock()
  const held = await temporaryDatabase()
  onTestFinished(() => held[Symbol.asyncDispose]())
  const heard: string[] = []
  const state = { wanted: false, asked: 0 }
  const follow = () => {
    const ending = new AbortController()
    const done = followAudit({
      db: held.db,
      clock,
      log: memoryLog(),
      signal: ending.signal,
      consumer: 'test',
      wanted: async () => {
        state.asked++
        return state.wanted
      },
      react: async (rows) => void heard.push(...rows.map(({ resource }) => resource)),
    })
    return async () => {
      ending.abort()
      await done
    }
  }
  return {
    heard,
    state,
    follow,
    happens: (subject: string) => appendChange(held.db, { actor: 'system', kind: 'tag.deleted', subject }),
    /** The follower has looked, and rests. */
    looked: async () => {
      await clock.waitedFor(RUNS_POLL_MS)
      clock.advance(RUNS_POLL_MS)
      await clock.waitedFor(RUNS_POLL_MS)
    },
  }
}

test('what comes while nobody wants to hear of anything is passed over, and what comes after is told once', async () => {
  const { heard, state, follow, happens, looked } = await followed()
  const stop = follow()
  await looked()
  await happens('team/app:unwanted')
  await looked()
  expect(state.asked).toBe(1)
  state.wanted = true
  await happens('team/app:wanted')
  await looked()
  expect(heard).toEqual(['team/app:wanted'])
  await stop()
  const again = follow()
  await happens('team/app:next')
  await looked()
  await until('the next is told', async () => heard.length > 1)
  expect(heard).toEqual(['team/app:wanted', 'team/app:next'])
  await again()
})

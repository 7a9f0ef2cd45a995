import { describe, expect, it } from 'vitest'
import type { FeedEntry } from '../../mesh/feed.ts'
import { memoryLog } from '../../test/support/bare-registry.ts'
import { TestClock } from '../../test/support/clock.ts'
import { until } from '../../test/support/until.ts'
import { keptInMemory } from '../kept.ts'
import { Unforgotten } from './unforgotten.ts'

const tag = (repository: string, seq = 1): FeedEntry => ({ kind: 'tag', seq, repository, tag: 'v1', digest: null })

function world() {
  const kept = keptInMemory()
  const clock = new TestClock()
  const store = { away: true, forgotten: [] as string[] }
  const forget = async (entries: readonly FeedEntry[]) => {
    if (store.away) throw new Error('away')
    for (const entry of entries) if (entry.kind === 'repository-deleted') store.forgotten.push(entry.repository)
  }
  const open = () => Unforgotten.open({ kept, clock, log: memoryLog(), forget, away: () => store.away })
  return { clock, store, open }
}

describe('what a store has yet to forget', () => {
  it('is whole repositories, once each, kept over a restart, and forgotten when the store is back', async () => {
    const { clock, store, open } = world()
    await (await open()).note([tag('team/app'), tag('team/app', 2), tag('team/web', 3), { kind: 'principal', seq: 4, id: 'u1' }])
    const unforgotten = await open()
    expect(unforgotten.pending).toBe(true)
    const ending = new AbortController()
    const running = unforgotten.run(ending.signal)
    const second = async () => {
      await until('it waits', () => clock.pending > 0)
      clock.advance(1_000)
    }
    await second()
    await second()
    expect([unforgotten.pending, store.forgotten]).toEqual([true, []])
    store.away = false
    await second()
    await until('it has forgotten', () => !unforgotten.pending)
    expect(store.forgotten).toEqual(['team/app', 'team/web'])
    ending.abort()
    await running
    expect((await open()).pending).toBe(false)
  })

  it('is refused when it is too much, so that the feed waits', async () => {
    const { open } = world()
    const unforgotten = await open()
    await unforgotten.note(Array.from({ length: 1_000 }, (_, i) => tag(`team/app${i}`)))
    await unforgotten.note([tag('team/app7')])
    await expect(unforgotten.note([tag('team/other')])).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })
})

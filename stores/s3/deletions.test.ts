import { describe, expect, it } from 'vitest'
import { TestClock } from '../../test/support/clock.ts'
import { Deletions } from './deletions.ts'
import { ATTEMPTS, BACKOFF_MS, BATCHES, DELETIONS_MS, PAGE } from './limits.ts'

/** A store that answers what it is told, and tells what it was asked. */
function store(answer: (keys: readonly string[], nth: number) => ReadonlyMap<string, string> | Promise<ReadonlyMap<string, string>>) {
  const clock = new TestClock()
  const asked: (readonly string[])[] = []
  const send = async (keys: readonly string[]) => {
    asked.push(keys)
    return await answer(keys, asked.length)
  }
  return { clock, asked, deletions: new Deletions({ send, clock, random: () => 1 }) }
}

const keys = (count: number, from = 0) => Array.from({ length: count }, (_, n) => `k${from + n}`)
const none = new Map<string, string>()

describe('deletions', () => {
  it('that come while batches are under way go together with the next, never more than a store takes at once', async () => {
    const ends: (() => void)[] = []
    const { asked, deletions } = store((_, nth) =>
      nth <= BATCHES ? new Promise((resolve) => ends.push(() => resolve(none))) : Promise.resolve(none),
    )
    const all = keys(BATCHES + PAGE + 10).map((key) => deletions.delete([key]))
    expect(asked.map(({ length }) => length)).toEqual([1, 1])
    for (const end of ends) end()
    await Promise.all(all)
    expect(asked.map(({ length }) => length)).toEqual([1, 1, PAGE, 10])
    expect(new Set(asked.flat()).size).toBe(BATCHES + PAGE + 10)
  })

  it('that the store puts off are asked for again, those alone, after pauses that double', async () => {
    const { clock, asked, deletions } = store((wanted, nth) => new Map(nth < 4 ? [[wanted[0] ?? '', 'SlowDown']] : []))
    const done = deletions.delete(['a', 'b'])
    for (const times of [1, 2, 4]) {
      await clock.waitedFor(BACKOFF_MS * times)
      clock.advance(BACKOFF_MS * times)
    }
    await done
    expect(asked).toEqual([['a', 'b'], ['a'], ['a'], ['a']])
  })

  it('end: what is put off for ever fails for who wanted it, and for nobody else', async () => {
    const { clock, asked, deletions } = store((wanted) => new Map(wanted.includes('bad') ? [['bad', 'SlowDown']] : []))
    const bad = deletions.delete(['bad', 'good'])
    const other = deletions.delete(['other'])
    const failed = expect(bad).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    for (let tries = 1; tries < ATTEMPTS; tries++) {
      await clock.waitedFor(BACKOFF_MS * 2 ** (tries - 1))
      clock.advance(BACKOFF_MS * 2 ** (tries - 1))
    }
    await failed
    await other
    expect(asked.filter((batch) => batch.includes('bad'))).toHaveLength(ATTEMPTS)
    expect(asked.filter((batch) => batch.includes('good'))).toHaveLength(1)
  })

  it('that are refused, or come too late, are not asked for again', async () => {
    const refusing = store((wanted) => new Map(wanted.map((key) => [key, 'AccessDenied'])))
    await expect(refusing.deletions.delete(['a'])).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(refusing.asked).toHaveLength(1)
    const late = store(() => {
      late.clock.advance(DELETIONS_MS + 1)
      return new Map([['a', 'SlowDown']])
    })
    const failed = expect(late.deletions.delete(['a'])).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await late.clock.waitedFor(BACKOFF_MS)
    late.clock.advance(BACKOFF_MS)
    await failed
    expect(late.asked).toHaveLength(1)
  })

  it('of what is gone already are done; of an error without a key nobody is told that his is', async () => {
    await store(() => new Map([['a', 'NoSuchKey']])).deletions.delete(['a'])
    await expect(store(() => new Map([['', 'AccessDenied']])).deletions.delete(['a'])).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })
})

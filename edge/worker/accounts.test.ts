import { expect, it } from 'vitest'
import { TestClock } from '../../test/support/clock.ts'
import { quiet as log } from '../../test/support/fill-source.ts'
import { keptInMemory } from '../kept.ts'
import { TELL_EVERY_MS } from '../limits.ts'
import { Accounts } from './accounts.ts'
import { NO_COUNTS, Teller, type Telling } from './teller.ts'

const spool = () => {
  const added: unknown[] = []
  return { added, add: (pulls: readonly unknown[]) => added.push(...pulls), write: async () => {} }
}

it('a telling is taken once, also by a link that began anew in between', async () => {
  const kept = keptInMemory()
  const clock = new TestClock()
  const open = () => Accounts.open({ kept, spool: spool(), now: () => clock.now() })
  const telling: Telling = { id: 'one', pulls: [], lost: 0, counts: { ...NO_COUNTS, hits: 3, bytesServed: 10 }, budgets: [] }
  const accounts = await open()
  await accounts.take(telling)
  await accounts.take(telling)
  const again = await open()
  await again.take(telling)
  await again.take({ ...telling, id: 'two' })
  expect((await open()).report).toMatchObject({ hits: 6, bytesServed: 20 })
})

it('what an upstream said last is known to all, with how long it wants to be left alone', async () => {
  const accounts = await Accounts.open({ kept: keptInMemory(), spool: spool(), now: () => 0 })
  const said = (id: string, at: number, remaining: number) => ({
    id,
    pulls: [],
    lost: 0,
    counts: NO_COUNTS,
    budgets: [{ upstream: 'hub', credential: 'anonymous', limit: 100, remaining, at }],
  })
  await accounts.take(said('one', 2, 50))
  const news = accounts.budgetsAfter(0)
  await accounts.take(said('two', 1, 60))
  expect(accounts.budgetsAfter(news?.version)).toBeUndefined()
  expect(news?.budgets).toMatchObject([{ remaining: 50 }])
})

it('what other edges have heard of an upstream is news to all objects, also after a start', async () => {
  const kept = keptInMemory()
  const open = async () => await Accounts.open({ kept, spool: spool(), now: () => 0 })
  const budget = { upstream: 'hub', credential: 'login.1', limit: 100, remaining: 50, at: 2 }
  const accounts = await open()
  await accounts.take({ id: 'one', pulls: [], lost: 0, counts: NO_COUNTS, budgets: [budget] })
  const { version } = accounts.budgetsAfter(undefined) ?? {}
  await accounts.hear([{ ...budget, remaining: 60, at: 1 }])
  expect(accounts.budgetsAfter(version), 'it is older than what is known').toBeUndefined()
  await accounts.hear([{ ...budget, remaining: 3, at: 3 }])
  expect(accounts.budgetsAfter(version)?.budgets).toMatchObject([{ remaining: 3 }])
  expect((await open()).budgetsAfter(undefined)?.budgets).toMatchObject([{ remaining: 3 }])
})

it('what could not be told is told again under its own id, together with nothing else', async () => {
  const clock = new TestClock()
  const sent: Telling[] = []
  let fails = true
  let ids = 0
  const teller = new Teller({
    clock,
    log,
    now: () => clock.now(),
    newId: () => String(ids++),
    send: async (telling) => {
      sent.push(telling)
      if (fails) throw new TypeError('lost')
    },
  })
  const tell = async () => {
    const told = teller.tell()
    await clock.waitedFor(TELL_EVERY_MS)
    clock.advance(TELL_EVERY_MS)
    await told
  }
  teller.count({ hits: 1 })
  await tell()
  teller.count({ hits: 2 })
  fails = false
  await tell()
  expect(sent.map(({ id, counts: { hits } }) => [id, hits])).toEqual([
    ['0', 1],
    ['0', 1],
    ['1', 2],
  ])
  await teller.tell()
  expect(sent).toHaveLength(3)
})

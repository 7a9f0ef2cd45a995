import { describe, expect, it } from 'vitest'
import { TestClock } from '../../test/support/clock.ts'
import { Rates } from './rates.ts'
import { type TurnLimits, Turns } from './turns.ts'

const limits: TurnLimits = { max: 2, perClient: 0, perTenant: 0, waiting: 10, waitMs: 1_000 }

function start(some: Partial<TurnLimits> = {}) {
  const clock = new TestClock()
  const turns = new Turns({ ...limits, ...some }, clock)
  const admitted: string[] = []
  const releases = new Map<string, () => void>()
  const ask = (name: string, client: string, tenant = 'p', signal?: AbortSignal) =>
    turns.take({ client, tenant }, signal && (() => signal)).then(
      (release) => {
        admitted.push(name)
        releases.set(name, release)
      },
      (error: unknown) => {
        admitted.push(`${name} refused`)
        return error
      },
    )
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve))
  const end = async (name: string) => {
    releases.get(name)?.()
    await settle()
  }
  return { clock, turns, admitted, ask, end, settle, releases }
}

describe('turns', () => {
  it('go round the clients, however many each one asks for', async () => {
    const { admitted, ask, end, settle } = start({ max: 1 })
    for (const name of ['a1', 'a2', 'a3', 'a4']) void ask(name, 'a')
    void ask('b1', 'b')
    void ask('c1', 'c')
    await settle()
    for (const name of ['a1', 'a2', 'b1', 'c1', 'a3']) await end(name)
    expect(admitted).toEqual(['a1', 'a2', 'b1', 'c1', 'a3', 'a4'])
  })

  it('leave room for others when one client or one tenant has all that it may', async () => {
    const { admitted, ask, end, settle } = start({ max: 10, perClient: 2, perTenant: 3 })
    for (const name of ['a1', 'a2', 'a3']) void ask(name, 'a', 'p')
    void ask('b1', 'b', 'p')
    void ask('b2', 'b', 'p')
    void ask('b3', 'b', 'q')
    await settle()
    expect(admitted).toEqual(['a1', 'a2', 'b1', 'b3'])
    await end('b1')
    expect(admitted).toEqual(['a1', 'a2', 'b1', 'b3', 'b2'])
  })

  it('are refused with Retry-After when too many wait, first to the client that waits with the most', async () => {
    const { admitted, ask, settle, turns } = start({ max: 1, waiting: 2 })
    for (const name of ['a1', 'a2', 'a3']) void ask(name, 'a')
    await settle()
    expect(await ask('a4', 'a')).toMatchObject({ code: 'UNAVAILABLE', status: 503, headers: { 'Retry-After': '5' } })
    void ask('b1', 'b')
    await settle()
    expect(admitted).toEqual(['a1', 'a4 refused', 'a3 refused'])
    expect(turns.waiting).toBe(2)
  })

  it('end with waiting after some time, or when the client leaves, and hold no place then', async () => {
    const { admitted, ask, end, settle, clock, turns } = start({ max: 1 })
    const gone = new AbortController()
    void ask('a1', 'a')
    void ask('b1', 'b', 'p', gone.signal)
    void ask('c1', 'c')
    await settle()
    gone.abort()
    clock.advance(1_000)
    await settle()
    expect(admitted).toEqual(['a1', 'b1 refused', 'c1 refused'])
    await end('a1')
    expect([turns.active, turns.waiting]).toEqual([0, 0])
  })

  it('give a place back once, however often it is said', async () => {
    const { ask, end, settle, turns } = start()
    void ask('a1', 'a')
    void ask('a2', 'a')
    await settle()
    await end('a1')
    await end('a1')
    expect(turns.active).toBe(1)
  })
})

describe('rates', () => {
  it('let a second’s worth through at once, then as much as the rate allows, each key by itself', () => {
    const clock = new TestClock()
    const rates = new Rates(1_000, clock)
    expect([rates.owe('a', 1_000), rates.owe('a', 500), rates.owe('b', 1_000)]).toEqual([0, 500, 0])
    clock.advance(1_500)
    expect(rates.owe('a', 1_000)).toBe(0)
  })

  it('do nothing at 0', () => {
    expect(new Rates(0, new TestClock()).owe('a', 1e12)).toBe(0)
  })
})

import { expect, it } from 'vitest'
import type { Fetch } from '../registry/remote/index.ts'
import { TestClock } from '../test/support/clock.ts'
import { quiet } from '../test/support/fill-source.ts'
import { heardAs, passLooks } from '../test/support/heard-origin.ts'
import { ORIGIN_LOOK_MS, SOURCE_AWAY_MS } from './limits.ts'
import type { MeshStatus } from './mesh.ts'
import { whileHeard } from './patience.ts'

function setting() {
  const clock = new TestClock()
  const origin = { state: 'connected' as MeshStatus['state'], hangs: true, asked: 0 }
  const fetch: Fetch = (_url, { signal }) => {
    origin.asked++
    if (!origin.hangs) return Promise.resolve(new Response('here'))
    return new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason), { once: true }))
  }
  const ask = whileHeard(fetch, { mesh: heardAs(() => origin.state), clock, log: quiet })
  const pass = (ms: number) => passLooks(clock, ms)
  return { clock, origin, pass, ask: (init: RequestInit = {}) => ask(new URL('https://registry.example.com/v2/'), init) }
}

it('an origin that is heard is waited for; once it is away, whoever waits gets 503 in a moment, and each request tries', async () => {
  const { clock, origin, pass, ask } = setting()
  let error: unknown
  const first = ask().catch((thrown: unknown) => {
    error = thrown
  })
  await pass(60_000)
  expect(error).toBeUndefined()
  origin.state = 'disconnected'
  await pass(ORIGIN_LOOK_MS + SOURCE_AWAY_MS)
  expect(error).toMatchObject({ code: 'UNAVAILABLE', status: 503, headers: { 'Retry-After': expect.any(String) } })
  await first
  const second = expect(ask()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  await pass(SOURCE_AWAY_MS)
  await second
  origin.hangs = false
  expect(await (await ask()).text()).toBe('here')
  expect([origin.asked, clock.pending]).toEqual([3, 0])
})

it('who leaves ends his own request, with his own reason', async () => {
  const { clock, ask } = setting()
  const client = new AbortController()
  const asked = ask({ signal: client.signal })
  client.abort(new Error('left'))
  await expect(asked).rejects.toThrow('left')
  expect(clock.pending).toBe(0)
})

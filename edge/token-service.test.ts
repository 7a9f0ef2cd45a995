import { expect, it } from 'vitest'
import { TestClock } from '../test/support/clock.ts'
import { quiet } from '../test/support/fill-source.ts'
import { heardAs, passLooks } from '../test/support/heard-origin.ts'
import { ORIGIN_LOOK_MS, SOURCE_AWAY_MS } from './limits.ts'
import type { MeshStatus } from './mesh.ts'
import { originLogin } from './token-service.ts'

it('a login waits for an origin that is heard, and a moment for one that is not', async () => {
  const clock = new TestClock()
  let state: MeshStatus['state'] = 'connected'
  const origin = {
    ask: (_method: string, _path: string, { signal }: { signal?: AbortSignal | undefined } = {}) =>
      new Promise<never>((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason), { once: true })),
  }
  const login = originLogin(origin, async () => {}, { mesh: heardAs(() => state), clock, log: quiet })
  const errors: unknown[] = []
  const ask = () => login.login({ username: 'mimi', password: 'secret', scopes: [], client: undefined }).catch((error: unknown) => errors.push(error))
  const first = ask()
  await passLooks(clock, 4_000)
  expect(errors).toEqual([])
  state = 'disconnected'
  await passLooks(clock, ORIGIN_LOOK_MS + SOURCE_AWAY_MS)
  await first
  const second = ask()
  await passLooks(clock, SOURCE_AWAY_MS)
  await second
  const away = { code: 'UNAVAILABLE', status: 503, message: expect.stringContaining('cannot be checked now') }
  expect(errors).toMatchObject([away, away])
  expect(clock.pending).toBe(0)
})

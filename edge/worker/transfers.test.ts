import { expect, it } from 'vitest'
import { TestClock } from '../../test/support/clock.ts'
import { TRANSFER_IDLE_MS } from '../limits.ts'
import { Transfers } from './transfers.ts'

const LIMITS = { max: 1, perClient: 0, perProject: 0, waiting: 0, clientRate: 0, projectRate: 0 }

it('a request that was ended without a word holds its place only for as long as somebody may still want more of it', async () => {
  const clock = new TestClock()
  const transfers = new Transfers(LIMITS, clock)
  const ask = (signal?: AbortSignal) =>
    transfers.answer(new Request('https://edge/v2/p/app/blobs/sha256:aa', { ...(signal && { signal }) }), '10.0.0.1', async () => {
      return new Response(new ReadableStream<Uint8Array>({ pull: (controller) => controller.enqueue(new Uint8Array(1)) }, { highWaterMark: 0 }))
    })
  const reader = (await ask()).body?.getReader()
  for (let minutes = 0; minutes < 10; minutes++) {
    clock.advance(60_000)
    await reader?.read()
    expect((await ask()).status).toBe(503)
  }
  clock.advance(TRANSFER_IDLE_MS + 1)
  const left = new AbortController()
  expect((await ask(left.signal)).status).toBe(200)
  expect((await ask()).status).toBe(503)
  left.abort()
  expect((await ask()).status).toBe(200)
})

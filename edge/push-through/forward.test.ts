import { describe, expect, it } from 'vitest'
import { type Clock, systemClock } from '../../registry/clock.ts'
import { TestClock } from '../../test/support/clock.ts'
import { quiet } from '../../test/support/fill-source.ts'
import { heardAs, passLooks } from '../../test/support/heard-origin.ts'
import { ORIGIN_LOOK_MS } from '../limits.ts'
import type { MeshStatus } from '../mesh.ts'
import { forward } from './forward.ts'
import { PUSH_ANSWER_MS, PUSH_AWAY_MS } from './limits.ts'

const origin = new URL('https://registry.example.com/base/')
const request = (init: RequestInit & { duplex?: 'half' } = {}) =>
  new Request('https://edge.example.com/v2/team/app/blobs/uploads/1?digest=x', { method: 'PUT', ...init })

/** As long as nothing else is said, the origin is heard. */
const rest = (clock: Clock = systemClock, state: () => MeshStatus['state'] = () => 'connected') => ({ clock, log: quiet, mesh: heardAs(state) })

function recording(headers: Record<string, string> = {}) {
  const sent: { url: URL; init: RequestInit }[] = []
  const fetch = async (url: URL, init: RequestInit) => {
    sent.push({ url, init })
    const text = init.body instanceof ReadableStream ? await new Response(init.body).text() : ''
    return new Response(null, { status: 201, headers: { ...headers, 'X-Size': String(text.length) } })
  }
  return { sent, fetch }
}

describe('a request that is handed on', () => {
  it('goes to the same path at the origin with the client’s token, and brings nothing else along', async () => {
    const { sent, fetch } = recording()
    const headers = { authorization: 'Bearer t', cookie: 'secret', 'x-forwarded-for': '192.0.2.1', 'content-type': 'text/plain' }
    await forward({ request: request({ headers }) }, { origin, fetch, ...rest() })
    expect(sent[0]?.url.href).toBe('https://registry.example.com/base/v2/team/app/blobs/uploads/1?digest=x')
    expect(Object.fromEntries(sent[0]?.init.headers as Headers)).toEqual({
      authorization: 'Bearer t',
      'content-length': '0',
      'content-type': 'text/plain',
    })
  })

  it('streams its body without a second copy of it in memory', async () => {
    const { sent, fetch } = recording()
    const seen: number[] = []
    const onChunk = async (chunk: Uint8Array) => void seen.push(chunk.length)
    await forward({ request: request({ body: 'x'.repeat(1_000), duplex: 'half' }), onChunk }, { origin, fetch, ...rest() })
    // Node's fetch tees a body that it might have to send again.
    expect(sent[0]?.init).toMatchObject({ redirect: 'error', window: null, duplex: 'half' })
    expect(seen.reduce((sum, size) => sum + size, 0)).toBe(1_000)
  })

  it('brings back an address at the origin as a path, and leaves others and inner headers', async () => {
    const location = 'https://registry.example.com/v2/team/app/blobs/sha256:x?a=b'
    const { fetch } = recording({ Location: location, 'Set-Cookie': 'a=b', Range: '0-9' })
    const answer = await forward({ request: request() }, { origin, fetch, ...rest() })
    expect(Object.fromEntries(answer.headers)).toEqual({ location: '/v2/team/app/blobs/sha256:x?a=b', range: '0-9' })
  })

  it('waits for an origin that is heard, and is over with 503 in a moment once that is lost and nothing moves', async () => {
    const clock = new TestClock()
    let state: MeshStatus['state'] = 'connected'
    const hangs = (_url: URL, { signal }: RequestInit) =>
      new Promise<Response>((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason), { once: true }))
    const outcome: { error?: unknown } = {}
    const over = forward({ request: request() }, { origin, fetch: hangs, ...rest(clock, () => state) }).catch((error: unknown) => {
      outcome.error = error
    })
    const pass = (ms: number) => passLooks(clock, ms)
    await pass(PUSH_ANSWER_MS - PUSH_AWAY_MS * 3)
    expect(outcome.error).toBeUndefined()
    // A feed that broke off and is back is no loss.
    state = 'disconnected'
    await pass(PUSH_AWAY_MS)
    state = 'connected'
    await pass(ORIGIN_LOOK_MS)
    expect(outcome.error).toBeUndefined()
    state = 'disconnected'
    await pass(PUSH_AWAY_MS + ORIGIN_LOOK_MS)
    expect(outcome.error).toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining('The origin of this edge cannot be reached') })
    await over
    expect(clock.pending).toBe(0)
  })

  it('is not over while its body moves', async () => {
    const clock = new TestClock()
    const arrived: number[] = []
    const fetch = async (_url: URL, { body }: RequestInit) => {
      for await (const chunk of body as ReadableStream<Uint8Array>) {
        arrived.push(chunk.length)
        await passLooks(clock, PUSH_AWAY_MS - ORIGIN_LOOK_MS)
      }
      return new Response(null, { status: 201 })
    }
    let sent = 0
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
      pull(controller) {
        if (++sent > 10) controller.close()
        else controller.enqueue(new Uint8Array(100))
      },
    })
    const answer = await forward({ request: request({ body, duplex: 'half' }) }, { origin, fetch, ...rest(clock, () => 'disconnected') })
    expect([answer.status, arrived.length]).toEqual([201, 10])
  })
})

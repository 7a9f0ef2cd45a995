import { describe, expect, it } from 'vitest'
import { systemClock } from '../../registry/clock.ts'
import { forward } from './forward.ts'

const origin = new URL('https://registry.example.com/base/')
const request = (init: RequestInit & { duplex?: 'half' } = {}) =>
  new Request('https://edge.example.com/v2/team/app/blobs/uploads/1?digest=x', { method: 'PUT', ...init })

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
    await forward({ request: request({ headers }) }, { origin, fetch, clock: systemClock })
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
    await forward({ request: request({ body: 'x'.repeat(1_000), duplex: 'half' }), onChunk }, { origin, fetch, clock: systemClock })
    // Node's fetch tees a body that it might have to send again.
    expect(sent[0]?.init).toMatchObject({ redirect: 'error', window: null, duplex: 'half' })
    expect(seen.reduce((sum, size) => sum + size, 0)).toBe(1_000)
  })

  it('brings back an address at the origin as a path, and leaves others and inner headers', async () => {
    const location = 'https://registry.example.com/v2/team/app/blobs/sha256:x?a=b'
    const { fetch } = recording({ Location: location, 'Set-Cookie': 'a=b', Range: '0-9' })
    const answer = await forward({ request: request() }, { origin, fetch, clock: systemClock })
    expect(Object.fromEntries(answer.headers)).toEqual({ location: '/v2/team/app/blobs/sha256:x?a=b', range: '0-9' })
  })
})

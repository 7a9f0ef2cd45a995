import { describe, expect, it } from 'vitest'
import { TestClock } from '../../test/support/clock.ts'
import { MANIFEST, manifestScript, name, remote, serve, sha256, tag } from '../../test/support/scripted-registry.ts'
import { systemClock } from '../clock.ts'
import { RemoteRegistry } from './index.ts'
import type { RemoteLimits } from './limits.ts'

describe('failures', () => {
  it.each([
    [401, 'DENIED'],
    [403, 'DENIED'],
    [429, 'TOOMANYREQUESTS'],
    [500, 'UNAVAILABLE'],
    [503, 'UNAVAILABLE'],
    [418, 'UPSTREAM_INVALID'],
    [204, 'UPSTREAM_INVALID'],
  ])('HTTP %i is %s, naming the upstream and no secret', async (status, code) => {
    const body = JSON.stringify({ errors: [{ code: 'X', message: 'you sent Bearer abc.def and Basic c2VjcmV0\r\nSet-Cookie: a' }] })
    const server = await serve((_request, response) => response.writeHead(status, { 'retry-after': '3600' }).end(status === 204 ? undefined : body))
    const error = await remote(server.url)
      .with()
      .repository(name)
      .manifests.get({ tag })
      .catch((e: unknown) => e)
    expect(error).toMatchObject({ code, message: expect.stringContaining(server.url.host) })
    expect(JSON.stringify(error)).not.toMatch(/abc\.def|c2VjcmV0|\\r|\\n/)
    if (status === 429) expect(error).toMatchObject({ headers: { 'Retry-After': '3600' } })
    expect(server.seen).toHaveLength(1)
  })

  it('404 is absence', async () => {
    const server = await serve((_request, response) => response.writeHead(404).end())
    const repository = remote(server.url).with().repository(name)
    expect(await repository.manifests.get({ tag })).toBeUndefined()
    expect(await repository.manifests.stat({ tag })).toBeUndefined()
    expect(await repository.blobs.stat(sha256('x'))).toBeUndefined()
    expect(await repository.blobs.open(sha256('x'))).toBeUndefined()
    expect(await repository.tags.list({ limit: 10 })).toBeUndefined()
    expect(await repository.referrers.list(sha256('x'), { page: { limit: 10 } })).toEqual({ items: [], more: false })
    expect(await repository.blobs.delete(sha256('x'))).toBe(false)
  })

  it('what may be repeated is: after 500 and 429, as long as Retry-After says', async () => {
    const clock = new TestClock()
    const answers = [500, 429, 200]
    const server = await serve((request, response, seen) => {
      const status = answers.shift()
      if (status === 200) return manifestScript(request, response, seen)
      return response.writeHead(status ?? 500, status === 429 ? { 'retry-after': '7' } : {}).end()
    })
    const answer = remote(server.url, { clock, random: () => 0.5 })
      .with()
      .repository(name)
      .manifests.get({ tag })
    await clock.waitedFor(125)
    clock.advance(125)
    await clock.waitedFor(7_000)
    expect(server.seen).toHaveLength(2)
    clock.advance(7_000)
    expect((await answer)?.descriptor.digest).toBe(sha256(MANIFEST))
  })

  it('a 429 that says nothing is not asked again at once, and not at all by who cannot wait', async () => {
    const clock = new TestClock()
    const server = await serve((_, response) => response.writeHead(429).end())
    const ask = (limits?: Partial<RemoteLimits>) =>
      remote(server.url, { clock, random: () => 0.5, ...(limits && { limits }) })
        .with()
        .repository(name)
        .manifests.get({ tag })
    await expect(ask({ attempts: 2, retryWindowMs: 900 })).rejects.toMatchObject({ code: 'TOOMANYREQUESTS' })
    expect(server.seen).toHaveLength(1)
    const patient = ask({ attempts: 2 }).catch((error: unknown) => error)
    await clock.waitedFor(5_000)
    expect(server.seen).toHaveLength(2)
    clock.advance(5_000)
    expect(await patient).toMatchObject({ code: 'TOOMANYREQUESTS' })
    expect(server.seen).toHaveLength(3)
  })

  it('a host that is not there is UNAVAILABLE after the last attempt', async () => {
    let attempts = 0
    const registry = new RemoteRegistry({
      url: new URL('http://127.0.0.1:1'),
      clock: systemClock,
      random: () => 0,
      fetch: (url, init) => {
        attempts++
        return fetch(url, init)
      },
    })
    await expect(registry.with().repository(name).manifests.get({ tag })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(attempts).toBe(3)
  })

  it('no answer in time is UNAVAILABLE', async () => {
    const clock = new TestClock()
    const server = await serve(() => {})
    const answer = remote(server.url, { clock, limits: { attempts: 1 } })
      .with()
      .repository(name)
      .manifests.get({ tag })
    const outcome = expect(answer).rejects.toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining('did not answer in time') })
    await clock.waitedFor(15_000)
    clock.advance(15_000)
    await outcome
  })

  it('a blob that stops in the middle fails after the stall time, and nothing fails while bytes come', async () => {
    const clock = new TestClock()
    let more = (_part: string) => {}
    const server = await serve((_request, response) => {
      response.writeHead(200, { 'content-length': 9 })
      more = (part) => response.write(part)
      response.write('abc')
    })
    const body = await remote(server.url, { clock }).with().repository(name).blobs.open(sha256('abcdefghi'))
    const reader = body?.stream?.getReader()
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe('abc')
    const second = reader?.read()
    await new Promise(setImmediate)
    clock.advance(29_999)
    more('def')
    expect(Buffer.from((await second)?.value ?? []).toString()).toBe('def')
    const third = reader?.read()
    await new Promise(setImmediate)
    clock.advance(30_000)
    await expect(third).rejects.toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining('stopped sending') })
  })

  it('the caller who leaves ends the request, also in the middle of a stream', async () => {
    let closed = () => {}
    const gone = new Promise<void>((resolve) => {
      closed = resolve
    })
    const server = await serve((_request, response) => {
      response.on('close', closed)
      response.writeHead(200, { 'content-length': 9 }).write('abc')
    })
    const caller = new AbortController()
    const body = await remote(server.url).with(caller.signal).repository(name).blobs.open(sha256('abcdefghi'))
    const reader = body?.stream?.getReader()
    await reader?.read()
    caller.abort(new Error('left'))
    await expect(reader?.read()).rejects.toThrow('left')
    await gone
  })
})

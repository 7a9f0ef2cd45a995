import { request as httpRequest } from 'node:http'
import { text } from 'node:stream/consumers'
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { memoryLog } from '../../test/support/bare-registry.ts'
import { type HttpServer, serveHttp } from '../http-server.ts'
import { LightHeaders } from './light-headers.ts'

const servers: HttpServer[] = []

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()))
})

/** What the handler says of a request that comes over the wire as given. */
async function seen(
  target: string,
  init: { method?: string; headers?: readonly string[]; body?: string },
  look: (request: Request) => unknown,
): Promise<unknown> {
  const server = await serveHttp({
    fetch: async (request) => Response.json((await look(request)) ?? null),
    host: '127.0.0.1',
    port: 0,
    log: memoryLog(),
  })
  servers.push(server)
  const sent = httpRequest({
    host: '127.0.0.1',
    port: server.port,
    path: target,
    method: init.method ?? 'GET',
    headers: [...(init.headers ?? ['Host', 'a.test:8080'])],
  })
  const answer = new Promise<string>((resolve, reject) => {
    sent.on('response', (response) => resolve(text(response)))
    sent.on('error', reject)
  })
  sent.end(init.body)
  return JSON.parse(await answer)
}

describe('LightHeaders', () => {
  const name = fc.constantFrom('Accept', 'accept', 'ETag', 'X-One', 'x-one', 'Cookie', 'Set-Cookie')
  const value = fc.constantFrom('z', 'a', 'b, c', '"x"')
  const change = fc.oneof(
    fc.tuple(fc.constant('set' as const), name, value),
    fc.tuple(fc.constant('append' as const), name, value),
    fc.tuple(fc.constant('delete' as const), name, fc.constant('')),
  )

  it("says what the platform's would, whatever is done to them", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value)), fc.array(change, { maxLength: 5 }), fc.array(name), (pairs, changes, asked) => {
        const ours = new LightHeaders(pairs.flat())
        const theirs = new Headers(pairs)
        for (const [how, key, to] of changes) {
          for (const headers of [ours, theirs]) how === 'delete' ? headers.delete(key) : headers[how](key, to)
          for (const each of asked) expect([each, ours.get(each), ours.has(each)]).toEqual([each, theirs.get(each), theirs.has(each)])
        }
        for (const each of asked) expect([each, ours.get(each), ours.has(each)]).toEqual([each, theirs.get(each), theirs.has(each)])
        expect([...new Headers(pairsOf(ours.list()))]).toEqual([...theirs])
        expect([...new Headers(ours)]).toEqual([...theirs])
        expect([[...ours], [...ours.keys()], [...ours.values()], ours.getSetCookie()]).toEqual([
          [...theirs],
          [...theirs.keys()],
          [...theirs.values()],
          theirs.getSetCookie(),
        ])
        expect(ours).toBeInstanceOf(Headers)
      }),
    )
  })
})

describe('a request over the wire', () => {
  it('has the URL that the platform makes of it', async () => {
    const targets = [
      '/',
      '//x',
      '/v2/a/b/manifests/v1?n=1&last=b',
      '/a/../b',
      '/a/./b',
      '/a/%2e%2e/b',
      '/a/.b',
      '/%41',
      "/a'b?c'd",
      '/a?b#c',
      '/a|b',
      '/a\\b',
      '/?a=/../b',
      '/a?',
    ]
    const hosts = [
      'a.test:8080',
      'a.test:80',
      'A.test',
      'a.0x7f',
      '127.0.0.1:5000',
      '127.0.0.01:5000',
      '127.1:5000',
      '[::1]:5000',
      'xn--a:5000',
      'a.test:65536',
      'a.test.:5000',
    ]
    for (const host of hosts) {
      for (const target of targets) {
        const expected = URL.canParse(`http://${host}${target}`) ? new Request(`http://${host}${target}`).url : undefined
        const url = await seen(target, { headers: ['Host', host] }, (request) => ({ url: request.url }))
        expect(url, `${host}${target}`).toEqual(
          expected === undefined ? { errors: [{ code: 'UNKNOWN', message: 'The request names no valid URL.' }] } : { url: expected },
        )
      }
    }
  })

  it('can be read in every way that a Request can', async () => {
    const put = (look: (request: Request) => unknown) =>
      seen('/x', { method: 'PUT', headers: ['Host', 'a.test', 'X-One', '1', 'x-one', '2', 'Content-Length', '7'], body: '{"a":1}' }, look)
    expect(await put((request) => request.json())).toEqual({ a: 1 })
    expect(await put((request) => request.text())).toBe('{"a":1}')
    expect(await put(async (request) => (await request.arrayBuffer()).byteLength)).toBe(7)
    expect(await put(async (request) => (await request.bytes()).byteLength)).toBe(7)
    expect(await put(async (request) => (await request.blob()).size)).toBe(7)
    expect(await put(async (request) => request.clone().json())).toEqual({ a: 1 })
    expect(await put(async (request) => new Response(request.body).text())).toBe('{"a":1}')
    expect(
      await put((request) => [request.method, request.headers.get('X-ONE'), request.bodyUsed, request instanceof Request, request.signal.aborted]),
    ).toEqual(['PUT', '1, 2', false, true, false])
    expect(await put(async (request) => [await request.text(), request.bodyUsed])).toEqual(['{"a":1}', true])
    expect(await put((request) => [request.redirect, request.mode, request.cache, request.credentials])).toEqual([
      'follow',
      'cors',
      'default',
      'same-origin',
    ])
    expect(await seen('/x', {}, async (request) => [request.body, await request.text()])).toEqual([null, ''])
  })

  it('is refused a second reading of its body, as any is', async () => {
    const twice = async (request: Request) => {
      await request.body?.getReader().read()
      return request.text().then(
        () => 'read',
        (error: unknown) => error instanceof TypeError,
      )
    }
    expect(await seen('/x', { method: 'PUT', headers: ['Host', 'a.test', 'Content-Length', '1'], body: 'a' }, twice)).toBe(true)
  })
})

function pairsOf(list: readonly string[]): [string, string][] {
  return list.flatMap((name, at) => (at % 2 === 0 ? [[name, list[at + 1] ?? ''] as [string, string]] : []))
}

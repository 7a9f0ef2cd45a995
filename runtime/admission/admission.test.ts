import { expect, it } from 'vitest'
import { systemClock } from '../../registry/clock.ts'
import { quiet } from '../../test/support/fill-source.ts'
import { until } from '../../test/support/until.ts'
import { serveHttp } from '../http-server.ts'
import { admitted, projectOfTransfer } from './admission.ts'

const limits = { max: 1, perClient: 0, perProject: 0, waiting: 1, clientRate: 0, projectRate: 0 }

it('keeps small requests out of the queue of large ones, which gets 503 when full and goes on when a transfer ends', async () => {
  const open: ReadableStreamDefaultController<Uint8Array>[] = []
  const answer = (request: Request) =>
    request.url.includes('/blobs/')
      ? new Response(new ReadableStream<Uint8Array>({ start: (controller) => void open.push(controller) }, { highWaterMark: 0 }))
      : new Response('small')
  const fair = admitted(limits, systemClock, answer)
  let arrived = 0
  const server = await serveHttp({
    host: '127.0.0.1',
    port: 0,
    log: quiet,
    fetch: (request, connection) => {
      arrived++
      return fair(request, connection)
    },
  })
  try {
    const blob = () => fetch(`${server.url}/v2/p/app/blobs/sha256:aa`)
    const both = [blob(), blob()]
    await until('one transfer has begun and another one waits', () => arrived === 2 && open.length === 1)
    const third = await blob()
    expect([third.status, third.headers.get('retry-after')]).toEqual([503, '5'])
    expect(await third.json()).toMatchObject({ errors: [{ code: 'UNAVAILABLE' }] })
    for (const path of ['/v2/', '/v2/p/app/manifests/v1', '/service/token']) expect(await (await fetch(server.url + path)).text()).toBe('small')
    expect(open).toHaveLength(1)
    open[0]?.close()
    await until('the other one has begun', () => open.length === 2)
    open[1]?.close()
    for (const response of await Promise.all(both)) expect([response.status, await response.text()]).toEqual([200, ''])
  } finally {
    await server.close()
  }
})

it('knows what moves bytes of a blob', () => {
  const of = (method: string, path: string, headers = {}) => projectOfTransfer({ method, url: `http://h${path}`, headers: new Headers(headers) })
  expect(of('GET', '/v2/p/a/b/blobs/sha256:aa')).toBe('p')
  expect(of('PATCH', '/v2/p/a/blobs/uploads/1', { 'content-length': '5' })).toBe('p')
  expect(of('PUT', '/v2/p/a/blobs/uploads/1?digest=sha256:aa', { 'transfer-encoding': 'chunked' })).toBe('p')
  expect(of('PUT', '/v2/p/a/blobs/uploads/1?digest=sha256:aa', { 'content-length': '0' })).toBeUndefined()
  expect(of('POST', '/v2/p/a/blobs/uploads/')).toBeUndefined()
  expect(of('HEAD', '/v2/p/a/blobs/sha256:aa')).toBeUndefined()
  expect(of('GET', '/v2/p/a/manifests/v1')).toBeUndefined()
  expect(of('GET', '/service/token?scope=/blobs/x')).toBeUndefined()
})

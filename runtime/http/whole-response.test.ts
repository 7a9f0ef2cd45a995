import { afterEach, describe, expect, it } from 'vitest'
import { memoryLog } from '../../test/support/bare-registry.ts'
import { type HttpServer, serveHttp } from '../http-server.ts'
import { WholeResponse } from './whole-response.ts'

const bytes = new TextEncoder().encode('{"a":1}')
const make = (headers: Record<string, string> = { 'Content-Length': '7', 'X-One': '1' }) => new WholeResponse(bytes, { status: 201, headers })
const servers: HttpServer[] = []

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()))
})

describe('WholeResponse', () => {
  it('is read as any response is', async () => {
    expect(await make().text()).toBe('{"a":1}')
    expect(await make().json()).toEqual({ a: 1 })
    expect(new Uint8Array(await make().arrayBuffer())).toEqual(bytes)
    expect(await make().bytes()).toEqual(bytes)
    expect(await (await make().blob()).text()).toBe('{"a":1}')
    expect(await make().clone().text()).toBe('{"a":1}')
    const taken = make()
    expect(taken.bodyUsed).toBe(false)
    await taken.text()
    expect(taken.bodyUsed).toBe(true)
    await expect(taken.text()).rejects.toThrow(TypeError)
    const wrapped = new Response(make().body, make())
    expect([wrapped.status, wrapped.headers.get('x-one'), await wrapped.text()]).toEqual([201, '1', '{"a":1}'])
  })

  it('reaches a client whole, with the headers it has when it is sent', async () => {
    const fetchOne = async (answer: () => Response) => {
      const server = await serveHttp({ fetch: answer, host: '127.0.0.1', port: 0, log: memoryLog() })
      servers.push(server)
      const response = await fetch(server.url)
      return [response.status, response.headers.get('x-two'), await response.text()]
    }
    const later = () => {
      const response = make()
      response.headers.set('X-Two', '2')
      return response
    }
    expect(await fetchOne(later)).toEqual([201, '2', '{"a":1}'])
    // Without a length it has one by itself.
    expect(await fetchOne(() => make({}))).toEqual([201, null, '{"a":1}'])
  })

  it('is cut, as any answer, when it does not have the length it promises', async () => {
    const server = await serveHttp({ fetch: () => make({ 'Content-Length': '8' }), host: '127.0.0.1', port: 0, log: memoryLog() })
    servers.push(server)
    await expect(fetch(server.url).then((response) => response.text())).rejects.toThrow(TypeError)
  })
})

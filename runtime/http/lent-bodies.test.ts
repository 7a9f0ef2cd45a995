import { afterEach, expect, it } from 'vitest'
import { giveBack, lend } from '../../registry/lent.ts'
import { memoryLog } from '../../test/support/bare-registry.ts'
import { openRaw, rawRequest } from '../../test/support/raw-http.ts'
import { type HttpServer, serveHttp } from '../http-server.ts'

const MIB = 1024 * 1024
const servers: HttpServer[] = []

async function serve(fetch: () => Response) {
  const server = await serveHttp({ fetch, host: '127.0.0.1', port: 0, log: memoryLog(), limits: { closeDeadline: 50 } })
  servers.push(server)
  return server
}

afterEach(() => Promise.all(servers.splice(0).map((server) => server.close())))

it('gives back what a body lends once it has been sent, each chunk once, the last perhaps not', async () => {
  const back: number[] = []
  let given = 0
  const server = await serve(() => {
    const body = new ReadableStream<Uint8Array>(
      {
        pull: (controller) => {
          const index = given++
          controller.enqueue(lend(new Uint8Array(100_000).fill(index), () => back.push(index)))
          if (given === 20) controller.close()
        },
      },
      { highWaterMark: 0 },
    )
    return new Response(body, { headers: { 'content-length': '2000000' } })
  })
  const got = new Uint8Array(await (await fetch(server.url)).arrayBuffer())
  expect(got.every((byte, at) => byte === Math.floor(at / 100_000))).toBe(true)
  expect(back).toEqual(Array.from({ length: 19 }, (_, index) => index))
})

it('gives back nothing that a client who reads nothing has yet to get', async () => {
  const lent = new Set<Uint8Array>()
  const server = await serve(() => {
    const body = new ReadableStream<Uint8Array>(
      {
        pull: (controller) => {
          const chunk = new Uint8Array(MIB)
          lent.add(chunk)
          controller.enqueue(lend(chunk, () => lent.delete(chunk)))
        },
      },
      { highWaterMark: 0 },
    )
    return new Response(body)
  })
  const socket = await openRaw(`127.0.0.1:${server.port}`, rawRequest('GET / HTTP/1.1'))
  socket.pause()
  await expect.poll(() => lent.size).toBe(2)
  await new Promise((resolve) => setTimeout(resolve, 100))
  // One is with the socket, one was asked for ahead.
  expect(lent.size).toBe(2)
  for (const chunk of lent) giveBack(chunk)
  socket.destroy()
})

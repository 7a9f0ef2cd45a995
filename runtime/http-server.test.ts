import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, describe, expect, it } from 'vitest'
import { memoryLog } from '../test/support/bare-registry.ts'
import { HTTP_LIMITS, type HttpLimits } from './http/limits.ts'
import { type ConnectionInfo, type HttpServer, serveHttp } from './http-server.ts'

const MIB = 1024 * 1024
const servers: HttpServer[] = []
const log = memoryLog()

async function serve(fetch: (request: Request, connection: ConnectionInfo) => Response | Promise<Response>, limits: Partial<HttpLimits> = {}) {
  const server = await serveHttp({ fetch, host: '127.0.0.1', port: 0, log, limits: { closeDeadline: 50, ...limits } })
  servers.push(server)
  return server
}

async function dial({ port }: HttpServer): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  return socket
}

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()))
  log.entries.length = 0
})

describe('serveHttp', () => {
  it('gives requests and takes answers as the web has them', async () => {
    const server = await serve(async (request, { remoteAddress }) => {
      const body = `${request.method} ${request.url} ${request.headers.get('x-two')} ${remoteAddress} ${await request.text()}`
      return new Response(body, {
        status: 201,
        headers: [
          ['set-cookie', 'a=1'],
          ['set-cookie', 'b=2'],
        ],
      })
    })
    const response = await fetch(`${server.url}/a%2Fb?c=d`, { method: 'PUT', body: 'hello', headers: { 'x-two': 'one' } })
    expect(response.status).toBe(201)
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
    expect(await response.text()).toBe(`PUT ${server.url}/a%2Fb?c=d one 127.0.0.1 hello`)
  })

  it('asks a body of an answer for no more than a client takes', async () => {
    let given = 0
    const stream = new ReadableStream<Uint8Array>(
      {
        pull: (controller) => {
          given += MIB
          controller.enqueue(new Uint8Array(MIB))
        },
      },
      { highWaterMark: 0 },
    )
    const cancelled = Promise.withResolvers<void>()
    const server = await serve(() => new Response(watchCancel(stream, cancelled.resolve), { headers: { 'Content-Length': String(1024 * MIB) } }))
    const socket = await dial(server)
    socket.pause()
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    // The kernel's buffers are full when the number stands still over some turns of the loop.
    let before = -1
    for (let still = 0; still < 50; ) {
      await new Promise((resolve) => setTimeout(resolve, 1))
      still = given === before && given > 0 ? still + 1 : 0
      before = given
    }
    expect(given).toBeLessThan(32 * MIB)
    socket.destroy()
    await cancelled.promise
  })

  it('takes a body of a request only as its handler reads it', async () => {
    const begun = Promise.withResolvers<ReadableStreamDefaultReader<Uint8Array>>()
    const done = Promise.withResolvers<Response>()
    const server = await serve((request) => {
      if (request.body) begun.resolve(request.body.getReader())
      return done.promise
    })
    const socket = await dial(server)
    socket.write(`PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${256 * MIB}\r\n\r\n`)
    const chunk = Buffer.alloc(MIB)
    let sent = 0
    const send = () => {
      sent++
      return socket.write(chunk)
    }
    while (sent < 256 && send());
    const reader = await begun.promise
    // Nobody has read, so the sender was stopped; each read lets it go on.
    for (let read = 0; read < 256 * MIB; ) {
      const { value } = await reader.read()
      read += value?.byteLength ?? Number.NaN
      while (sent < 256 && socket.writableLength < 4 * MIB) send()
    }
    done.resolve(new Response('thanks'))
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect(answer.toString()).toContain('200 OK')
    socket.destroy()
  })

  it('cuts an answer whose source fails, and adds nothing to it', async () => {
    for (const headers of [{ 'Content-Length': '100' }, {}]) {
      const arrived = Promise.withResolvers<void>()
      const server = await serve(() => {
        let step = 0
        const stream = new ReadableStream<Uint8Array>({
          async pull(controller) {
            if (step++ === 0) return controller.enqueue(new TextEncoder().encode('0123456789'))
            await arrived.promise
            controller.error(new Error('secret internals'))
          },
        })
        return new Response(stream, { headers })
      })
      const raw = await exchange(server, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', arrived.resolve)
      expect(raw).not.toContain('secret')
      expect(raw.endsWith('0\r\n\r\n')).toBe(false)
      expect(raw.split('\r\n\r\n')[1] ?? '').toMatch(/^(a\r\n)?0123456789(\r\n)?$/)
      await expect(fetch(server.url).then((response) => response.text())).rejects.toThrow()
    }
    expect(log.entries.some(({ level, message }) => level === 'warn' && message.includes('cut off'))).toBe(true)
  })

  it('never completes an answer that is shorter or longer than it promised, or fails after its last byte', async () => {
    const bodies = [
      () =>
        new ReadableStream<Uint8Array>({
          start: (c) => {
            c.enqueue(new Uint8Array(9))
            c.close()
          },
        }),
      () =>
        new ReadableStream<Uint8Array>({
          start: (c) => {
            c.enqueue(new Uint8Array(9))
            c.enqueue(new Uint8Array(2))
            c.close()
          },
        }),
      () => {
        let step = 0
        return new ReadableStream<Uint8Array>(
          { pull: (c) => (step++ === 0 ? c.enqueue(new Uint8Array(10)) : c.error(new Error('the digest is wrong'))) },
          { highWaterMark: 0 },
        )
      },
    ]
    for (const body of bodies) {
      const server = await serve(() => new Response(body(), { headers: { 'Content-Length': '10' } }))
      await expect(fetch(server.url).then((response) => response.arrayBuffer())).rejects.toThrow()
    }
  })

  it('ends the work of a request whose client leaves', async () => {
    const aborted = Promise.withResolvers<void>()
    const asked = Promise.withResolvers<void>()
    const server = await serve((request) => {
      request.signal.addEventListener('abort', () => aborted.resolve())
      asked.resolve()
      return new Promise(() => undefined)
    })
    const socket = await dial(server)
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await asked.promise
    socket.destroy()
    await aborted.promise
  })

  it('fails the body of a request whose client leaves, after giving what came', async () => {
    const outcome = Promise.withResolvers<string>()
    const begun = Promise.withResolvers<void>()
    const server = await serve(async (request) => {
      let got = ''
      try {
        for await (const chunk of request.body ?? []) {
          got += Buffer.from(chunk as Uint8Array).toString()
          begun.resolve()
        }
        outcome.resolve(`whole ${got}`)
      } catch {
        outcome.resolve(`broken after ${got}`)
      }
      return new Response(null)
    })
    const socket = await dial(server)
    socket.write('PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf')
    await begun.promise
    socket.destroy()
    expect(await outcome.promise).toBe('broken after half')
  })

  it('takes no request with two Hosts: whoever stands before it may have read the other', async () => {
    const server = await serve(() => new Response('served'))
    for (const second of ['b', 'a']) {
      const raw = await exchange(server, `GET / HTTP/1.1\r\nHost: a\r\nHOST: ${second}\r\nConnection: close\r\n\r\n`)
      expect(raw).toMatch(/^HTTP\/1\.1 400 /)
      expect(raw).not.toContain('served')
    }
  })

  it('asks for the body of a client that waits for that once somebody reads it, and never where the head alone is refused', async () => {
    const server = await serve(async (request) =>
      request.headers.has('authorization') ? new Response(`got ${await request.text()}`) : new Response('who?', { status: 401 }),
    )
    const head = 'PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n'
    const refused = await exchange(server, `${head}\r\n`)
    expect(refused).toMatch(/^HTTP\/1\.1 401 /)
    expect(refused.toLowerCase()).toContain('connection: close')
    const socket = await dial(server)
    const answer = text(socket)
    socket.write(`${head}Authorization: yes\r\nConnection: close\r\n\r\n`)
    const [asked] = (await once(socket, 'data')) as [Buffer]
    expect(asked.toString()).toBe('HTTP/1.1 100 Continue\r\n\r\n')
    socket.write('hello')
    expect(await answer).toMatch(/\r\n\r\nHTTP\/1\.1 200 OK[\s\S]*got hello/)
    // Who does not wait loses nothing.
    expect(await exchange(server, `${head}Authorization: yes\r\nConnection: close\r\n\r\nhello`)).toMatch(/200 OK[\s\S]*got hello/)
  })

  it('answers 408 to a body that stalls, and closes', async () => {
    const outcome = Promise.withResolvers<string>()
    const server = await serve(
      async (request) => {
        await request.text().then(
          () => outcome.resolve('whole'),
          () => outcome.resolve('broken'),
        )
        return new Response('too late')
      },
      { bodyStallTimeout: 30 },
    )
    const raw = await exchange(server, 'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf')
    expect(raw).toMatch(/^HTTP\/1\.1 408 /)
    expect(raw).not.toContain('too late')
    expect(await outcome.promise).toBe('broken')
  })

  it('answers 408 to a body that comes by drops, and leaves a slow one alone that ends', async () => {
    const server = await serve(async (request) => new Response(await request.text().catch(() => 'broken')), { bodyStallTimeout: 60, bodyLeast: 100 })
    const socket = await dial(server)
    socket.on('error', () => undefined)
    socket.write('PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n')
    const drops = setInterval(() => socket.write('x'), 10)
    // A drop that comes after the end of the connection is answered with a reset.
    const [said] = await once(socket, 'data')
    clearInterval(drops)
    expect(String(said)).toMatch(/^HTTP\/1\.1 408 /)
    expect(await exchange(server, 'PUT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 4\r\n\r\nslow')).toContain('slow')
  })

  it('lets go of a client that sends its headers too slowly, and of one that reads nothing', async () => {
    const cancelled = Promise.withResolvers<void>()
    const endless = () => new ReadableStream<Uint8Array>({ pull: (c) => c.enqueue(new Uint8Array(MIB)) })
    const server = await serve(() => new Response(watchCancel(endless(), cancelled.resolve)), { headersTimeout: 40, answerStallTimeout: 40 })
    const raw = await exchange(server, 'GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ')
    expect(raw).toMatch(/^HTTP\/1\.1 408 /)
    const reader = await dial(server)
    reader.pause()
    reader.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await cancelled.promise
    reader.destroy()
  })

  it('closes a connection on which nothing was asked without a word', async () => {
    const server = await serve(() => new Response('ok'), { headersTimeout: 40 })
    expect(await exchange(server, '')).toBe('')
  })

  it('refuses what HTTP does not allow with the envelope of every other error, and lives on', async () => {
    const server = await serve(() => new Response('ok'))
    const cases: readonly [string, number][] = [
      ['nonsense\r\n\r\n', 400],
      ['GET / HTTP/1.1\r\n\r\n', 400],
      ['GET / HTTP/1.1\r\nHost: a/b\r\n\r\n', 400],
      ['GET / HTTP/1.1\r\nHost: user@a\r\n\r\n', 400],
      ['GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n', 400],
      ['TRACE / HTTP/1.1\r\nHost: a\r\n\r\n', 405],
      [`GET / HTTP/1.1\r\nHost: a\r\nX-Long: ${'x'.repeat(HTTP_LIMITS.headerSize)}\r\n\r\n`, 431],
      ['PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400],
      ['PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab', 400],
      ['PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n', 400],
      ['GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n', 400],
    ]
    for (const [wire, status] of cases) {
      const raw = await exchange(server, wire)
      expect(raw, wire.slice(0, 80)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
      expect(JSON.parse(raw.split('\r\n\r\n')[1] ?? '')).toMatchObject({ errors: [{ code: expect.any(String), message: expect.any(String) }] })
    }
    expect(await (await fetch(server.url)).text()).toBe('ok')
  })

  it('says nothing of the reason when a handler fails, and logs it', async () => {
    const server = await serve(() => Promise.reject(new Error('secret internals')))
    const response = await fetch(server.url)
    expect(response.status).toBe(500)
    expect(await response.text()).not.toContain('secret')
    expect(log.entries).toMatchObject([{ level: 'error', fields: { err: { message: 'secret internals' } } }])
  })

  it('lets a sender that was refused early read the answer, and takes no more than a little of its body', async () => {
    const server = await serve(() => new Response('no', { status: 401 }), { drainSize: MIB })
    const request = httpRequest(server.url, { method: 'PUT', headers: { 'Content-Length': String(4 * 1024 * MIB) } })
    request.on('error', () => undefined)
    request.write(Buffer.alloc(1000))
    const [response] = await once(request, 'response')
    expect(response.statusCode).toBe(401)
    expect(await text(response)).toBe('no')
    const closed = new Promise((resolve) => request.on('close', resolve))
    const more = () => {
      while (!request.destroyed && request.write(Buffer.alloc(MIB)));
    }
    request.on('drain', more)
    more()
    await closed
  })

  it('ends what is in progress before it closes, and cuts off what takes too long', async () => {
    const quick = Promise.withResolvers<Response>()
    const asked = Promise.withResolvers<void>()
    const server = await serve((request) => {
      asked.resolve()
      return new URL(request.url).pathname === '/quick' ? quick.promise : new Promise(() => undefined)
    })
    const pending = fetch(`${server.url}/quick`)
    const stuck = fetch(`${server.url}/stuck`).catch(() => 'cut off')
    await asked.promise
    const closed = server.close()
    quick.resolve(new Response('done'))
    expect(await (await pending).text()).toBe('done')
    expect(await stuck).toBe('cut off')
    await closed
    await expect(fetch(server.url)).rejects.toThrow()
  })
})

function watchCancel(stream: ReadableStream<Uint8Array>, cancelled: () => void): ReadableStream<Uint8Array> {
  const reader = stream.getReader()
  return new ReadableStream(
    {
      async pull(controller) {
        const { value } = await reader.read()
        if (value) controller.enqueue(value)
      },
      cancel() {
        cancelled()
      },
    },
    { highWaterMark: 0 },
  )
}

/** Sends bytes and gives all that comes back until the connection ends. */
async function exchange(server: HttpServer, wire: string, onData: () => void = () => undefined): Promise<string> {
  const socket = await dial(server)
  socket.on('data', onData)
  socket.write(wire, 'latin1')
  return text(socket).catch(() => '')
}

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

// Bytes on a socket, as no client library would send them, and what comes back as it is.

export interface RawAnswer {
  readonly status: number
  /** As they came, one on a line. */
  readonly headers: string
  readonly body: string
  /** The answer ended where its own length or last chunk says. An answer with neither ends with the connection. */
  readonly whole: boolean
}

/** A request over HTTP/1.1 that asks for the connection to be closed after its answer. */
export function rawRequest(line: string, headers: readonly string[] = [], body: string | Buffer = ''): Buffer {
  const head = `${line}\r\nHost: registry\r\nConnection: close\r\n${headers.map((header) => `${header}\r\n`).join('')}\r\n`
  return Buffer.concat([Buffer.from(head, 'latin1'), Buffer.from(body)])
}

/** A connection to `host:port` on which `bytes` were written. `localAddress`: from there, if it matters. */
export async function openRaw(host: string, bytes: Buffer, localAddress?: string): Promise<Socket> {
  const [name = '', port] = host.split(':')
  const socket = connect({ host: name, port: Number(port), ...(localAddress !== undefined && { localAddress }) })
  socket.on('error', () => socket.destroy())
  await once(socket, 'connect')
  socket.write(bytes)
  return socket
}

/**
 * The first final answer to `bytes`. It counts as ended where it says that it ends: a server may keep a connection that we asked it to close.
 * undefined: the connection was closed without an answer. @throws when neither comes within `deadlineMs`
 */
export function sendRaw(host: string, bytes: Buffer, deadlineMs: number): Promise<RawAnswer | undefined> {
  const [name = '', port] = host.split(':')
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), name)
    let received = Buffer.alloc(0)
    const settle = (answer: RawAnswer | undefined) => {
      clearTimeout(deadline)
      socket.destroy()
      resolve(answer)
    }
    const deadline = setTimeout(() => {
      socket.destroy()
      reject(new Error(received.length === 0 ? 'no answer' : `an answer without an end: ${received.subarray(0, 300).toString('latin1')}`))
    }, deadlineMs)
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      const answer = parseAnswer(received.toString('latin1'))
      if (answer?.whole) settle(answer)
    })
    // A server that refuses a body may reset a client that still writes; what it said before counts.
    const ended = () => {
      const answer = parseAnswer(received.toString('latin1'))
      settle(answer && { ...answer, whole: answer.whole || !/^(?:content-length|transfer-encoding):/im.test(answer.headers) })
    }
    socket.on('error', ended)
    socket.on('close', ended)
    socket.write(bytes)
  })
}

/** undefined: no whole head yet. */
function parseAnswer(text: string): RawAnswer | undefined {
  const end = text.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const headers = text.slice(0, end)
  const rest = text.slice(end + 4)
  const status = Number(/^HTTP\/1\.[01] (\d{3})(?: |\r\n|$)/.exec(headers)?.[1] ?? Number.NaN)
  if (status >= 100 && status < 200) return parseAnswer(rest)
  if (status === 204 || status === 304) return { status, headers, body: '', whole: true }
  if (/^transfer-encoding: *chunked/im.test(headers)) return { status, headers, ...unchunked(rest) }
  const length = /^content-length: *(\d+)/im.exec(headers)?.[1]
  if (length === undefined) return { status, headers, body: rest, whole: false }
  return { status, headers, body: rest.slice(0, Number(length)), whole: rest.length >= Number(length) }
}

function unchunked(body: string): { body: string; whole: boolean } {
  let text = ''
  let at = 0
  for (;;) {
    const line = body.indexOf('\r\n', at)
    const size = Number.parseInt(body.slice(at, line), 16)
    if (line < 0 || Number.isNaN(size)) return { body: text, whole: false }
    if (size === 0) return { body: text, whole: true }
    text += body.slice(line + 2, line + 2 + size)
    at = line + 2 + size + 2
  }
}

import { createSocket } from 'node:dgram'
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

/** Until a receiver has taken a connection, and until it goes on reading, in milliseconds. */
const CONNECT_MS = 10_000
const STALL_MS = 30_000
const KEEP_ALIVE_MS = 10_000

export interface SyslogSender {
  /** Resolves when the system has taken the messages. @throws when the receiver has gone, or reads nothing any more */
  send(messages: readonly string[]): Promise<void>
  /** @throws when the receiver has gone since */
  check(): void
  close(): void
}

export interface SenderOptions {
  /** `tcp://host:port`, `tls://host:port` or `udp://host:port`. */
  readonly url: URL
  /** Certificates (PEM) of authorities to trust instead of the system's. */
  readonly ca?: string | undefined
}

/** Connects to a receiver of syslog: by TCP or TLS with octet counting (RFC 6587, 5425), or by UDP (RFC 5426), which hears of no loss. */
export async function openSender({ url, ca }: SenderOptions): Promise<SyslogSender> {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const secure = url.protocol === 'tls:'
  const port = Number(url.port || (secure ? 6514 : 514))
  if (url.protocol === 'udp:') return datagrams(host, port)
  const socket = secure
    ? connectTls({ host, port, ...(ca !== undefined && { ca }), ...(isIP(host) === 0 && { servername: host }) })
    : connectTcp({ host, port })
  return await new Promise((resolve, reject) => {
    const late = setTimeout(() => socket.destroy(new Error(`No answer from ${url.host} within ${CONNECT_MS / 1000} s.`)), CONNECT_MS)
    socket.once('error', (error) => {
      clearTimeout(late)
      reject(error)
    })
    socket.once(secure ? 'secureConnect' : 'connect', () => {
      clearTimeout(late)
      socket.removeAllListeners('error')
      resolve(new StreamSender(socket))
    })
  })
}

class StreamSender implements SyslogSender {
  readonly #socket: Socket
  #gone: Error | undefined

  constructor(socket: Socket) {
    this.#socket = socket
    socket.setKeepAlive(true, KEEP_ALIVE_MS)
    socket.on('error', (error) => {
      this.#gone ??= error
    })
    socket.on('close', () => {
      this.#gone ??= new Error('The receiver has closed the connection.')
    })
    // A receiver says nothing; only by reading is its end seen.
    socket.on('end', () => {
      this.#gone ??= new Error('The receiver has closed the connection.')
    })
    socket.resume()
  }

  async send(messages: readonly string[]): Promise<void> {
    this.check()
    const frames = messages.map((message) => `${Buffer.byteLength(message)} ${message}`).join('')
    await new Promise<void>((resolve, reject) => {
      const stalled = setTimeout(() => this.#socket.destroy(new Error('The receiver reads nothing any more.')), STALL_MS)
      this.#socket.write(frames, (error) => {
        clearTimeout(stalled)
        if (error) reject(error)
        else resolve()
      })
    })
  }

  check(): void {
    if (this.#gone !== undefined) throw this.#gone
  }

  close(): void {
    this.#socket.destroy()
  }
}

function datagrams(host: string, port: number): SyslogSender {
  const socket = createSocket(isIP(host) === 6 ? 'udp6' : 'udp4')
  let gone: Error | undefined
  socket.on('error', (error) => {
    gone ??= error
  })
  return {
    async send(messages) {
      for (const message of messages) {
        await new Promise<void>((resolve, reject) => socket.send(message, port, host, (error) => (error ? reject(error) : resolve())))
      }
    },
    check() {
      if (gone !== undefined) throw gone
    },
    close: () => socket.close(),
  }
}

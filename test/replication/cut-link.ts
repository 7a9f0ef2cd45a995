import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { until } from '../support/until.ts'
import { Link } from '../support/upstream/link.ts'

/** To the site behind the link, or from it. */
export type Direction = 'up' | 'down'

/** How the line ends: as when a peer closes (FIN), or as when it is gone (RST). */
export type CutKind = 'closed' | 'reset'

export interface Cut {
  /** After so many bytes in that direction, counted from the last `reset`. */
  readonly at: number
  readonly kind: CutKind
  /** So many connections that are tried after it find nobody. */
  readonly refused: number
}

/** The TCP link to a site. It counts every byte that it carries, heads of requests included, and breaks where a test says. */
export class CutLink implements AsyncDisposable {
  readonly url: string
  /** Of both directions together. undefined: as fast as it goes. */
  bytesPerSecond: number | undefined
  /** Bytes that were carried whole, from one end to the other. */
  carried: Record<Direction, number> = { up: 0, down: 0 }
  /** How often the line was cut while something was on its way. */
  cuts = 0
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #link = new Link(() => this.bytesPerSecond)
  #direction: Direction = 'up'
  #plan: Cut[] = []
  #refuse = 0
  #cutting = false

  private constructor(server: Server, port: number) {
    this.#server = server
    this.url = `http://127.0.0.1:${port}`
  }

  /** @param far `host:port` */
  static async to(far: string): Promise<CutLink> {
    const server = createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    const link = new CutLink(server, address.port)
    server.on('connection', (client) => link.#join(client, far))
    return link
  }

  /** Begins counting anew, and cuts the line, all its connections at once, when so much has gone in this direction. */
  reset(direction: Direction = 'up', plan: readonly Cut[] = []): void {
    this.carried = { up: 0, down: 0 }
    this.cuts = 0
    this.#direction = direction
    this.#plan = [...plan].sort((a, b) => a.at - b.at)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #join(client: Socket, far: string): void {
    if (this.#cutting) return void client.resetAndDestroy()
    if (this.#refuse > 0) {
      this.#refuse--
      return void client.resetAndDestroy()
    }
    const [host = '', port] = far.split(':')
    const site = connect(Number(port), host)
    for (const [from, to, direction] of [
      [client, site, 'up'],
      [site, client, 'down'],
    ] as const) {
      this.#sockets.add(from)
      from.on('close', () => {
        this.#sockets.delete(from)
        to.destroy()
      })
      // A connection that breaks is what this is for; both ends hear of it by the close.
      from.on('error', () => {})
      void this.#carry(from, to, direction)
    }
  }

  async #carry(from: Socket, to: Socket, direction: Direction): Promise<void> {
    try {
      for await (const chunk of from as AsyncIterable<Buffer>) {
        await this.#link.carry(chunk.length)
        if (this.#cutting) return
        const cut = direction === this.#direction ? this.#plan[0] : undefined
        const passes = cut === undefined ? chunk : chunk.subarray(0, cut.at - this.carried[direction])
        this.carried[direction] += passes.length
        if (cut !== undefined && this.carried[direction] === cut.at) {
          this.#cutting = true
          to.write(passes)
          return await this.#cut(cut)
        }
        await written(to, passes)
      }
      to.end()
    } catch {
      // Cut: the other end is told by the close.
    }
  }

  async #cut(cut: Cut): Promise<void> {
    this.#plan.shift()
    this.cuts++
    // What we have counted as carried is to be in the hands of the other end, and not thrown away with what this one still holds.
    await until('the line is empty', () => {
      const table = readFileSync('/proc/net/tcp', 'utf8')
      return [...this.#sockets].every((socket) => isEmpty(socket, table))
    })
    this.#refuse = cut.refused
    for (const socket of this.#sockets) {
      if (cut.kind === 'reset') socket.resetAndDestroy()
      else socket.destroy()
    }
    this.#cutting = false
  }
}

/** Whether the other end has taken all that was written (proc(5), /proc/net/tcp). */
function isEmpty(socket: Socket, table: string): boolean {
  const [near, far] = [socket.localPort, socket.remotePort].map((port) => (port ?? 0).toString(16).toUpperCase().padStart(4, '0'))
  const queued = table.match(new RegExp(`: 0100007F:${near} 0100007F:${far} \\w\\w (\\w{8}):`))?.[1]
  return socket.writableLength === 0 && (queued === undefined || queued === '00000000')
}

/** Resolves when the system has it. */
function written(to: Socket, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => to.write(bytes, (error) => (error ? reject(error) : resolve())))
}

import { connect, createServer, type Server, type Socket } from 'node:net'
import { freePort } from '../../support/atoll.ts'
import { Link } from '../../support/upstream/link.ts'

/** A TCP connection between two processes as an unreliable network gives it. Faults can be changed at any time. */
export class Wire implements AsyncDisposable {
  /** `host:port` of the near end. */
  readonly near: string
  /** Of both directions together. undefined: as fast as it goes. */
  bytesPerSecond: number | undefined
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #link = new Link(() => this.bytesPerSecond)
  #cut = false
  /** While it is there, nothing moves. */
  #held: PromiseWithResolvers<void> | undefined

  private constructor(near: string, far: string) {
    this.near = near
    this.#server = createServer((client) => this.#join(client, far))
  }

  static async to(far: string): Promise<Wire> {
    const port = await freePort()
    const wire = new Wire(`127.0.0.1:${port}`, far)
    await new Promise<void>((resolve) => wire.#server.listen(port, '127.0.0.1', resolve))
    return wire
  }

  /** Ends what is open and lets nothing new through. */
  cut(): void {
    this.#cut = true
    for (const socket of this.#sockets) socket.destroy()
  }

  /** Everything stays connected, and nothing comes through. */
  hang(): void {
    this.#held ??= Promise.withResolvers()
  }

  heal(): void {
    this.#cut = false
    this.bytesPerSecond = undefined
    this.#held?.resolve()
    this.#held = undefined
  }

  #join(client: Socket, far: string): void {
    if (this.#cut) return void client.destroy()
    const [host = '', port] = far.split(':')
    const server = connect(Number(port), host)
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(from)
      from.on('close', () => {
        this.#sockets.delete(from)
        to.destroy()
      })
      // A connection that breaks is what this is for; both ends hear of it by the close.
      from.on('error', () => {})
      void this.#carry(from, to)
    }
  }

  async #carry(from: Socket, to: Socket): Promise<void> {
    try {
      for await (const chunk of from as AsyncIterable<Buffer>) {
        await this.#held?.promise
        await this.#link.carry(chunk.length)
        if (!to.write(chunk)) await drainedOrClosed(to)
      }
      to.end()
    } catch {
      // Cut: the other end is told by the close.
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.heal()
    this.cut()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

function drainedOrClosed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      socket.off('drain', done)
      socket.off('close', done)
      resolve()
    }
    socket.on('drain', done)
    socket.on('close', done)
  })
}

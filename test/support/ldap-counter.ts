import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** The first byte of what is asked (RFC 4511, 4.2 to 4.5). */
const NAMES: Readonly<Record<number, string>> = { 96: 'bind', 66: 'unbind', 99: 'search', 119: 'extended' }

/** Stands before a directory, and knows what each conversation has asked it. */
export class LdapCounter implements AsyncDisposable {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly url: string
  #asked: string[] = []

  private constructor(server: Server) {
    this.#server = server
    this.url = `ldap://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  static async before(url: string): Promise<LdapCounter> {
    const server = createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const counter = new LdapCounter(server)
    server.on('connection', (client) => counter.#relay(client, Number(new URL(url).port)))
    return counter
  }

  /** What was asked since this was called last, without farewells: who says them is not waited for. */
  asked(): readonly string[] {
    const asked = this.#asked.filter((name) => name !== 'unbind')
    this.#asked = []
    return asked
  }

  #relay(client: Socket, port: number): void {
    const server = connect(port, '127.0.0.1')
    for (const socket of [client, server]) {
      this.#sockets.add(socket)
      socket.on('error', () => socket.destroy()).on('close', () => this.#sockets.delete(socket))
    }
    let held = Buffer.alloc(0)
    client.on('data', (bytes) => {
      held = Buffer.concat([held, Buffer.from(bytes)])
      for (let size = sizeOf(held); size !== undefined && held.length >= size; size = sizeOf(held)) {
        this.#asked.push(operationOf(held))
        held = held.subarray(size)
      }
    })
    client.pipe(server)
    server.pipe(client)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

/** Of a message: a tag, a length in one byte or in so many as the first says, and what it holds. */
function headOf(bytes: Buffer): { readonly head: number; readonly length: number } | undefined {
  const first = bytes[1]
  if (first === undefined) return undefined
  if (first < 128) return { head: 2, length: first }
  const more = first - 128
  return bytes.length < 2 + more ? undefined : { head: 2 + more, length: bytes.readUIntBE(2, more) }
}

function sizeOf(bytes: Buffer): number | undefined {
  const read = headOf(bytes)
  return read && read.head + read.length
}

/** Behind the number of the message. */
function operationOf(message: Buffer): string {
  const head = headOf(message)?.head ?? 0
  const tag = message[head + 2 + (message[head + 1] ?? 0)] ?? 0
  return NAMES[tag] ?? String(tag)
}

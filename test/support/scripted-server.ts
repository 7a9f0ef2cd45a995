import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
}

export type Script = (request: IncomingMessage, response: ServerResponse, seen: Seen) => unknown

/** An HTTP server on a free port that does what a test says, and remembers what it was asked. */
export class ScriptedServer implements AsyncDisposable {
  readonly seen: Seen[] = []
  script: Script
  readonly #server = createServer((request, response) => {
    const seen = { method: request.method ?? '', url: request.url ?? '', headers: request.headers }
    this.seen.push(seen)
    this.script(request, response, seen)
  })

  private constructor(script: Script) {
    this.script = script
  }

  static async start(script: Script): Promise<ScriptedServer> {
    const server = new ScriptedServer(script)
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve))
    return server
  }

  get url(): URL {
    return new URL(`http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`)
  }

  /** What was asked so far: `GET /v2/a/tags/list`. */
  get lines(): string[] {
    return this.seen.map(({ method, url }) => `${method} ${url}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

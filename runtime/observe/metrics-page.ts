import type { Log } from '../../registry/log.ts'
import { type ConnectionInfo, type HttpServer, serveHttp } from '../http-server.ts'
import type { Shown } from './shown.ts'
import type { AnswerTimes } from './times.ts'

const METRICS_PATH = '/metrics'

/** `/metrics`, wherever it is shown. */
export class Exposition {
  readonly #shown: readonly Shown[]
  readonly #times: AnswerTimes
  readonly #path: string
  #render: Promise<() => Promise<{ readonly text: string; readonly type: string }>> | undefined

  constructor(shown: readonly Shown[], times: AnswerTimes, path = METRICS_PATH) {
    this.#path = path
    this.#shown = shown
    this.#times = times
  }

  /** Beside the registry, only programs on this machine see it, and nobody who comes through a proxy that is on it too. */
  admits({ url, headers }: Request, { remoteAddress }: ConnectionInfo): boolean {
    return new URL(url).pathname === METRICS_PATH && isLoopback(remoteAddress) && !FORWARDED.some((name) => headers.has(name))
  }

  async answer(): Promise<Response> {
    this.#render ??= import('./exposition.ts').then(({ exposition }) => exposition(this.#shown, this.#times))
    const { text, type } = await (await this.#render)()
    return new Response(text, { headers: { 'Content-Type': type, 'Cache-Control': 'no-store' } })
  }

  /** By itself, to everybody who can reach this address. @throws the system's error when the port is taken */
  serve({ host, port }: { readonly host: string; readonly port: number }, log: Log): Promise<HttpServer> {
    return serveHttp({
      host,
      port,
      log,
      fetch: async ({ url }) => (new URL(url).pathname === this.#path ? await this.answer() : new Response(`see ${this.#path}\n`, { status: 404 })),
    })
  }
}

const FORWARDED = ['X-Forwarded-For', 'X-Real-IP', 'Forwarded', 'Via']

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.') || address.startsWith('::ffff:127.')
}

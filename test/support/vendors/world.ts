import { createHash, timingSafeEqual } from 'node:crypto'
import type { Fetch } from '../../../registry/remote/index.ts'

export type Handler = (request: Request) => Promise<Response> | Response

/** One request as it went out: everything that could carry a secret. */
export interface Sent {
  readonly host: string
  readonly method: string
  readonly path: string
  /** Address, headers and, unless it is a layer, the body: as one text. */
  readonly text: string
}

/** The internet of a test: hosts by their real names, and what was sent to each. */
export class World {
  readonly #hosts = new Map<string, Handler>()
  readonly sent: Sent[] = []

  host(name: string, handler: Handler): this {
    this.#hosts.set(name, handler)
    return this
  }

  readonly fetch: Fetch = async (url, init) => {
    const request = new Request(url, init as RequestInit)
    const small = request.headers.get('content-type') !== 'application/octet-stream'
    const body = small && init.body instanceof Uint8Array ? Buffer.from(init.body).toString() : ''
    const headers = [...request.headers].map(([name, value]) => `${name}: ${value}\n${decoded(value)}`)
    this.sent.push({ host: url.host, method: request.method, path: url.pathname + url.search, text: [url.href, ...headers, body].join('\n') })
    const handler = this.#hosts.get(url.host)
    if (handler === undefined) throw new TypeError('fetch failed', { cause: Object.assign(new Error(`no ${url.host}`), { code: 'ENOTFOUND' }) })
    init.signal?.throwIfAborted()
    return await handler(request)
  }

  /** The hosts that were sent this text, plainly or in basic authentication. */
  hostsThatSaw(secret: string): string[] {
    const parts = [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)]
    return [...new Set(this.sent.filter(({ text }) => parts.some((part) => text.includes(part))).map(({ host }) => host))].sort()
  }

  lines(host: string): string[] {
    return this.sent.filter((one) => one.host === host).map(({ method, path }) => `${method} ${path}`)
  }
}

/** What basic authentication hides from the eye. */
function decoded(value: string): string {
  return value.startsWith('Basic ') ? Buffer.from(value.slice('Basic '.length), 'base64').toString() : ''
}

export function basicOf(request: Request): { name: string; secret: string } | undefined {
  const value = request.headers.get('authorization')
  if (!value?.startsWith('Basic ')) return undefined
  const text = Buffer.from(value.slice('Basic '.length), 'base64').toString()
  return { name: text.slice(0, text.indexOf(':')), secret: text.slice(text.indexOf(':') + 1) }
}

export function bearerOf(request: Request): string | undefined {
  const value = request.headers.get('authorization')
  return value?.startsWith('Bearer ') ? value.slice('Bearer '.length) : undefined
}

export const json = (document: unknown, status = 200, headers: Record<string, string> = {}) => Response.json(document, { status, headers })

export const hex = (text: string | Uint8Array) => createHash('sha256').update(text).digest('hex')

export function same(left: string, right: string): boolean {
  const [a, b] = [Buffer.from(left), Buffer.from(right)]
  return a.length === b.length && timingSafeEqual(a, b)
}

/** `team/app` of `/v2/team/app/manifests/1`. */
export function repositoryIn(path: string): string | undefined {
  return /^\/v2\/(.+)\/(?:blobs|manifests|tags|referrers)\//.exec(path)?.[1]
}

/** Hands a request that may pass on to a registry that asks nobody who he is, and answers as if it were all one host. */
export function behind(registry: URL): Handler {
  return async (request) => {
    const url = new URL(request.url)
    const headers = new Headers(request.headers)
    headers.delete('authorization')
    const answer = await fetch(new URL(url.pathname + url.search, registry), {
      method: request.method,
      headers,
      redirect: 'manual',
      ...(request.body !== null && { body: request.body, duplex: 'half' }),
    } as RequestInit)
    const answered = new Headers(answer.headers)
    const location = answered.get('location')
    if (location !== null) {
      const target = new URL(location, registry)
      answered.set('location', new URL(target.pathname + target.search, url.origin).href)
    }
    return new Response(answer.body, { status: answer.status, headers: answered })
  }
}

import type { IncomingMessage } from 'node:http'
import { requestBody } from './request-body.ts'

/** A request that cannot be one under HTTP. The message may be shown to its sender. */
export class BadRequest extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** Methods that a web Request refuses to carry. */
const FORBIDDEN = new Set(['CONNECT', 'TRACE', 'TRACK'])

/** Node's request as a web Request, whose body is read as it is asked for. @throws BadRequest */
export function webRequest(incoming: IncomingMessage, scheme: 'http' | 'https', signal: () => AbortSignal): Request {
  const method = incoming.method ?? 'GET'
  if (FORBIDDEN.has(method.toUpperCase())) throw new BadRequest(405, 'This method is not served here.')
  const url = requestUrl(incoming, scheme)
  const init: RequestInit & { duplex?: 'half' } = { method, headers: requestHeaders(incoming.rawHeaders) }
  if (method !== 'GET' && method !== 'HEAD' && hasBody(incoming)) {
    init.body = requestBody(incoming)
    init.duplex = 'half'
  }
  const request = new Request(url, init)
  // Given in the constructor it would cost every request a follower signal; most requests never look at it.
  Object.defineProperty(request, 'signal', { get: signal })
  return request
}

export function hasBody(incoming: IncomingMessage): boolean {
  const length = incoming.headers['content-length']
  return incoming.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0')
}

function requestUrl(incoming: IncomingMessage, scheme: string): string {
  const target = incoming.url ?? '/'
  const { host } = incoming.headers
  if (host === undefined && incoming.httpVersion !== '1.0') throw new BadRequest(400, 'A request needs a Host.')
  const text = target.startsWith('/') ? `${scheme}://${host ?? 'localhost'}${target}` : target
  if (!URL.canParse(text)) throw new BadRequest(400, 'The request names no valid URL.')
  const url = new URL(text)
  // A Host like `good.example/path@evil.example` would move the border between authority and path.
  const authority = target.startsWith('/') ? /^(?:[\w.-]+|\[[\da-fA-F:.]+\])(?::\d{1,5})?$/.test(host ?? 'localhost') : /^https?:$/.test(url.protocol)
  if (!authority || url.username !== '' || url.password !== '') throw new BadRequest(400, 'The request names no valid URL.')
  return text
}

function requestHeaders(raw: readonly string[]): Headers {
  const headers = new Headers()
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? ''
    const value = raw[i + 1] ?? ''
    headers.append(name, value)
  }
  return headers
}

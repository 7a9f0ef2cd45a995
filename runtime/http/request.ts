import type { IncomingMessage } from 'node:http'
import { LightRequest } from './light-request.ts'

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
// What is so plain that the platform's parser would give it back as it is. Nothing to encode, and no segment that begins with a dot.
const PLAIN_TARGET = /^(?:\/(?![.%])[\w:.@~%+,=-]*)+(?:\?[\w:.@~%+,=&/-]*)?$/
const LABEL = '(?!xn--)[a-z][a-z\\d-]*'
const OCTET = '(?:0|[1-9]\\d?|1\\d\\d|2[0-4]\\d|25[0-5])'
/** With a port that is nobody's default. */
const PLAIN_HOST = new RegExp(`^(?:${LABEL}(?:\\.${LABEL})*|${OCTET}(?:\\.${OCTET}){3})(?::[1-9]\\d{3}|:[1-5]\\d{4})?$`)

export interface WebRequestOptions {
  /** Asked for when somebody wants to know that the client has left. */
  readonly signal: () => AbortSignal
  /** Called whenever somebody is about to read of the body. */
  readonly onRead: () => void
}

/** Node's request as a web Request, whose body is read as it is asked for. @throws BadRequest */
export function webRequest(incoming: IncomingMessage, scheme: 'http' | 'https', options: WebRequestOptions): Request {
  const method = incoming.method ?? 'GET'
  if (FORBIDDEN.has(method)) throw new BadRequest(405, 'This method is not served here.')
  const body = method !== 'GET' && method !== 'HEAD' && hasBody(incoming)
  return new LightRequest(incoming, { method, url: requestUrl(incoming, scheme), body, ...options })
}

function hostsOf({ rawHeaders }: IncomingMessage): number {
  let hosts = 0
  for (let at = 0; at < rawHeaders.length; at += 2) if (rawHeaders[at]?.length === 4 && rawHeaders[at]?.toLowerCase() === 'host') hosts++
  return hosts
}

export function hasBody(incoming: IncomingMessage): boolean {
  const length = incoming.headers['content-length']
  return incoming.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0')
}

function requestUrl(incoming: IncomingMessage, scheme: string): string {
  const target = incoming.url ?? '/'
  const { host } = incoming.headers
  // Node takes the first; whoever stands before us may have taken another (RFC 9112, 3.2).
  if (hostsOf(incoming) > 1) throw new BadRequest(400, 'A request has one Host.')
  if (host === undefined && incoming.httpVersion !== '1.0') throw new BadRequest(400, 'A request needs a Host.')
  const text = target.startsWith('/') ? `${scheme}://${host ?? 'localhost'}${target}` : target
  if (host !== undefined && PLAIN_HOST.test(host) && PLAIN_TARGET.test(target)) return text
  const url = URL.canParse(text) ? new URL(text) : undefined
  // A Host like `good.example/path@evil.example` would move the border between authority and path.
  const authority = target.startsWith('/')
    ? /^(?:[\w.-]+|\[[\da-fA-F:.]+\])(?::\d{1,5})?$/.test(host ?? 'localhost')
    : /^https?:$/.test(url?.protocol ?? '')
  if (url === undefined || !authority || url.username !== '' || url.password !== '') throw new BadRequest(400, 'The request names no valid URL.')
  return url.href
}

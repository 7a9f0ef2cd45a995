// A web `fetch` handler behind Node's HTTP server: streams with back-pressure both ways, and an end to every wait.
// docs/decisions/0010-http-server.md says why this is our own.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { Socket } from 'node:net'
import type { Log } from '../registry/log.ts'
import { HTTP_LIMITS, type HttpLimits } from './http/limits.ts'
import { LoopTurns } from './http/loop-turns.ts'
import { TrustedProxies } from './http/proxies.ts'
import { BadRequest, hasBody, type WebRequestOptions, webRequest } from './http/request.ts'
import { sendResponse } from './http/response.ts'

/** What a handler may know of the connection that a request came by. Hono gives it as `c.env`. */
export interface ConnectionInfo {
  readonly remoteAddress: string
  /** Whether a trusted proxy has sent the request. */
  readonly believed?: boolean
  /** Has `run` called once the answer has been sent or cut off. */
  readonly onEnd?: (run: () => void) => void
}

export interface ServeHttpOptions {
  readonly fetch: (request: Request, connection: ConnectionInfo) => Response | Promise<Response>
  readonly host: string
  /** 0: any free port. */
  readonly port: number
  readonly log: Log
  /** What every answer says in its headers, unless it says otherwise. */
  readonly headers?: Readonly<Record<string, string>>
  readonly limits?: Partial<HttpLimits>
  /** Networks whose proxies are believed about where a request comes from (see TrustedProxies). */
  readonly trustedProxies?: readonly string[]
  readonly tls?: { readonly cert: string; readonly key: string }
}

export interface HttpServer {
  /** Where it listens, without a slash at the end. */
  readonly url: string
  readonly port: number
  /** Takes no new requests, lets those in progress end until the deadline, then cuts them off. */
  close(): Promise<void>
}

/** Resolves when the server listens. @throws the system's error when it cannot (the port is taken) */
export async function serveHttp(options: ServeHttpOptions): Promise<HttpServer> {
  const limits: HttpLimits = { ...HTTP_LIMITS, ...options.limits }
  const headers = Object.fromEntries(Object.entries(options.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]))
  const scheme = options.tls ? 'https' : 'http'
  const proxies = new TrustedProxies(options.trustedProxies ?? [])
  const state = { closing: false }
  const turns = new LoopTurns()
  const answer = (incoming: IncomingMessage, outgoing: ServerResponse, awaits100: boolean) => {
    if (state.closing) outgoing.shouldKeepAlive = false
    exchange(incoming, outgoing, { ...options, scheme, limits, headers, proxies, turns, awaits100 }).catch((error: unknown) => {
      options.log.error({ err: error }, 'A request could not be answered.')
      outgoing.destroy()
    })
  }
  const listener = (incoming: IncomingMessage, outgoing: ServerResponse) => answer(incoming, outgoing, false)
  const serverOptions = {
    headersTimeout: limits.headersTimeout,
    // A whole request has no time limit: a large layer on a slow line takes an hour. Its pauses have one.
    requestTimeout: 0,
    keepAliveTimeout: limits.keepAliveTimeout,
    maxHeaderSize: limits.headerSize,
    connectionsCheckingInterval: Math.min(5000, limits.headersTimeout / 2),
    // We say it ourselves, in the shape of every other error.
    requireHostHeader: false,
  }
  const server: Server = options.tls
    ? createTlsServer({ ...serverOptions, ...options.tls, handshakeTimeout: limits.headersTimeout }, listener)
    : createServer(serverOptions, listener)
  // Node would ask for the body before anybody has looked at the head.
  server.on('checkContinue', (incoming: IncomingMessage, outgoing: ServerResponse) => answer(incoming, outgoing, true))
  server.on('clientError', refuseConnection)
  const unused = unusedConnections(server, options.tls !== undefined)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, options.host, () => {
      server.off('error', reject)
      resolve()
    })
  })
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : options.port
  const host = options.host.includes(':') ? `[${options.host}]` : options.host
  return {
    url: `${scheme}://${host}:${port}`,
    port,
    close: () => {
      state.closing = true
      return closeServer(server, unused, limits.closeDeadline)
    },
  }
}

interface Exchange extends ServeHttpOptions {
  readonly scheme: 'http' | 'https'
  readonly limits: HttpLimits
  readonly proxies: TrustedProxies
  readonly turns: LoopTurns
  /** The client sends its body when it is asked for it (`Expect: 100-continue`), and need not where its head alone is refused. */
  readonly awaits100: boolean
  /** By names in lower case. */
  readonly headers: Readonly<Record<string, string>>
}

async function exchange(incoming: IncomingMessage, outgoing: ServerResponse, context: Exchange): Promise<void> {
  const { limits, log } = context
  let abort: AbortController | undefined
  // Most requests are answered before anybody asks whether their client is still there.
  const signal = () => {
    if (abort === undefined) {
      const made = new AbortController()
      const left = () => {
        if (!outgoing.writableFinished) made.abort()
      }
      if (outgoing.destroyed) left()
      else outgoing.once('close', left)
      abort = made
    }
    return abort.signal
  }
  const endings: (() => void)[] = []
  const withBody = hasBody(incoming)
  let stopWatch: (() => void) | undefined
  let invited = !context.awaits100
  const watch = () => {
    if (withBody) stopWatch = watchBody(incoming, outgoing, limits)
  }
  // An answer that has begun is the final one: then nothing is asked for any more.
  const onRead = () => {
    if (invited || outgoing.headersSent || outgoing.destroyed) return
    invited = true
    outgoing.writeContinue()
    watch()
  }
  if (invited) watch()
  try {
    const response = await answerOf(incoming, context, { signal, onRead }, (run) => endings.push(run))
    if (outgoing.headersSent) {
      await response.body?.cancel()
      return
    }
    const { headers, turns } = context
    const ending = await sendResponse(response, outgoing, { stallTimeout: limits.answerStallTimeout, headers, turns })
    if (ending.kind === 'cut')
      log.warn({ err: ending.error, path: incoming.url?.split('?', 1)[0] }, 'An answer was cut off because its source failed.')
  } finally {
    stopWatch?.()
    for (const run of endings) run()
    if (withBody && !incoming.readableEnded) drain(incoming, limits)
  }
}

async function answerOf(
  incoming: IncomingMessage,
  context: Exchange,
  options: WebRequestOptions,
  onEnd: (run: () => void) => void,
): Promise<Response> {
  try {
    const { scheme, address, believed } = context.proxies.sighting(incoming, context.scheme)
    return await context.fetch(webRequest(incoming, scheme, options), { remoteAddress: address, believed, onEnd })
  } catch (error) {
    if (error instanceof BadRequest) return refusal(error.status, error.message)
    context.log.error({ err: error, path: incoming.url?.split('?', 1)[0] }, 'A request failed for a reason of our own.')
    return refusal(500, 'Something went wrong here.')
  }
}

/** Ends an exchange whose body does not come, or comes by drops, while we wait for it. A body that we do not read now is not the sender's fault. */
function watchBody(incoming: IncomingMessage, outgoing: ServerResponse, { bodyStallTimeout, bodyLeast }: HttpLimits): () => void {
  let seen = incoming.socket.bytesRead
  const timer = setInterval(() => {
    const { bytesRead } = incoming.socket
    const waiting = !incoming.complete && incoming.readableLength === 0
    if (!waiting || bytesRead - seen >= bodyLeast) {
      seen = bytesRead
      return
    }
    clearInterval(timer)
    if (outgoing.headersSent) {
      incoming.socket.destroy()
      return
    }
    const body = refusalBody(408, 'The body of the request stalled.')
    outgoing.writeHead(408, { Connection: 'close', 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) })
    // Whoever reads the body learns that it broke off, and keeps what came.
    outgoing.end(body, () => incoming.destroy())
  }, bodyStallTimeout)
  return () => clearInterval(timer)
}

/** A sender that was answered early reads the answer only after its body: take some of it, then close. */
function drain(incoming: IncomingMessage, limits: HttpLimits): void {
  if (incoming.destroyed) return
  // Who listens for 'readable' keeps a stream from flowing.
  incoming.removeAllListeners('readable')
  incoming.resume()
  if (incoming.complete) return
  let taken = 0
  const timer = setTimeout(() => incoming.socket.destroy(), limits.drainTimeout)
  incoming.once('close', () => clearTimeout(timer))
  incoming.once('end', () => clearTimeout(timer))
  incoming.on('error', () => clearTimeout(timer))
  incoming.on('data', (chunk: Buffer) => {
    taken += chunk.byteLength
    if (taken > limits.drainSize) incoming.socket.destroy()
  })
}

/** What Node's parser refuses, before there is a request: bad syntax, two lengths, headers too large or too slow. */
function refuseConnection(error: NodeJS.ErrnoException, socket: Socket): void {
  // Clients open connections in advance, and take what comes on one for the answer to the request that they send at that moment.
  const unused = error.code === 'ERR_HTTP_REQUEST_TIMEOUT' && socket.bytesRead === 0
  if (unused || error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const [status, reason] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? [431, 'Request Header Fields Too Large']
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? [408, 'Request Timeout']
        : [400, 'Bad Request']
  const body = refusalBody(status, 'This is no request that HTTP allows.')
  const head = `HTTP/1.1 ${status} ${reason}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n`
  socket.end(head + body, () => socket.destroy())
}

function refusal(status: number, message: string): Response {
  const body = refusalBody(status, message)
  const headers = { 'Content-Type': 'application/json', 'Content-Length': String(Buffer.byteLength(body)), Connection: 'close' }
  return new Response(body, { status, headers })
}

/** The envelope that the registry's and the administration's interface share. */
function refusalBody(status: number, message: string): string {
  return JSON.stringify({ errors: [{ code: status === 405 ? 'UNSUPPORTED' : 'UNKNOWN', message }] })
}

/** Connections on which nothing was ever asked: Node does not count them among the idle ones, and clients open them in advance. */
function unusedConnections(server: Server, secure: boolean): ReadonlySet<Socket> {
  const unused = new Set<Socket>()
  // What requests come by is the secure end of a connection; one that never becomes secure has its own deadline.
  server.on(secure ? 'secureConnection' : 'connection', (socket: Socket) => {
    unused.add(socket)
    socket.once('close', () => unused.delete(socket))
  })
  const used = ({ socket }: IncomingMessage) => unused.delete(socket)
  server.on('request', used).on('checkContinue', used)
  return unused
}

async function closeServer(server: Server, unused: ReadonlySet<Socket>, deadline: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeIdleConnections()
  for (const socket of unused) socket.destroy()
  const timer = setTimeout(() => server.closeAllConnections(), deadline)
  await closed
  clearTimeout(timer)
}

import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { Writable } from 'node:stream'
import { until } from '../support/until.ts'
import { Link } from '../support/upstream/link.ts'

/** Stands between two sites, counts what passes, and may be as slow as a test wants. */
export interface CountingProxy extends AsyncDisposable {
  readonly url: string
  /** Bytes of blobs that went to the site behind it. */
  readonly pushed: number
  /** Bytes of blobs that came from it. */
  readonly pulled: number
  /** `PUT /v2/team/app/manifests/1`, in order. */
  readonly requests: readonly string[]
  /** undefined: as fast as it goes. */
  bytesPerSecond: number | undefined
  /** Whether the line is cut: every request meets a closed connection. */
  cut: boolean
  /** Requests that met it. */
  readonly refused: number
  /** Begins counting anew. */
  reset(): void
  /** Resolves when so many bytes of blobs have passed, one way or the other. */
  passed(bytes: number): Promise<void>
  /** Resolves when nothing is on its way any more. */
  idle(): Promise<void>
}

export async function countingProxy(target: string): Promise<CountingProxy> {
  let [pushed, pulled, refused] = [0, 0, 0]
  let requests: string[] = []
  let waiting: { bytes: number; resolve: () => void }[] = []
  const underWay = new Set<ServerResponse>()
  const link = new Link(() => proxy.bytesPerSecond)
  const count = (into: 'pushed' | 'pulled', bytes: number) => {
    if (into === 'pushed') pushed += bytes
    else pulled += bytes
    const total = pushed + pulled
    for (const { resolve } of waiting.filter((one) => one.bytes <= total)) resolve()
    waiting = waiting.filter((one) => one.bytes > total)
  }
  const server = createServer((incoming, answer) => {
    if (proxy.cut) {
      refused++
      incoming.destroy()
      return
    }
    requests.push(`${incoming.method} ${incoming.url}`)
    underWay.add(answer)
    forward(target, incoming, answer, link, count)
      .catch(() => answer.destroy())
      .finally(() => underWay.delete(answer))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const proxy: CountingProxy = {
    url: `http://127.0.0.1:${address.port}`,
    get pushed() {
      return pushed
    },
    get pulled() {
      return pulled
    },
    get requests() {
      return requests
    },
    bytesPerSecond: undefined,
    cut: false,
    get refused() {
      return refused
    },
    reset: () => {
      ;[pushed, pulled, refused, requests] = [0, 0, 0, []]
    },
    passed: (bytes) => new Promise((resolve) => (pushed + pulled >= bytes ? resolve() : waiting.push({ bytes, resolve }))),
    idle: () => until('nothing is on its way', () => underWay.size === 0),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return proxy
}

async function forward(
  target: string,
  incoming: IncomingMessage,
  answer: ServerResponse,
  link: Link,
  count: (into: 'pushed' | 'pulled', bytes: number) => void,
): Promise<void> {
  // What sites of ours say of blobs counts as theirs.
  const blob = /\/blobs\/|\/_atoll\//.test(incoming.url ?? '')
  const gives = incoming.method === 'GET' || incoming.url?.includes('/_atoll/')
  const [hostname, port] = target.split(':')
  const outgoing = request({ hostname, port, method: incoming.method, path: incoming.url, headers: incoming.headers, agent: false })
  const answered = new Promise<IncomingMessage>((resolve, reject) => outgoing.once('response', resolve).once('error', reject))
  // Whichever end goes away takes the other with it, as on a cut line.
  incoming.once('close', () => incoming.complete || outgoing.destroy())
  answer.once('close', () => answer.writableFinished || outgoing.destroy())
  outgoing.on('error', () => answer.destroy())
  const sending = carry(incoming, outgoing, link, (bytes) => blob && count('pushed', bytes))
  const answering = answered.then((back) => {
    answer.writeHead(back.statusCode ?? 502, back.headers)
    return carry(back, answer, link, (bytes) => blob && gives && count('pulled', bytes))
  })
  const failed = (await Promise.allSettled([sending, answering])).find(({ status }) => status === 'rejected')
  if (failed) answer.destroy()
}

async function carry(from: IncomingMessage, to: Writable, link: Link, passed: (bytes: number) => void): Promise<void> {
  for await (const chunk of from as AsyncIterable<Buffer>) {
    await link.carry(chunk.length)
    if (to.destroyed) throw new Error('the other end has gone')
    passed(chunk.length)
    if (!to.write(chunk)) await drainedOrClosed(to)
  }
  to.end()
}

function drainedOrClosed(to: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      to.off('drain', done).off('close', done)
      resolve()
    }
    to.on('drain', done).on('close', done)
  })
}

import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, get, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { startAtoll } from '../../support/atoll.ts'
import { startUpstream } from '../../support/upstream/upstream.ts'
import { pushBlob, randomFile } from '../images.ts'
import { upload } from '../load.ts'
import { MemoryTable } from './processes.ts'
import { proxyCache, separateEdge } from './sites.ts'

const BLOB_BYTES = 16 * 1024
const AT_ONCE = 32
/** A slow client takes a piece, and then waits so long, in milliseconds. */
const SLOW_MS = 200

export interface Crowd {
  /** How many small blobs, in three steps. */
  readonly blobs: number
  /** Clients of one cold blob: all but one are slow. */
  readonly clients: number
  /** Of that blob, in bytes. */
  readonly size: number
}

/** An edge before very many clients of one cold blob, and before very many blobs: what it holds must not grow with either. */
export async function crowdMemory({ blobs, clients, size }: Crowd): Promise<void> {
  const hub = await startUpstream({ pulls: 1_000_000 })
  if (hub === undefined) throw new Error("This section needs distribution's registry.")
  await using _closing = hub
  await using small = await smallBlobs(blobs)
  await using origin = await startAtoll({ role: 'origin', env: { ATOLL_LOG_LEVEL: 'error' } })
  await proxyCache(origin, 'hub', hub.url)
  await proxyCache(origin, 'small', small.url)
  await using edge = await separateEdge(origin)
  const table = new MemoryTable(`Peak resident memory: ${blobs} blobs, then ${clients} clients of one of ${size / 1_073_741_824} GiB`, {
    edge: edge.pid,
  })
  await table.begin()
  for (const [from, to] of [
    [0, blobs / 10],
    [blobs / 10, blobs / 2],
    [blobs / 2, blobs],
  ] as const) {
    await table.step(`cold blobs ${from} to ${to}`, async () => {
      const waiting = small.digests.slice(from, to).values()
      const pull = async () => {
        for (const digest of waiting) {
          const answer = await fetch(`http://${edge.edge}/v2/small/library/many/blobs/${digest}`)
          if ((await answer.arrayBuffer()).byteLength !== BLOB_BYTES) throw new Error(`${digest}: ${answer.status}`)
        }
      }
      await Promise.all(Array.from({ length: AT_ONCE }, pull))
    })
  }
  await using layer = await randomFile(size)
  await pushBlob(upload, { host: hub.behind.host, repository: 'bench/big', headers: {} }, layer)
  await table.step(`${clients} clients of one cold blob`, async () => {
    const url = new URL(`http://${edge.edge}/v2/hub/bench/big/blobs/${layer.digest}`)
    const slow: IncomingMessage[] = []
    await Promise.all(Array.from({ length: clients - 1 }, async () => slow.push(await slowly(url))))
    const [answer] = (await once(get(url), 'response')) as [IncomingMessage]
    let bytes = 0
    for await (const chunk of answer as AsyncIterable<Buffer>) bytes += chunk.byteLength
    if (bytes !== size) throw new Error(`${bytes} bytes of ${size} came`)
    for (const one of slow) one.destroy()
  })
  if (hub.counts.cdnGets !== 1) process.stdout.write(`\nThe upstream was asked ${hub.counts.cdnGets} times.\n`)
}

async function slowly(url: URL): Promise<IncomingMessage> {
  const [answer] = (await once(get(url), 'response')) as [IncomingMessage]
  if (answer.statusCode !== 200) throw new Error(`${url}: ${answer.statusCode}`)
  answer.on('data', () => {
    answer.pause()
    setTimeout(() => answer.resume(), SLOW_MS).unref()
  })
  answer.on('error', () => answer.destroy())
  return answer
}

/** A registry that has nothing but blobs, each made when it is asked for. */
async function smallBlobs(count: number): Promise<AsyncDisposable & { readonly url: URL; readonly digests: readonly string[] }> {
  const blob = (index: number) => Buffer.alloc(BLOB_BYTES, `blob ${index} `)
  const digests = Array.from({ length: count }, (_, index) => `sha256:${createHash('sha256').update(blob(index)).digest('hex')}`)
  const indices = new Map(digests.map((digest, index) => [digest, index]))
  const server = createServer(({ method, url = '' }, response) => {
    const index = indices.get(url.split('/').at(-1) ?? '')
    if (index === undefined) response.writeHead(url === '/v2/' ? 200 : 404).end()
    else response.writeHead(200, { 'content-length': BLOB_BYTES }).end(method === 'HEAD' ? undefined : blob(index))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
    digests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

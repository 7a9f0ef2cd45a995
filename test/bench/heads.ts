import { once } from 'node:events'
import { connect } from 'node:net'

const END = Buffer.from('\r\n\r\n')

/** HEAD requests per second over so many kept connections. wrk cannot: it waits for the body that Content-Length speaks of. @throws at an answer that is not 200 */
export async function headsPerSecond(url: URL, headers: Readonly<Record<string, string>>, connections: number, seconds: number): Promise<number> {
  const lines = Object.entries({ host: url.host, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
  const request = Buffer.from(`HEAD ${url.pathname} HTTP/1.1\r\n${lines.join('')}\r\n`)
  const start = performance.now()
  const end = start + seconds * 1000
  const counts = await Promise.all(Array.from({ length: connections }, () => one(url, request, end)))
  return (counts.reduce((sum, count) => sum + count, 0) * 1000) / (performance.now() - start)
}

async function one(url: URL, request: Buffer, end: number): Promise<number> {
  const socket = connect(Number(url.port), url.hostname)
  socket.setNoDelay(true)
  let answers = 0
  let held: Buffer = Buffer.alloc(0)
  let failure: Error | undefined
  socket.on('data', (chunk: Buffer) => {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk])
    if (held.indexOf(END) < 0) return
    if (!held.toString('latin1', 0, 12).endsWith(' 200')) failure = new Error(`HEAD ${url}: ${held.toString('latin1')}`)
    held = Buffer.alloc(0)
    answers++
    if (failure !== undefined || performance.now() >= end) socket.destroy()
    else socket.write(request)
  })
  socket.on('connect', () => socket.write(request))
  await once(socket, 'close')
  if (failure !== undefined) throw failure
  return answers
}

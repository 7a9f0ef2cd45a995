// A line between two hosts, in a process of its own: node line.ts TARGET-PORT ROUND-TRIP-MS BYTES-PER-SECOND. Target 0: a server that takes whatever is sent.

import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { Link } from '../../support/upstream/link.ts'

/** What one connection may have on its way, one way: more than the line holds within a round trip, and less than a sender could put into it. */
const WINDOW_BYTES = 8 * 1024 * 1024

const [target = 0, roundTrip = 0, bytesPerSecond = 0] = process.argv.slice(2).map(Number)
const counts = { up: 0, down: 0, connections: 0 }
const [up, down] = [new Link(() => bytesPerSecond), new Link(() => bytesPerSecond)]

const port = target === 0 ? await sink() : target
const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
  counts.connections++
  // What is near has its connection at once: what it sends waits until the far end would have had its own.
  const far = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
  carry(near, far, up, roundTrip, (bytes) => {
    counts.up += bytes
  })
  carry(far, near, down, 0, (bytes) => {
    counts.down += bytes
  })
  for (const [one, other] of [
    [near, far],
    [far, near],
  ] as const)
    one.on('error', () => other.destroy()).on('close', () => one.errored && other.destroy())
})
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }))
process.on('message', () => process.send?.(counts))
process.on('disconnect', () => process.exit(0))

/** Everything arrives half a round trip after the line had room for it, in order; the first byte, later by what a handshake takes. */
function carry(from: Socket, to: Socket, link: Link, handshakeMs: number, count: (bytes: number) => void): void {
  const notBefore = performance.now() + handshakeMs
  let onItsWay = 0
  let last: Promise<unknown> = Promise.resolve()
  let turn: Promise<unknown> = Promise.resolve()
  const arrive = (at: number, deliver: () => void) => {
    const due = new Promise<void>((resolve) => setTimeout(resolve, Math.max(0, at - performance.now())))
    last = Promise.all([last, due]).then(deliver)
  }
  const later = () => Math.max(performance.now(), notBefore) + roundTrip / 2
  from.on('data', (chunk) => {
    count(chunk.length)
    onItsWay += chunk.length
    if (onItsWay > WINDOW_BYTES) from.pause()
    turn = turn
      .then(() => link.carry(chunk.length))
      .then(() =>
        arrive(later(), () => {
          const arrived = () => {
            onItsWay -= chunk.length
            if (onItsWay <= WINDOW_BYTES) from.resume()
          }
          if (to.destroyed) arrived()
          else to.write(chunk, arrived)
        }),
      )
  })
  from.on('end', () => {
    turn = turn.then(() => arrive(later(), () => to.end()))
  })
}

/** Resolves with the port of a server that takes whatever is sent and says that it has it. */
async function sink(): Promise<number> {
  const taking = createHttpServer((request, answer) => {
    request.resume().on('end', () => answer.writeHead(201).end())
  })
  await new Promise<void>((resolve) => taking.listen(0, '127.0.0.1', resolve))
  return (taking.address() as AddressInfo).port
}

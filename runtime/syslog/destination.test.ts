import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer, type Server } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { until } from '../../test/support/until.ts'
import { SyslogDestination } from './destination.ts'

let server: Server | undefined
afterEach(() => void server?.close())

/** What came, message by message (RFC 6587, octet counting). */
async function listen(port = 0): Promise<{ readonly port: number; readonly messages: () => string[] }> {
  let bytes = Buffer.alloc(0)
  server = createServer((socket) => {
    socket.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk])
    })
    socket.on('error', () => undefined)
  }).listen(port, '127.0.0.1')
  await once(server, 'listening')
  const messages = () => {
    const found: string[] = []
    for (let at = 0; at < bytes.length; ) {
      const space = bytes.indexOf(' ', at)
      const length = Number(bytes.subarray(at, space).toString())
      if (space < 0 || bytes.length < space + 1 + length) break
      found.push(bytes.subarray(space + 1, space + 1 + length).toString())
      at = space + 1 + length
    }
    return found
  }
  return { port: (server.address() as AddressInfo).port, messages }
}

it('sends lines with their severity, in order, also those from before the receiver was there', async () => {
  const probe = await listen()
  server?.close()
  const destination = new SyslogDestination(new URL(`tcp://127.0.0.1:${probe.port}`))
  destination.write('{"level":"error","msg":"first"}\n')
  const receiver = await listen(probe.port)
  for (let n = 0; n < 250; n++) destination.write(`{"level":"info","msg":"line ${n}"}\n`)
  await until('all came', () => receiver.messages().length === 251)
  const messages = receiver.messages()
  expect(messages[0]).toMatch(/^<11>1 \d{4}-\d\d-\d\dT[\d:.]+Z \S+ atoll \d+ - - \{"level":"error","msg":"first"\}$/)
  expect(messages.slice(1).map((message) => /line \d+/.exec(message)?.[0])).toEqual(Array.from({ length: 250 }, (_, n) => `line ${n}`))
  expect(messages[1]).toMatch(/^<14>1 /)
})

it('tells a receiver that was away for long how much it has missed', async () => {
  const probe = await listen()
  server?.close()
  const destination = new SyslogDestination(new URL(`tcp://127.0.0.1:${probe.port}`))
  for (let n = 0; n < 10_100; n++) destination.write(`{"level":"info","msg":"line ${n}"}\n`)
  const receiver = await listen(probe.port)
  await until('the newest came', () => receiver.messages().some((message) => message.includes('"line 10099"')))
  const messages = receiver.messages()
  expect(messages[0]).toContain('100 lines of the log were lost')
  expect(messages).toHaveLength(1 + 10_000)
})

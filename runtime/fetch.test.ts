import { createServer } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { createFetch, mendPlatformFetch } from './fetch.ts'

const BODY = Buffer.alloc(64 * 1024, 'a')

/** A server that sends its answer at once and closes the connection. */
async function hastyServer(): Promise<string> {
  const server = createServer((socket) => {
    socket.once('data', () => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${BODY.length}\r\nConnection: close\r\n\r\n`)
      socket.end(BODY)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return `http://127.0.0.1:${(server.address() as { port: number }).port}/`
}

test.each([
  ['a fetch of our own', () => createFetch()],
  [
    'the platform’s',
    () => {
      mendPlatformFetch()
      return fetch
    },
  ],
])('an answer may wait to be read while its connection is closed: %s', async (_what, make) => {
  const answer = await make()(await hastyServer())
  // Long enough for the end of the connection to have come.
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(Buffer.from(await answer.arrayBuffer()).equals(BODY)).toBe(true)
})

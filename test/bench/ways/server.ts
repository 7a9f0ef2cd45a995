// One file, sent again and again by one way: `node server.ts WAY FILE PORT`. Says "ready" when it listens.
import { open, stat } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import { createServer as createSocketServer, type Socket } from 'node:net'
import { basename } from 'node:path'

const [way = '', file = '', port = ''] = process.argv.slice(2)
const PIECE = 256 * 1024
const { size } = await stat(file)
const handle = await open(file)

const ignore = () => undefined

/** Two buffers: one is read into while the other is written. */
async function send(to: ServerResponse | Socket): Promise<void> {
  const buffers = [Buffer.allocUnsafe(PIECE), Buffer.allocUnsafe(PIECE)]
  let writing: Promise<void> = Promise.resolve()
  for (let at = 0, turn = 0; at < size; turn = 1 - turn) {
    const buffer = buffers[turn] as Buffer
    const { bytesRead } = await handle.read(buffer, 0, PIECE, at)
    at += bytesRead
    await writing
    writing = new Promise((resolve, reject) => {
      to.write(buffer.subarray(0, bytesRead), (error) => (error ? reject(error) : resolve()))
    })
    // Whoever left while the next piece is read is found out about behind that.
    writing.catch(ignore)
  }
  await writing
}

const WAYS: Readonly<Record<string, () => { listen(options: object, ready: () => void): unknown }>> = {
  /** Node's HTTP. */
  http: () =>
    createServer((_, response) => {
      response.writeHead(200, { 'content-length': size })
      send(response).then(() => response.end(), ignore)
    }),
  /** Nothing of HTTP but its first lines, which nobody reads. */
  raw: () =>
    createSocketServer({ noDelay: true }, (socket) => {
      let turn = Promise.resolve()
      socket.on('error', ignore)
      socket.on('data', () => {
        turn = turn
          .then(() => {
            socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${size}\r\n\r\n`)
            return send(socket)
          })
          .catch(ignore)
      })
    }),
  /** Leaves the sending to the server in front. */
  accel: () =>
    createServer((_, response) => {
      response.writeHead(200, { 'x-accel-redirect': `/files/${basename(file)}` }).end()
    }),
}
const server = WAYS[way]
if (server === undefined) throw new Error(`There is no way ${way}; choose from ${Object.keys(WAYS).join(', ')}.`)
server().listen({ host: '127.0.0.1', port: Number(port), reusePort: true }, () => process.stdout.write('ready\n'))

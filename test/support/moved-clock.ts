// Loaded into a process before everything else (NODE_OPTIONS=--import): its wall clock is the system's, moved by the milliseconds that the file
// MOVED_CLOCK_FILE holds, which is read again at SIGUSR2. What measures time without a calendar stays as it is.

import { existsSync, readFileSync } from 'node:fs'
import { ServerResponse } from 'node:http'

const file = process.env.MOVED_CLOCK_FILE
if (file !== undefined) {
  let offset = 0
  const read = () => {
    offset = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0
  }
  const SystemDate = Date
  const now = () => SystemDate.now() + offset
  globalThis.Date = new Proxy(SystemDate, {
    construct: (target, args, newTarget) => Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget),
    apply: () => new SystemDate(now()).toString(),
    get: (target, name) => (name === 'now' ? now : Reflect.get(target, name)),
  })
  // Node takes the time for this header from elsewhere.
  const { writeHead } = ServerResponse.prototype
  ServerResponse.prototype.writeHead = function (this: ServerResponse, ...args: unknown[]) {
    this.setHeader('Date', new Date().toUTCString())
    return Reflect.apply(writeHead, this, args)
  }
  read()
  process.on('SIGUSR2', read)
}

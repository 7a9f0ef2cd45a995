import { existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import pino from 'pino'

export interface LogFileOptions {
  /** The folder that the files are in. */
  readonly folder: string
  /** A file that has so many bytes makes room for a new one. */
  readonly rotateSize: number
  /** How many old ones are kept: `atoll.log.1` is the newest of them. */
  readonly rotateCount: number
}

const NAME = 'atoll.log'
/** As on standard output: lines wait together for so many bytes, or milliseconds, and are dropped when nobody can take them. */
const WRITE = { minLength: 4 * 1024, periodicFlush: 100, maxLength: 4 * 1024 * 1024 } as const

/** Where lines go that are kept in files. @throws the system's error when the folder cannot be used */
export function logFile({ folder, rotateSize, rotateCount }: LogFileOptions): pino.DestinationStream {
  mkdirSync(folder, { recursive: true })
  const path = join(folder, NAME)
  let size = existsSync(path) ? statSync(path).size : 0
  const stream = pino.destination({ dest: path, sync: false, ...WRITE })
  stream.on('write', (bytes: number) => {
    size += bytes
    if (size < rotateSize) return
    size = 0
    rotate(path, rotateCount)
    stream.reopen()
  })
  return stream
}

function rotate(path: string, count: number): void {
  if (count === 0) rmSync(path, { force: true })
  for (let n = count; n > 0; n--) {
    const from = n === 1 ? path : `${path}.${n - 1}`
    if (existsSync(from)) renameSync(from, `${path}.${n}`)
  }
}

import { closeSync, existsSync, mkdirSync, openSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { LineWriter } from './log-lines.ts'

export interface LogFileOptions {
  /** The folder that the files are in. */
  readonly folder: string
  /** A file that has so many bytes makes room for a new one. */
  readonly rotateSize: number
  /** How many old ones are kept: `atoll.log.1` is the newest of them. */
  readonly rotateCount: number
}

const NAME = 'atoll.log'

/** Where lines go that are kept in files. @throws the system's error when the folder cannot be used */
export function logFile({ folder, rotateSize, rotateCount }: LogFileOptions): LineWriter {
  mkdirSync(folder, { recursive: true })
  const path = join(folder, NAME)
  let size = existsSync(path) ? statSync(path).size : 0
  let fd = openSync(path, 'a')
  return new LineWriter({
    get fd() {
      return fd
    },
    wrote(bytes) {
      size += bytes
      if (size < rotateSize) return
      size = 0
      rotate(path, rotateCount)
      const full = fd
      fd = openSync(path, 'a')
      closeSync(full)
    },
  })
}

function rotate(path: string, count: number): void {
  if (count === 0) rmSync(path, { force: true })
  for (let n = count; n > 0; n--) {
    const from = n === 1 ? path : `${path}.${n - 1}`
    if (existsSync(from)) renameSync(from, `${path}.${n}`)
  }
}

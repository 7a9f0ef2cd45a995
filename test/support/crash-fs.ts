// A process that pushes one blob into a folder and dies by SIGKILL just before its n-th call to the file system, or in the middle of it if it is a write.
// node crash-fs.ts <directory> <n>; it says on its output what was acknowledged.

import { writeSync } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { open } from 'node:fs/promises'
import { digestOf, noise } from '../../stores/contract/bytes.ts'
import { fsBlobStore } from '../../stores/fs-blob-store.ts'
import { interceptedFileSystem } from './file-system.ts'

export const CRASH_SIZE = 200_000

if (process.argv[2] !== undefined) await crash(process.argv[2], Number(process.argv[3]))

async function crash(directory: string, deadly: number): Promise<void> {
  let calls = 0
  const fs = interceptedFileSystem(async ({ name, args, path }, go) => {
    if (calls++ < deadly) return go()
    if (name === 'writev') await tear(path, args)
    process.kill(process.pid, 'SIGKILL')
    return new Promise(() => {})
  })
  const bytes = noise(1, CRASH_SIZE)
  const draft = fsBlobStore(directory, { fs }).draft('upload')
  const first = await draft.writer({ offset: 0 })
  await first.write(bytes.slice(0, 90_000))
  say(`durable ${await first.close()}`)
  const second = await draft.writer({ offset: 90_000 })
  await second.write(bytes.slice(90_000))
  say(`durable ${await second.close()}`)
  await draft.commit(digestOf(bytes))
  say('committed')
}

/** Half of the write reaches the file. */
async function tear(path: string, args: readonly unknown[]): Promise<void> {
  const [buffers, position] = args
  const chunk: unknown = Array.isArray(buffers) ? buffers[0] : undefined
  if (!(chunk instanceof Uint8Array) || typeof position !== 'number') return
  const file: FileHandle = await open(path, 'r+')
  await file.write(chunk, 0, Math.floor(chunk.length / 2), position)
}

function say(line: string): void {
  writeSync(1, `${line}\n`)
}

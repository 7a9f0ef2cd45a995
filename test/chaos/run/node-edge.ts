import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { AtollProcess } from '../../support/atoll.ts'
import type { ChaosEdge } from './chaos-edge.ts'

/** An edge in Node; `folder` is where it keeps what it has. */
export function nodeEdge(atoll: AtollProcess, folder: string): ChaosEdge {
  return {
    edge: atoll.edge,
    get pid() {
      return atoll.pid
    },
    // Its own limits are `FILL_LIMITS` and `PULL_THROUGH_LIMITS`.
    answersWithinMs: 150_000,
    kill: () => atoll.kill(),
    restart: () => atoll.restart(),
    output: () => atoll.output(),
    wrongBlobs: () => wrongBlobs(join(folder, 'blobs')),
    [Symbol.asyncDispose]: () => atoll[Symbol.asyncDispose](),
  }
}

/** Names in a folder of blobs under which there are other bytes. */
export async function wrongBlobs(folder: string): Promise<string[]> {
  const files = await readdir(join(folder, 'blobs', 'sha256'), { recursive: true, withFileTypes: true })
  const wrong: string[] = []
  for (const file of files.filter((entry) => entry.isFile())) {
    const hash = createHash('sha256')
    for await (const chunk of createReadStream(join(file.parentPath, file.name))) hash.update(chunk as Buffer)
    if (hash.digest('hex') !== file.name) wrong.push(file.name)
  }
  return wrong
}

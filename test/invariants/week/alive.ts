import { readdir } from 'node:fs/promises'
import v8 from 'node:v8'
import { runInNewContext } from 'node:vm'

/** What a long life must not make more of. */
export type Alive = Readonly<Record<string, number>>

/** What the work of a request, a fill, a question or a feed is made of: whatever forgets one of these keeps more than memory. */
const KINDS = { AbortController, AbortSignal, ReadableStream, Promise } as const

const COLLECTIONS = 3

const collect = gc()

/** Counts what is alive in this process once nothing can be collected any more. `timers`: what waits on the clocks of a test. */
export async function alive(timers: Readonly<Record<string, { readonly pending: number }>>): Promise<Alive> {
  // Finalizers run between two collections, and let go of what a further one finds.
  for (let i = 0; i < COLLECTIONS; i++) {
    collect()
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  const counted: Record<string, number> = {}
  for (const [name, kind] of Object.entries(KINDS)) counted[name] = v8.queryObjects(kind, { format: 'count' })
  for (const [name, { pending }] of Object.entries(timers)) counted[`timers of ${name}`] = pending
  counted['open files and sockets'] = (await readdir('/proc/self/fd')).length
  counted['resources of the loop'] = process.getActiveResourcesInfo().length
  counted['heap in MiB'] = Math.round((v8.getHeapStatistics().used_heap_size / 1024 ** 2) * 10) / 10
  return counted
}

function gc(): () => void {
  v8.setFlagsFromString('--expose-gc')
  const collector: unknown = runInNewContext('gc')
  if (typeof collector !== 'function') throw new TypeError('this runtime collects nothing on demand')
  return () => collector()
}

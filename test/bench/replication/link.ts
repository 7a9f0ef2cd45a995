import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** A line with a length and a width between whoever connects to `host` and a port of this machine. */
export interface BenchLink extends AsyncDisposable {
  readonly host: string
  counts(): Promise<LinkCounts>
}

/** Bytes of all that went, each way, what HTTP adds included. */
export interface LinkCounts {
  readonly up: number
  readonly down: number
  readonly connections: number
}

export interface LinkShape {
  readonly roundTripMs: number
  readonly bytesPerSecond: number
}

/** `target` is a port; 0: a server of its own that takes whatever is sent. */
export async function startLink(target: number, { roundTripMs, bytesPerSecond }: LinkShape): Promise<BenchLink> {
  const child = fork(fileURLToPath(new URL('./line.ts', import.meta.url)), [String(target), String(roundTripMs), String(bytesPerSecond)])
  const { port } = await said<{ port: number }>(child)
  return {
    host: `127.0.0.1:${port}`,
    counts: async () => {
      child.send('counts')
      return await said<LinkCounts>(child)
    },
    [Symbol.asyncDispose]: async () => {
      const exited = once(child, 'exit')
      child.disconnect()
      await exited
    },
  }
}

async function said<T>(child: ChildProcess): Promise<T> {
  const [message] = await once(child, 'message')
  return message as T
}

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Outcome, run } from './run.ts'
import { until } from './until.ts'

const CLI = fileURLToPath(new URL('../../cli/atoll', import.meta.url))
export const ADMIN_PASSWORD = 'Harbour12345'

/** A running `atoll serve`, started as a person would: the real command, its own data folder, settings by environment. */
export interface AtollProcess extends AsyncDisposable {
  /** `127.0.0.1:port`, as clients name it in references. */
  readonly origin: string
  readonly edge: string
  readonly data: string
  readonly pid: number
  api(method: string, path: string, body?: unknown, credentials?: { username: string; password: string }): Promise<Response>
  cli(...args: string[]): Promise<Outcome>
  /** Tells it to end; resolves with its exit code. */
  stop(): Promise<number | null>
  /** Ends it as a power cut would. */
  kill(): Promise<void>
  /** Starts it again on the same data and ports. */
  restart(): Promise<void>
  output(): Promise<string>
}

export interface AtollOptions {
  readonly role?: 'origin' | 'edge' | 'control-plane'
  readonly env?: Readonly<Record<string, string>>
  /** Hosts that must answer before it counts as started. Default: those of its role. */
  readonly ready?: readonly string[]
  /** A program with its options that runs the command in its own process, as `strace -D` does: signals go to the command. */
  readonly under?: readonly string[]
}

/** One for all: each has a home of its own, and would compile everything anew. */
/** For a command that waits for a replication over a slow link: longer than a test may take. */
const CLI_DEADLINE_MS = 300_000

const COMPILED = join(tmpdir(), 'atoll-tests-compiled')

export async function startAtoll(options: AtollOptions = {}): Promise<AtollProcess> {
  const data = await mkdtemp(join(tmpdir(), 'atoll-data-'))
  const [originPort, edgePort] = [await freePort(), await freePort()]
  const origin = `127.0.0.1:${originPort}`
  const edge = `127.0.0.1:${edgePort}`
  const logFile = join(data, 'process.log')
  const env = {
    PATH: process.env.PATH ?? '',
    HOME: data,
    NODE_COMPILE_CACHE: COMPILED,
    ATOLL_DATA_VOLUME: join(data, 'data'),
    ATOLL_HTTP_PORT: String(originPort),
    ATOLL_EDGE_PORT: String(edgePort),
    ATOLL_ADMIN_PASSWORD: ADMIN_PASSWORD,
    ...options.env,
  }
  let child: ChildProcess | undefined

  const start = async () => {
    const log = openSync(logFile, 'a')
    const [program = CLI, ...args] = [...(options.under ?? []), CLI, 'serve', ...(options.role === undefined ? [] : ['--role', options.role])]
    const started = spawn(program, args, {
      cwd: data,
      env,
      stdio: ['ignore', log, log],
    })
    closeSync(log)
    child = started
    const ready = async (host: string) => (await fetch(`http://${host}/readyz`).catch(() => undefined))?.ok ?? false
    await until('atoll serve is ready', async () => {
      if (started.exitCode !== null || started.signalCode !== null)
        throw new Error(`atoll serve ended with ${started.exitCode ?? started.signalCode}:\n${await readFile(logFile, 'utf8')}`)
      const hosts = options.ready ?? [...(options.role === 'edge' ? [] : [origin]), ...(options.role === 'origin' ? [] : [edge])]
      return (await Promise.all(hosts.map(ready))).every(Boolean)
    })
  }
  const end = async (signal: NodeJS.Signals) => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill(signal)
    await exited
  }
  await start()
  return {
    origin,
    edge,
    data,
    get pid() {
      return child?.pid ?? 0
    },
    api: (method, path, body, credentials = { username: 'admin', password: ADMIN_PASSWORD }) =>
      fetch(`http://${origin}${path}`, {
        method,
        headers: {
          authorization: `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`,
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      }),
    cli: (...args) =>
      run(CLI, args, {
        env: { HOME: data, NODE_COMPILE_CACHE: COMPILED, ATOLL_SERVER: `http://${origin}`, ATOLL_USERNAME: 'admin', ATOLL_PASSWORD: ADMIN_PASSWORD },
        deadlineMs: CLI_DEADLINE_MS,
      }),
    stop: async () => {
      await end('SIGTERM')
      return child?.exitCode ?? null
    },
    kill: () => end('SIGKILL'),
    restart: start,
    output: () => readFile(logFile, 'utf8'),
    async [Symbol.asyncDispose]() {
      await end('SIGTERM')
      await rm(data, { recursive: true, force: true })
    },
  }
}

export async function freePort(): Promise<number> {
  const probe = createServer()
  probe.listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

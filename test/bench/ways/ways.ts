import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { basename, dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../support/atoll.ts'
import { must } from '../../support/run.ts'
import { randomFile } from '../images.ts'
import { cpuSeconds, median } from '../load.ts'
import { startNginx } from '../peers.ts'
import { printTable } from '../table.ts'

const BLOB = 64 * 1024 * 1024
const CLIENTS = 8
const SECONDS = 5
const ROUNDS = 3

interface Served {
  readonly url: string
  readonly pids: readonly number[]
}

/**
 * What limits a warm blob: the same file sent by Node's HTTP as an edge does it, by sockets with no HTTP, by two processes on one port, by nginx,
 * and by nginx to which Node only says which file. Without tokens, limits or counting: it is about the way of the bytes.
 */
export async function ways(): Promise<void> {
  await using blob = await randomFile(BLOB)
  const [folder, name] = [dirname(blob.path), basename(blob.path)]
  await using http = await node(['http'], blob.path)
  await using raw = await node(['raw'], blob.path)
  await using two = await node(['http', 'http'], blob.path)
  await using accel = await node(['accel'], blob.path)
  await using plain = await startNginx(folder)
  const proxied = `location / { proxy_pass ${accel.url}; proxy_http_version 1.1; proxy_set_header Connection ""; }`
  await using front = await startNginx(folder, `${proxied} location /files/ { internal; alias ${folder}/; }`)
  if (plain === undefined || front === undefined) throw new Error('This section needs nginx.')
  const all: readonly (readonly [string, Served])[] = [
    ['Node, HTTP', http],
    ['Node, sockets without HTTP', raw],
    ['Node, HTTP, two processes on one port', two],
    ['nginx', { url: `http://${plain.host}/${name}`, pids: [plain.pid] }],
    ['Node behind nginx, which sends the file', { url: `http://${front.host}/`, pids: [front.pid, ...accel.pids] }],
  ]
  const seen = all.map(() => ({ speed: [] as number[], cost: [] as number[] }))
  for (let round = 0; round < ROUNDS; round++) {
    for (const [at, [, way]] of all.entries()) {
      const before = await cpuOf(way.pids)
      const { stdout } = await must('wrk', ['-t1', `-c${CLIENTS}`, `-d${SECONDS}s`, way.url])
      const done = stdout.match(/(\d+) requests in ([\d.]+)s/)
      const gigabytes = (Number(done?.[1]) * BLOB) / 1e9
      seen[at]?.speed.push(gigabytes / Number(done?.[2]))
      seen[at]?.cost.push(((await cpuOf(way.pids)) - before) / gigabytes)
    }
  }
  printTable(
    `${CLIENTS} clients, a warm file of ${BLOB / 1024 / 1024} MiB`,
    ['way', 'GB/s', 'processor time, s/GB'],
    all.map(([name], at) => [name, median(seen[at]?.speed ?? []).toFixed(2), median(seen[at]?.cost ?? []).toFixed(3)]),
  )
}

async function cpuOf(pids: readonly number[]): Promise<number> {
  const each = await Promise.all(pids.map(cpuSeconds))
  return each.reduce((sum, seconds) => sum + seconds, 0)
}

/** A process for each way, all on one port. */
async function node(each: readonly string[], file: string): Promise<Served & AsyncDisposable> {
  const port = await freePort()
  const script = fileURLToPath(new URL('server.ts', import.meta.url))
  const children = each.map((way) => spawn(process.execPath, [script, way, file, String(port)], { stdio: ['ignore', 'pipe', 'inherit'] }))
  await Promise.all(children.map((child) => once(child.stdout, 'data')))
  return {
    url: `http://127.0.0.1:${port}/`,
    pids: children.map(({ pid = 0 }) => pid),
    async [Symbol.asyncDispose]() {
      for (const child of children) {
        child.kill('SIGTERM')
        if (child.exitCode === null) await once(child, 'exit')
      }
    },
  }
}

import { readFile } from 'node:fs/promises'
import { must } from '../support/run.ts'
import { headsPerSecond } from './heads.ts'

/** How long requests are counted. */
export const SECONDS = 5
const CONNECTIONS = 16
/** Of the kernel's clock for processes, in a second. */
const TICKS = 100

/** Requests per second of one URL: GET by wrk, HEAD by ourselves. */
export async function requestsPerSecond(
  url: string,
  options: { readonly method?: string; readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<number> {
  if (options.method === 'HEAD') return await headsPerSecond(new URL(url), options.headers ?? {}, CONNECTIONS, SECONDS)
  const headers = Object.entries(options.headers ?? {}).flatMap(([name, value]) => ['-H', `${name}: ${value}`])
  const { stdout } = await must('wrk', ['-t1', `-c${CONNECTIONS}`, `-d${SECONDS}s`, ...headers, url])
  const rate = stdout.match(/Requests\/sec:\s+([\d.]+)/)?.[1]
  const bad = stdout.match(/Non-2xx or 3xx responses: (\d+)/)?.[1]
  if (rate === undefined || bad !== undefined) throw new Error(`wrk against ${url}:\n${stdout}`)
  return Number(rate)
}

export interface Transfer {
  /** Seconds to the first byte of the body, and to the last. */
  readonly firstByte: number
  readonly total: number
  readonly bytes: number
  readonly status: number
}

const FORMAT = '{"firstByte":%{time_starttransfer},"total":%{time_total},"bytes":%{size_download},"status":%{http_code}}'

/** One download by curl, thrown away. */
export async function download(url: string, headers: Readonly<Record<string, string>> = {}): Promise<Transfer> {
  const given = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`])
  const { stdout } = await must('curl', ['-sS', '-L', '-o', '/dev/null', '-w', FORMAT, ...given, url], { deadlineMs: 600_000 })
  return JSON.parse(stdout) as Transfer
}

/** So many downloads of the same at once by one curl, thrown away: seconds until the last is done. @throws unless each has so many bytes */
export async function downloads(url: string, headers: Readonly<Record<string, string>>, count: number, bytes: number): Promise<number> {
  const given = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`])
  const each = Array.from({ length: count }, () => ['-o', '/dev/null', url]).flat()
  const { stdout } = await must('curl', ['-sS', '-Z', '--parallel-immediate', '-w', `${FORMAT}\n`, ...given, ...each], { deadlineMs: 600_000 })
  const transfers = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Transfer)
  const wrong = transfers.find((transfer) => transfer.bytes !== bytes)
  if (transfers.length !== count || wrong !== undefined) throw new Error(`${url}: ${wrong?.status} with ${wrong?.bytes} bytes`)
  return Math.max(...transfers.map(({ total }) => total))
}

/** One upload by curl: PUT of a file. */
export async function upload(url: string, file: string, headers: Readonly<Record<string, string>> = {}): Promise<Transfer> {
  const given = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`])
  const { stdout } = await must(
    'curl',
    ['-sS', '-o', '/dev/null', '-w', FORMAT, '-T', file, '-H', 'Content-Type: application/octet-stream', ...given, url],
    {
      deadlineMs: 600_000,
    },
  )
  return JSON.parse(stdout) as Transfer
}

/** The most memory that a process ever held, in MiB. */
export async function peakMemory(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(status.match(/VmHWM:\s+(\d+) kB/)?.[1]) / 1024
}

/** Seconds of processor time that a process has used, in user mode and in the kernel. */
export async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  const [user = 0, system = 0] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
    .map(Number)
  return (user + system) / TICKS
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type AtollProcess, startAtoll } from '../../support/atoll.ts'
import { cpuSeconds } from '../load.ts'
import { type Amounts, generate } from './generate.ts'
import type { Pusher } from './pusher.ts'

/** An origin over a database with so much in it; `more`: what else is done to it before it starts. */
export async function grownOrigin(
  amounts: Amounts,
  env: Readonly<Record<string, string>> = {},
  more?: (url: string) => Promise<void>,
): Promise<AtollProcess> {
  const atoll = await startAtoll({ role: 'origin', env: { ATOLL_LOG_LEVEL: 'error', ...env } })
  await atoll.stop()
  const url = `file:${join(atoll.data, 'data', 'atoll.db')}`
  await generate(url, amounts, (line) => process.stderr.write(`${line}\n`))
  await more?.(url)
  await atoll.restart()
  return atoll
}

/** Forgets the most memory that a process ever held. */
export async function forgetPeak(pid: number): Promise<void> {
  await writeFile(`/proc/${pid}/clear_refs`, '5')
}

export async function peakMiB(pid: number): Promise<number> {
  return Number((await readFile(`/proc/${pid}/status`, 'utf8')).match(/VmHWM:\s+(\d+) kB/)?.[1]) / 1024
}

export interface Ran {
  readonly seconds: number
  readonly cpu: number
  readonly peak: number
  /** Of pushes beside it, in milliseconds. */
  readonly p50: number
  readonly p99: number
}

/** What a job of an origin takes, while somebody pushes: until `over` says so, asked each second. */
export async function runBeside(atoll: AtollProcess, push: Pusher, over: () => Promise<boolean>): Promise<Ran> {
  await forgetPeak(atoll.pid)
  push.took()
  const [from, cpu] = [performance.now(), await cpuSeconds(atoll.pid)]
  await push.beside(async () => {
    while (!(await over())) await new Promise((resolve) => setTimeout(resolve, 1_000))
  })
  const times = push.took()
  const at = (part: number) => times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? Number.NaN
  return {
    seconds: (performance.now() - from) / 1000,
    cpu: (await cpuSeconds(atoll.pid)) - cpu,
    peak: await peakMiB(atoll.pid),
    p50: at(0.5),
    p99: at(0.99),
  }
}

export const ranLine = ({ seconds, cpu, peak, p50, p99 }: Ran): string =>
  `${seconds.toFixed(0)} s, ${cpu.toFixed(0)} s of processor time, at most ${peak.toFixed(0)} MiB; pushes beside it ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms`

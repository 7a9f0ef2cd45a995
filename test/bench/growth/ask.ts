import { performance } from 'node:perf_hooks'
import { cpuSeconds } from '../load.ts'

/** What so many requests took, in milliseconds, and how many rows the first one speaks of. */
export interface Seen {
  readonly p50: number
  readonly p95: number
  readonly worst: number
  readonly total: string
  /** Processor time of the origin for each, in milliseconds: it swings less than the rest when others use the machine. */
  readonly cpu: number
}

/** Asks one after the other, each in other words, and throws away the first: it finds what is not in memory yet. @throws at an answer that is none */
export async function ask(pid: number, urlOf: (n: number) => string, headers: Readonly<Record<string, string>>, times: number): Promise<Seen> {
  const took: number[] = []
  let total = ''
  let before = 0
  for (let n = -1; n < times; n++) {
    const url = urlOf(Math.max(0, n))
    const from = performance.now()
    const answer = await fetch(url, { headers })
    const body = await answer.text()
    if (answer.status !== 200) throw new Error(`${url}: ${answer.status} ${body.slice(0, 500)}`)
    if (n >= 0) took.push(performance.now() - from)
    else {
      total = answer.headers.get('x-total-count') ?? ''
      before = await cpuSeconds(pid)
    }
  }
  const cpu = (((await cpuSeconds(pid)) - before) * 1000) / times
  took.sort((a, b) => a - b)
  // The least that so large a part of them does not exceed.
  const at = (part: number) => took[Math.ceil(took.length * part) - 1] ?? Number.NaN
  return { p50: at(0.5), p95: at(0.95), worst: at(1), total, cpu }
}

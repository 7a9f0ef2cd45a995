import { writeFile } from 'node:fs/promises'
import { peakMemory } from '../load.ts'

/** What a process may hold at most, in MiB: 200 MB. */
export const LIMIT = 200e6 / 1_048_576

/** The processes that are watched, each by the name of its column. */
export type Watched = Readonly<Record<string, number>>

/** Prints a table with a row for each step, and in it what each process held at most during that step. */
export class MemoryTable {
  readonly #processes: Watched

  constructor(title: string, processes: Watched) {
    this.#processes = processes
    const names = Object.keys(processes)
    process.stdout.write(`\n## ${title}\n\n| step | ${names.join(' | ')} | under 200 MB |\n| --- |${' --- |'.repeat(names.length + 1)}\n`)
  }

  /** A row for what a process held at most from its start until now. */
  async begin(): Promise<void> {
    await this.#print('start')
  }

  /** Runs one step, and prints its row. */
  async step(what: string, run: () => Promise<void>): Promise<void> {
    await Promise.all(Object.values(this.#processes).map(forgetPeak))
    await run()
    await this.#print(what)
  }

  async #print(what: string): Promise<void> {
    const peaks = await Promise.all(Object.values(this.#processes).map(peakMemory))
    const cells = peaks.map((peak) => `${peak.toFixed(0)} MiB`)
    process.stdout.write(`| ${what} | ${cells.join(' | ')} | ${Math.max(...peaks) < LIMIT ? 'yes' : 'NO'} |\n`)
  }
}

/** From here on `peakMemory` tells what the process holds from here on (proc(5), clear_refs). */
export async function forgetPeak(pid: number): Promise<void> {
  await writeFile(`/proc/${pid}/clear_refs`, '5')
}

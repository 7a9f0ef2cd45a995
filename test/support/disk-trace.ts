import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { until } from './until.ts'

/** What strace is told to write down: everything that changes files or their names, makes them durable, or says something to somebody. */
const CALLS = 'openat,mkdir,rename,renameat,renameat2,link,linkat,unlink,ftruncate,fsync,fdatasync,write,writev,pwrite64,pwritev,sendto,sendmsg'
const WRITES = /^(write|writev|pwrite64|pwritev|ftruncate)$/
const RENAMES = /^(rename|renameat|renameat2|link|linkat)$/

/** strace with its options, to run a command under. It appends to `file`, so that a command may be started again. */
export function traceTo(file: string): readonly string[] {
  return ['strace', '-D', '-f', '--seccomp-bpf', '-y', '-s', '64', '-A', '-o', file, '-e', `trace=${CALLS}`]
}

/** Resolves with the trace when it is whole: strace has written how the process ended. */
export async function readTrace(file: string, pid: number): Promise<string> {
  let trace = ''
  await until('strace has written everything', async () => {
    trace = await readFile(file, 'utf8')
    return new RegExp(`^${pid} +\\+\\+\\+ `, 'm').test(trace)
  })
  return trace
}

/** An answer over HTTP, and how the disk was at the moment when its head was about to be sent. */
export interface TracedAnswer {
  readonly status: number
  /** What a loss of power could take: `bytes of <path>`, `name of <path>`. */
  readonly undurable: readonly string[]
  /** What was done to the disk since the answer before: `write <path>`, `sync <path>`, `name <path>`. */
  readonly steps: readonly string[]
  /** Bytes that were written to each file so far, by the name that it has now, and made durable. */
  readonly durable: ReadonlyMap<string, number>
}

/** Plays a trace over a model of the disk, and gives every answer whose status is among these. Only what is under `root`, and its own name, counts. */
export function answersIn(trace: string, root: string, statuses: ReadonlySet<number>): TracedAnswer[] {
  const disk = new Disk(root)
  const answers: TracedAnswer[] = []
  const begun = new Map<string, { readonly call: string; readonly end: End }>()
  for (const line of trace.split('\n')) {
    const [, thread = '', rest = ''] = line.match(/^(\d+) +(.*)$/) ?? []
    const [, resumed] = rest.match(/^<\.\.\. \w+ resumed>(.*)$/) ?? []
    if (resumed !== undefined) {
      const open = begun.get(thread)
      begun.delete(thread)
      open?.end(`${open.call}${resumed}`)
      continue
    }
    const status = Number(rest.match(/^(?:write|writev|sendto|sendmsg)\(\d+<(?:socket|TCP)[^>]*>.*?"HTTP\/1\.1 (\d{3})/)?.[1])
    if (statuses.has(status)) answers.push({ status, ...disk.look() })
    const end = disk.begin(rest)
    const [, call] = rest.match(/^(.*) <unfinished \.\.\.>$/) ?? []
    if (call === undefined) end(rest)
    else begun.set(thread, { call, end })
  }
  return answers
}

/** Hears the whole line of a call that has ended. */
type End = (line: string) => void

/** Files by name: what was written, what of it is sure to be there after a loss of power. */
class Disk {
  readonly #root: string
  readonly #known = new Set<string>()
  /** Writes that no sync that began after them has made durable, in bytes. */
  readonly #pending = new Map<string, number[]>()
  readonly #durable = new Map<string, number>()
  /** Names whose directory was not synced since. */
  #names = new Set<string>()
  #steps: string[] = []

  constructor(root: string) {
    this.#root = root
  }

  look(): Omit<TracedAnswer, 'status'> {
    const bytes = [...this.#pending].filter(([, writes]) => writes.length > 0).map(([path]) => `bytes of ${path}`)
    const steps = this.#steps
    this.#steps = []
    return { undurable: [...bytes, ...[...this.#names].map((path) => `name of ${path}`)], steps, durable: new Map(this.#durable) }
  }

  /** What is to be done when the call has ended: a sync is good for what was written before it began. */
  begin(line: string): End {
    const [, call = ''] = line.match(/^(\w+)\(/) ?? []
    const [, descriptor = ''] = line.match(/^\w+\(\d+<([^>]*)>/) ?? []
    if (call === 'fsync' || call === 'fdatasync') return this.#sync(descriptor)
    if (WRITES.test(call)) return this.#counts(descriptor) ? (ended) => this.#write(descriptor, resultOf(ended)) : () => {}
    return (ended) => {
      const result = resultOf(ended)
      const [first = '', second = ''] = Array.from(ended.matchAll(/"([^"]*)"/g), ([, path = '']) => path)
      if (result < 0) return
      if (call === 'mkdir' || (call === 'openat' && ended.includes('O_CREAT'))) this.#make(first)
      else if (RENAMES.test(call)) this.#move(first, second, call.startsWith('link'))
      else if (call === 'unlink') this.#remove(first)
    }
  }

  #sync(path: string): End {
    if (!this.#counts(path) && path !== dirname(this.#root)) return () => {}
    const writes = this.#pending.get(path)?.length ?? 0
    const names = [...this.#names].filter((name) => dirname(name) === path)
    return (ended) => {
      if (resultOf(ended) !== 0) return
      this.#steps.push(`sync ${path}`)
      const bytes = this.#pending.get(path)?.splice(0, writes) ?? []
      this.#durable.set(
        path,
        bytes.reduce((sum, count) => sum + count, this.#durable.get(path) ?? 0),
      )
      for (const name of names) this.#names.delete(name)
    }
  }

  #write(path: string, bytes: number): void {
    if (bytes < 0) return
    this.#steps.push(`write ${path}`)
    this.#pending.set(path, [...(this.#pending.get(path) ?? []), bytes])
  }

  #make(path: string): void {
    if (!this.#counts(path) || this.#known.has(path)) return
    this.#known.add(path)
    this.#names.add(path)
    this.#steps.push(`name ${path}`)
  }

  #move(from: string, to: string, stays: boolean): void {
    if (!this.#counts(to)) return
    const [pending, durable] = [this.#pending.get(from) ?? [], this.#durable.get(from) ?? 0]
    if (!stays) this.#remove(from)
    this.#known.add(to)
    this.#names.add(to)
    this.#pending.set(to, pending)
    this.#durable.set(to, durable)
    this.#steps.push(`name ${to}`)
  }

  #remove(path: string): void {
    this.#known.delete(path)
    this.#names.delete(path)
    this.#pending.delete(path)
    this.#durable.delete(path)
  }

  #counts(path: string): boolean {
    return path === this.#root || path.startsWith(`${this.#root}/`)
  }
}

function resultOf(line: string): number {
  return Number(line.match(/\) += (-?\d+)/)?.[1] ?? -1)
}

import { write, writeSync } from 'node:fs'
import pino from 'pino'

/** What lines are written to. */
export interface LineTarget {
  /** Of the file or pipe that takes the next ones. */
  readonly fd: number
  /** So many bytes were written, and nothing is being written now. */
  wrote?(bytes: number): void
}

export interface LineLimits {
  /** Lines are written together when there are so many characters of them, or after so many milliseconds, and at the end of the process. */
  readonly togetherSize: number
  readonly togetherMs: number
  /** When nobody takes them, lines above so many characters are lost: the log must not take the memory. */
  readonly waitingSize: number
  /** Milliseconds until what could not be written is tried again. */
  readonly retryMs: number
  /** Milliseconds for which the end of the process waits for a full pipe. */
  readonly endMs: number
}

const DEFAULT_LIMITS: LineLimits = { togetherSize: 4 * 1024, togetherMs: 100, waitingSize: 4 * 1024 * 1024, retryMs: 1_000, endMs: 1_000 }
const PIPE_PAUSE_MS = 10

export function standardOutput(): LineWriter {
  return new LineWriter({ fd: 1 })
}

/**
 * Writes lines, one piece at a time. What a full disk or a full pipe does not take waits, and is lost where too much waits: a log that cannot be
 * written holds up nobody, while it lasts as little as at the end.
 */
export class LineWriter {
  readonly #target: LineTarget
  readonly #limits: LineLimits
  #lines: string[] = []
  #size = 0
  /** What is being written, or could not be. */
  #piece: Buffer | undefined
  #writing = false
  #timer: NodeJS.Timeout | undefined
  #lost = 0
  /** Nobody will ever read us. */
  #gone = false
  readonly #end = () => this.#writeLast()

  constructor(target: LineTarget, limits: Partial<LineLimits> = {}) {
    this.#target = target
    this.#limits = { ...DEFAULT_LIMITS, ...limits }
  }

  write(line: string): void {
    if (this.#gone) return
    if (this.#size + line.length > this.#limits.waitingSize) {
      this.#lost++
      return
    }
    this.#put(line)
    if (this.#size >= this.#limits.togetherSize && this.#piece === undefined) this.#next()
    else if (this.#timer === undefined && !this.#writing) this.#later(this.#limits.togetherMs)
  }

  #put(line: string): void {
    if (this.#size === 0) process.once('exit', this.#end)
    this.#lines.push(line)
    this.#size += line.length
  }

  #later(ms: number): void {
    this.#timer ??= setTimeout(() => this.#next(), ms).unref()
  }

  #next(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#writing || this.#size === 0) return
    this.#piece ??= Buffer.from(this.#lines.splice(0).join(''))
    this.#writing = true
    write(this.#target.fd, this.#piece, (error, bytes) => this.#written(error, bytes))
  }

  #written(error: NodeJS.ErrnoException | null, bytes: number): void {
    this.#writing = false
    if (error) {
      if (error.code === 'EPIPE') this.#leave()
      else this.#later(this.#limits.retryMs)
      return
    }
    this.#take(bytes)
    try {
      this.#target.wrote?.(bytes)
    } catch {
      // It goes on where it was.
    }
    if (this.#size === 0) process.off('exit', this.#end)
    if (this.#lost > 0) this.#tellLost()
    if (this.#size === 0) return
    if (this.#piece !== undefined || this.#size >= this.#limits.togetherSize) this.#next()
    else this.#later(this.#limits.togetherMs)
  }

  #take(bytes: number): void {
    const rest = this.#piece?.subarray(bytes)
    this.#piece = rest?.length ? rest : undefined
    this.#size = (this.#piece?.length ?? 0) + this.#lines.reduce((size, { length }) => size + length, 0)
  }

  #tellLost(): void {
    const lines = this.#lost
    this.#lost = 0
    this.#put(
      `{"level":"warn"${pino.stdTimeFunctions.isoTime()},"lines":${lines},"msg":"So many lines of this log were lost: they could not be written."}\n`,
    )
  }

  #leave(): void {
    this.#gone = true
    this.#piece = undefined
    this.#lines = []
    this.#size = 0
    process.off('exit', this.#end)
  }

  /** What is being written at this moment is written by whoever writes it. */
  #writeLast(): void {
    const waiting = this.#lines.join('')
    let rest = Buffer.concat([this.#writing || this.#piece === undefined ? Buffer.alloc(0) : this.#piece, Buffer.from(waiting)])
    for (let waited = 0; rest.length > 0; ) {
      try {
        rest = rest.subarray(writeSync(this.#target.fd, rest))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN' || waited >= this.#limits.endMs) return
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PIPE_PAUSE_MS)
        waited += PIPE_PAUSE_MS
      }
    }
  }
}

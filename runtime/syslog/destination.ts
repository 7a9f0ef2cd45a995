import { hostname } from 'node:os'
import { openSender, type SyslogSender } from './sender.ts'

/** Lines that wait for a receiver that is slow or away; the oldest go first when there are more. */
const WAITING_LIMIT = 10_000
const BATCH = 100
/** Between two tries to reach a receiver, in milliseconds. */
const AGAIN_MS = 1_000
/** Facility "user-level messages", and the severities of our levels (RFC 5424, 6.2.1). */
const FACILITY = 1
const SEVERITY: Readonly<Record<string, number>> = { fatal: 2, error: 3, warn: 4, info: 6, debug: 7, trace: 7 }
/** What receivers take in one message. */
const TEXT_LIMIT = 7 * 1024

/** Sends lines of the log to a receiver of syslog. Whoever writes never waits for it. */
export class SyslogDestination {
  readonly #url: URL
  readonly #host = hostname().replaceAll(/[^\x21-\x7e]/g, '') || '-'
  #waiting: string[] = []
  /** Of those dropped, what the receiver has not been told of; and all that ever were. */
  #lost = 0
  #dropped = 0
  #sending = false

  constructor(url: URL) {
    this.#url = url
  }

  write(line: string): void {
    if (this.#waiting.length >= WAITING_LIMIT) {
      this.#waiting.shift()
      this.#lost++
      this.#dropped++
    }
    this.#waiting.push(this.#message(line.trimEnd()))
    if (!this.#sending) void this.#send()
  }

  async #send(): Promise<void> {
    this.#sending = true
    let sender: SyslogSender | undefined
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, BATCH)
      const dropped = this.#dropped
      try {
        sender ??= await openSender({ url: this.#url })
        if (this.#lost > 0) {
          const lost = this.#lost
          await sender.send([this.#message(JSON.stringify({ level: 'warn', msg: `${lost} lines of the log were lost: this receiver was away.` }))])
          this.#lost -= lost
        }
        await sender.send(batch)
        // What was dropped meanwhile was of this batch: the oldest.
        this.#waiting.splice(0, Math.max(0, batch.length - (this.#dropped - dropped)))
      } catch {
        // There is no other place to say so: standard output or the files have these lines too.
        sender?.close()
        sender = undefined
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS).unref())
      }
    }
    sender?.close()
    this.#sending = false
  }

  #message(line: string): string {
    const level = /"level":"(\w+)"/.exec(line)?.[1] ?? 'info'
    return `<${FACILITY * 8 + (SEVERITY[level] ?? 6)}>1 ${new Date().toISOString()} ${this.#host} atoll ${process.pid} - - ${line.slice(0, TEXT_LIMIT)}`
  }
}

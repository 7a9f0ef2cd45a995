import { hostname } from 'node:os'
import { type Clock, pause, steady } from '../registry/clock.ts'
import type { Log } from '../registry/log.ts'
import { syslogLine } from '../runtime/syslog/message.ts'
import { openSender, type SenderOptions, type SyslogSender } from '../runtime/syslog/sender.ts'
import { type AuditRow, readAudit } from '../schema/audit/read.ts'
import { readCursor, saveCursor } from '../schema/changes.ts'
import type { Database } from '../schema/database.ts'
import { dropLease, takeLease } from '../schema/leases.ts'
import { FORWARD_BACKOFF_LIMIT_MS, FORWARD_BATCH, FORWARD_POLL_MS, FORWARD_SETTLE_MS, SOLE_LEASE_MS } from './limits.ts'

const NAME = 'audit.syslog'
const SOURCE = { hostname: hostname(), application: 'atoll', element: 'audit@32473' }

export interface ForwardAuditOptions {
  readonly db: Database
  readonly receiver: SenderOptions
  /** Names this process among all that might forward. */
  readonly owner: string
  readonly clock: Clock
  readonly log: Log
  readonly signal: AbortSignal
}

/**
 * Sends the audit log to a receiver of syslog, until the signal: one process at a time, in order, each entry at least once. The log itself is the
 * spool: while the receiver is away nothing is lost, and what may not have arrived is sent again, under the same id.
 */
export async function forwardAudit({ db, receiver, owner, clock, log, signal }: ForwardAuditOptions): Promise<void> {
  let failures = 0
  while (!signal.aborted) {
    try {
      if (await takeLease(db, NAME, owner, SOLE_LEASE_MS)) {
        await using sending = await Sending.open(db, clock, receiver)
        if (failures > 0) log.info({ receiver: receiver.url.host }, 'The receiver of the audit log is back.')
        failures = 0
        for (let renewed = steady(clock); !signal.aborted; ) {
          await sending.next()
          if (steady(clock) - renewed > SOLE_LEASE_MS / 3) {
            if (!(await takeLease(db, NAME, owner, SOLE_LEASE_MS))) break
            renewed = steady(clock)
          }
          if (sending.idle) await pause(clock, FORWARD_POLL_MS, signal).catch(() => undefined)
        }
      }
    } catch (error) {
      failures++
      log.warn({ err: error, receiver: receiver.url.host, failures }, 'The audit log could not be forwarded; what has not arrived is sent again.')
    }
    const wait = failures === 0 ? SOLE_LEASE_MS / 6 : Math.min(FORWARD_POLL_MS * 2 ** Math.min(failures, 10), FORWARD_BACKOFF_LIMIT_MS)
    await pause(clock, wait, signal).catch(() => undefined)
  }
  await dropLease(db, NAME, owner)
}

/** One connection, and what was sent on it. */
class Sending implements AsyncDisposable {
  readonly #db: Database
  readonly #clock: Clock
  readonly #sender: SyslogSender
  #last: number
  /** What is not settled yet: how far, and when that was sent. */
  #sent: { readonly id: number; readonly at: number }[] = []
  idle = false

  private constructor(db: Database, clock: Clock, sender: SyslogSender, last: number) {
    this.#db = db
    this.#clock = clock
    this.#sender = sender
    this.#last = last
  }

  static async open(db: Database, clock: Clock, receiver: SenderOptions): Promise<Sending> {
    return new Sending(db, clock, await openSender(receiver), (await readCursor(db, NAME)) ?? 0)
  }

  /** Sends what there is, and keeps how far everything has settled. @throws when the receiver has gone */
  async next(): Promise<void> {
    const rows = await readAudit(this.#db, this.#last, FORWARD_BATCH)
    if (rows.length > 0) await this.#sender.send(rows.map(lineOf))
    this.#sender.check()
    this.#last = rows.at(-1)?.id ?? this.#last
    this.idle = rows.length < FORWARD_BATCH
    const now = steady(this.#clock)
    if (rows.length > 0) this.#sent.push({ id: this.#last, at: now })
    await this.#settle(now - FORWARD_SETTLE_MS)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#sender.close()
  }

  async #settle(before: number): Promise<void> {
    const settled = this.#sent.findLast(({ at }) => at <= before)
    if (settled === undefined) return
    this.#sent = this.#sent.filter(({ at }) => at > before)
    await saveCursor(this.#db, NAME, settled.id)
  }
}

function lineOf(row: AuditRow): string {
  const data = {
    id: String(row.id),
    user: row.username,
    actor: row.actor,
    address: row.address,
    operation: row.operation,
    type: row.resourceType,
    resource: row.resource,
    result: row.succeeded ? 'success' : 'failure',
    count: String(row.count),
    detail: row.detail,
    hash: row.hash,
  }
  const text = `${row.username} ${row.operation} ${row.resourceType} ${row.resource}`
  return syslogLine(SOURCE, { time: row.time, id: `${row.operation}_${row.resourceType}`, data, text })
}

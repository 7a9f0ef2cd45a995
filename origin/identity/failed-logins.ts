import { type Clock, every } from '../../registry/clock.ts'
import type { Log } from '../../registry/log.ts'
import type { Database } from '../../schema/database.ts'
import { type FailedLogins, recordFailedLogins } from '../../schema/sessions.ts'

/** How often they are written down, in milliseconds. */
const WRITE_EVERY_MS = 1_000
/** Accounts and addresses within that time. The throttle lets no single address come near it. */
const KEPT = 10_000

export interface FailedLoginsOptions {
  readonly db: Database
  /** Whether this site may write now. */
  readonly may: () => boolean
  readonly clock: Clock
  readonly log: Log
}

/** Wrong secrets of accounts that there are, in the audit log within a second: a guess costs no write of its own. */
export class FailedLoginLedger {
  readonly #options: FailedLoginsOptions
  readonly #ending = new AbortController()
  readonly #running: Promise<void>
  #noted = new Map<string, FailedLogins>()

  constructor(options: FailedLoginsOptions) {
    this.#options = options
    this.#running = every(options.clock, WRITE_EVERY_MS, this.#ending.signal, () => this.#write())
  }

  note(actor: string, address: string): void {
    this.#add({ actor, address, time: this.#options.clock.now(), count: 1 })
  }

  /** Resolves when everything is written that was noted before. */
  async close(): Promise<void> {
    this.#ending.abort()
    await this.#running
    await this.#write()
  }

  #add(failed: FailedLogins): void {
    const key = `${failed.actor} ${failed.address}`
    const before = this.#noted.get(key)
    if (before !== undefined) this.#noted.set(key, { ...before, count: before.count + failed.count })
    else if (this.#noted.size < KEPT) this.#noted.set(key, failed)
  }

  async #write(): Promise<void> {
    const { db, may, log } = this.#options
    if (this.#noted.size === 0) return
    const noted = this.#noted
    this.#noted = new Map()
    if (!may()) return
    try {
      await recordFailedLogins(db, [...noted.values()])
    } catch (error) {
      log.warn({ error }, 'Failed logins could not be written down; they are tried again.')
      for (const failed of noted.values()) this.#add(failed)
    }
  }
}

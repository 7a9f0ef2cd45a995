import { PullTally } from '../mesh/pulls.ts'
import type { SubjectId } from '../policy/facts.ts'
import { type Clock, every } from '../registry/clock.ts'
import type { Log } from '../registry/log.ts'
import type { Pull } from '../registry/observe.ts'
import type { Database } from '../schema/database.ts'
import { recordPulls } from '../schema/pulls.ts'

/** How often pulls are written down, in milliseconds. */
const WRITE_EVERY_MS = 1_000
/** Different pulls within that time. A second of the busiest origin stays far below; beyond that only their number is logged. */
const PULLS = 20_000

export interface PullLedgerOptions {
  readonly db: Database
  /** Whether this site may write now. At a standby, nobody's pulls are written down. Default: always. */
  readonly may?: () => boolean
  readonly clock: Clock
  readonly log: Log
}

/** Who pulled what from this origin, written down within a second: a pull costs no write of its own. */
export class PullLedger {
  readonly #options: PullLedgerOptions
  readonly #tally = new PullTally(PULLS)
  readonly #ending = new AbortController()
  readonly #running: Promise<void>

  constructor(options: PullLedgerOptions) {
    this.#options = options
    this.#running = every(options.clock, WRITE_EVERY_MS, this.#ending.signal, () => this.#write())
  }

  note(subject: SubjectId, pull: Pull, client: string | undefined): void {
    this.#tally.note({ subject, ...pull, ...(client !== undefined && { client }) }, this.#options.clock.now())
  }

  /** Resolves when everything is written that was noted before. */
  async close(): Promise<void> {
    this.#ending.abort()
    await this.#running
    await this.#write()
  }

  async #write(): Promise<void> {
    const { db, log, may } = this.#options
    const { pulls, lost } = this.#tally.take()
    if (may?.() === false) return
    if (lost > 0) log.warn({ pulls: lost }, 'More pulls came in a second than can be written down; these are not counted.')
    try {
      await recordPulls(db, pulls)
    } catch (error) {
      log.warn({ error }, 'Pulls could not be written down; they are tried again.')
      for (const some of pulls) this.#tally.add(some)
    }
  }
}

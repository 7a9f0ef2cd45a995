import { type Clock, pause, steady } from '../../registry/clock.ts'
import type { Log } from '../../registry/log.ts'
import { noteAuditNames } from '../../schema/audit/names.ts'
import type { Database } from '../../schema/database.ts'
import { giveWay } from '../../schema/give-way.ts'
import { NAMES_EVERY_MS } from './limits.ts'

export interface KeepNamesOptions {
  readonly db: Database
  /** Whether this site may write now; what a standby has is another's. */
  readonly may: () => boolean
  readonly clock: Clock
  readonly log: Log
}

/**
 * Writes down the names in the audit log every few seconds, for as long as the origin runs, so that a part of one is found without reading the log.
 * With the entries themselves it would cost each of them as much as the entry; many at once cost a fiftieth of that.
 */
export function keepNames({ db, may, clock, log }: KeepNamesOptions): { stop(): Promise<void> } {
  const ended = new AbortController()
  const { signal } = ended
  const work = async () => {
    for (;;) {
      await pause(clock, NAMES_EVERY_MS, signal)
      try {
        let began = steady(clock)
        while (may() && (await noteAuditNames(db))) began = await giveWay(clock, began, signal)
      } catch (error) {
        signal.throwIfAborted()
        log.error({ err: error }, 'The names in the audit log were not written down; a search reads more entries until they are.')
      }
    }
  }
  const done = work().catch((error: unknown) => {
    if (!signal.aborted) log.error({ err: error }, 'Names in the audit log are not written down any more.')
  })
  return {
    stop: async () => {
      ended.abort(new Error('This process is shutting down.'))
      await done
    },
  }
}

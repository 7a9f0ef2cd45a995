import { type Clock, pause, steady } from '../../registry/clock.ts'
import type { Log } from '../../registry/log.ts'
import { headOf } from '../../schema/audit/chain.ts'
import { type AuditRow, readAudit } from '../../schema/audit/read.ts'
import { readCursor, saveCursor } from '../../schema/changes.ts'
import type { Database } from '../../schema/database.ts'
import { CHANGES_BATCH, RUNS_POLL_MS } from '../limits.ts'

export interface FollowAuditOptions {
  readonly db: Database
  readonly clock: Clock
  readonly log: Log
  /** Under which name it is kept how far this follower has come. */
  readonly consumer: string
  /** May be called again with the same rows: what it begins must begin once. */
  readonly react: (rows: readonly AuditRow[]) => Promise<void>
  readonly signal: AbortSignal
}

/** Hands on the entries of the audit log as they come, until the signal. What happened before anybody followed is nobody's news. */
export async function followAudit({ db, clock, log, consumer, react, signal }: FollowAuditOptions): Promise<void> {
  let cursor: number | undefined
  while (!signal.aborted) {
    const began = steady(clock)
    let wait = RUNS_POLL_MS
    try {
      cursor ??= (await readCursor(db, consumer)) ?? (await begin(db, consumer))
      const rows = await readAudit(db, cursor, CHANGES_BATCH)
      if (rows.length > 0) await react(rows)
      cursor = rows.at(-1)?.id ?? cursor
      if (rows.length > 0) await saveCursor(db, consumer, cursor)
      // Whoever was away for long has a million to read. Half of the time is everybody else's: statements on a file hold up the whole process.
      if (rows.length === CHANGES_BATCH) wait = Math.max(1, steady(clock) - began)
    } catch (error) {
      log.error({ err: error, consumer }, 'The audit log cannot be followed.')
    }
    await pause(clock, wait, signal).catch(() => undefined)
  }
}

async function begin(db: Database, consumer: string): Promise<number> {
  const { id } = await headOf(db.read)
  await saveCursor(db, consumer, id)
  return id
}

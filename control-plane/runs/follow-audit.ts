import { type Clock, pause, steady } from '../../registry/clock.ts'
import type { Log } from '../../registry/log.ts'
import { lastAuditId } from '../../schema/audit/chain.ts'
import { type AuditRow, readAudit } from '../../schema/audit/read.ts'
import { readCursor, saveCursor } from '../../schema/changes.ts'
import type { Database } from '../../schema/database.ts'
import { CHANGES_BATCH, PASSED_SAVE_MS, RUNS_POLL_MS } from '../limits.ts'

export interface FollowAuditOptions {
  readonly db: Database
  readonly clock: Clock
  readonly log: Log
  /** Under which name it is kept how far this follower has come. */
  readonly consumer: string
  /** Whether anybody wants to hear of anything at this moment. What comes meanwhile is nobody's news. */
  readonly wanted: () => Promise<boolean>
  /** May be called again with the same rows: what it begins must begin once. */
  readonly react: (rows: readonly AuditRow[]) => Promise<void>
  readonly signal: AbortSignal
}

/** Hands on the entries of the audit log as they come, until the signal. What happened before anybody followed is nobody's news. */
export async function followAudit({ db, clock, log, consumer, wanted, react, signal }: FollowAuditOptions): Promise<void> {
  let cursor: number | undefined
  let saved = Number.NEGATIVE_INFINITY
  let savedAt = Number.NEGATIVE_INFINITY
  const save = async (id: number) => {
    if (id > saved) await saveCursor(db, consumer, id)
    saved = id
    savedAt = steady(clock)
  }
  while (!signal.aborted) {
    const began = steady(clock)
    let wait = RUNS_POLL_MS
    try {
      cursor ??= (await readCursor(db, consumer)) ?? (await begin(db, consumer))
      // Asked for first: whoever begins to want something means what comes after it.
      const last = await lastAuditId(db)
      if (last > cursor && (await wanted())) {
        // What was passed over is nobody's news after a crash either.
        await save(cursor)
        const rows = await readAudit(db, cursor, CHANGES_BATCH)
        if (rows.length > 0) await react(rows)
        cursor = rows.at(-1)?.id ?? cursor
        await save(cursor)
        // Whoever was away for long has a million to read. Half of the time is everybody else's: statements on a file hold up the whole process.
        if (rows.length === CHANGES_BATCH) wait = Math.max(1, steady(clock) - began)
      } else {
        cursor = Math.max(cursor, last)
        if (steady(clock) - savedAt >= PASSED_SAVE_MS) await save(cursor)
      }
    } catch (error) {
      log.error({ err: error, consumer }, 'The audit log cannot be followed.')
    }
    await pause(clock, wait, signal).catch(() => undefined)
  }
}

async function begin(db: Database, consumer: string): Promise<number> {
  const id = await lastAuditId(db)
  await saveCursor(db, consumer, id)
  return id
}

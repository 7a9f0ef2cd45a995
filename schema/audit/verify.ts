import type { Database } from '../database.ts'
import { baseOf, hashOf, headOf, type Link } from './chain.ts'
import { purgedUntil } from './purge.ts'
import { readAudit } from './read.ts'

const PAGE = 2_000

/** What is wrong with the log, and where. */
export type AuditFault =
  /** Its content, or its hash, is not what was written. */
  | { readonly fault: 'changed'; readonly id: number }
  /** Rows are gone, both ends included. */
  | { readonly fault: 'missing'; readonly from: number; readonly to: number }
  /** So many rows pass for purged, or are gone from the beginning, that no purge has told of. */
  | { readonly fault: 'untold'; readonly rows: number }

export interface AuditVerification {
  /** How many rows hold what was written. */
  readonly rows: number
  /** How many have lost their content to a purge, and still hold the chain together. */
  readonly purged: number
  readonly faults: readonly AuditFault[]
  /** Keep it elsewhere: a log that ends before it, or has another hash there, is not the one that was verified. */
  readonly head: Link
}

/**
 * Reads the whole log and makes every hash again; yields how far it has come after each page. What is written meanwhile may or may not be read.
 * `kept`: the head of an earlier verification. At most `limit` faults are told.
 */
export async function* verifyAudit(
  db: Database,
  { kept, limit = 100 }: { readonly kept?: Link | undefined; readonly limit?: number } = {},
): AsyncGenerator<AuditVerification> {
  const faults: AuditFault[] = []
  const found = (fault: AuditFault) => {
    if (faults.length < limit) faults.push(fault)
  }
  // Before the rows are read, so that what is written meanwhile is none that is missing.
  const given = (await headOf(db.read)).id
  let head = await baseOf(db.read)
  // Rows before the beginning were purged, all of them.
  let gone = head.id
  let told = 0
  let rows = 0
  let purged = 0
  for (;;) {
    const page = await readAudit(db, head.id, PAGE, { purged: true })
    for (const row of page) {
      if (row.id !== head.id + 1) found({ fault: 'missing', from: head.id + 1, to: row.id - 1 })
      // After a hole nobody knows what the hash covers; the rows behind it hold on to each other still.
      else if (!row.purged && hashOf(head.hash, row) !== row.hash) found({ fault: 'changed', id: row.id })
      if (kept?.id === row.id && kept.hash !== row.hash) found({ fault: 'changed', id: row.id })
      if (row.purged) {
        purged++
        gone++
      } else {
        rows++
        told = purgedUntil(row) ?? told
      }
      head = { id: row.id, hash: row.hash }
    }
    if (page.length < PAGE) break
    yield { rows, purged, faults, head }
  }
  const last = Math.max(given, kept?.id ?? 0)
  if (last > head.id) found({ fault: 'missing', from: head.id + 1, to: last })
  // What is purged while this reads may have been counted as a row before.
  if (gone > told) found({ fault: 'untold', rows: gone - told })
  yield { rows, purged, faults, head }
}

import type { BlobStore } from '../../registry/blob-store.ts'
import { type Clock, steady } from '../../registry/clock.ts'
import type { LocalRegistry } from '../../registry/local.ts'
import type { Log } from '../../registry/log.ts'
import type { Database } from '../../schema/database.ts'
import { forgetEnrolmentTokensBefore } from '../../schema/edges.ts'
import { giveWay } from '../../schema/give-way.ts'
import { dropEndedJobs } from '../../schema/jobs.ts'
import { forgetDeletedTagsBefore } from '../../schema/metadata/tombstones.ts'
import { listUploadsBefore, withoutUpload } from '../../schema/metadata/uploads.ts'
import { forgetPullsBefore } from '../../schema/pulls.ts'
import { forgetExecutionsBefore } from '../../schema/replication-executions.ts'
import { forgetRetentionsBefore } from '../../schema/retention.ts'
import { forgetRunsBefore } from '../../schema/runs.ts'
import { forgetSessionsBefore } from '../../schema/sessions.ts'
import { forgetTransfersBefore } from '../../schema/transfers.ts'
import { ROWS, STRAY_DRAFT_MS, STRAYS_LIMIT, TOMBSTONES_KEPT_MS, TRANSFERS_KEPT_MS } from './limits.ts'

export interface SweepOptions {
  readonly db: Database
  readonly local: LocalRegistry
  /** Where the bytes of `local` are. */
  readonly blobs: BlobStore
  readonly clock: Clock
  readonly log: Log
  /** An upload that nobody has gone on with for so long is cancelled, in milliseconds. */
  readonly uploadsExpireMs: number
  /** What has ended or happened so long ago is forgotten, in milliseconds. */
  readonly historyMs: number
}

/** What a sweep took away. */
export interface Swept {
  readonly uploads: number
  readonly drafts: number
  /** Rows of jobs, runs, pulls, transfers and enrolment tokens. */
  readonly rows: number
}

/** Takes away what was begun and never ended, and what happened too long ago. Any number of processes may sweep at once: each step finds done what another did. */
export class Sweeper {
  readonly #options: SweepOptions
  /** Drafts without an upload, and since when they were seen so. */
  #strays = new Map<string, number>()

  constructor(options: SweepOptions) {
    this.#options = options
  }

  /** @throws the signal's reason, and what the store and the database throw */
  async sweep(signal: AbortSignal): Promise<Swept> {
    const uploads = await this.#abandonedUploads(signal)
    const drafts = await this.#strayDrafts(signal)
    const rows = await this.#history(signal)
    return { uploads, drafts, rows }
  }

  async #abandonedUploads(signal: AbortSignal): Promise<number> {
    const { db, local, clock, log, uploadsExpireMs } = this.#options
    const system = local.as('system')
    const before = clock.now() - uploadsExpireMs
    const busy = new Set<string>()
    let cancelled = 0
    for (;;) {
      // Those that could not be cancelled come again, so the page grows by them.
      const page = await listUploadsBefore(db, before, ROWS + busy.size)
      const next = page.filter(({ id }) => !busy.has(id))
      if (next.length === 0) return cancelled
      for (const { id, repository } of next) {
        signal.throwIfAborted()
        try {
          if (await system.repository(repository).uploads.cancel(id)) cancelled++
          else busy.add(id)
        } catch (error) {
          // Somebody writes to it at this moment, or the store is away: the next sweep looks again.
          log.warn({ err: error, upload: id }, 'an abandoned upload could not be cancelled')
          busy.add(id)
          if (busy.size >= ROWS) return cancelled
        }
      }
    }
  }

  /** A push makes its draft before its record, and takes the record away before the draft: what a crash leaves between is found here. */
  async #strayDrafts(signal: AbortSignal): Promise<number> {
    const { db, blobs, clock } = this.#options
    const now = clock.now()
    const strays = new Map<string, number>()
    let discarded = 0
    for (let last: string | undefined; ; ) {
      signal.throwIfAborted()
      const { items, more } = await blobs.drafts({ limit: ROWS, ...(last !== undefined && { last }) })
      for (const id of await withoutUpload(db, items)) {
        const since = this.#strays.get(id) ?? now
        if (now - since >= STRAY_DRAFT_MS) discarded += Number(await blobs.draft(id).discard())
        else if (strays.size < STRAYS_LIMIT) strays.set(id, since)
      }
      last = items.at(-1)
      if (!more || last === undefined) break
    }
    this.#strays = strays
    return discarded
  }

  async #history(signal: AbortSignal): Promise<number> {
    const { db, clock, historyMs } = this.#options
    const now = clock.now()
    const forgetters: readonly [(db: Database, before: number, limit: number) => Promise<number>, number][] = [
      [dropEndedJobs, historyMs],
      [forgetExecutionsBefore, historyMs],
      [forgetRetentionsBefore, historyMs],
      [forgetRunsBefore, historyMs],
      [forgetPullsBefore, historyMs],
      [forgetEnrolmentTokensBefore, historyMs],
      [forgetTransfersBefore, TRANSFERS_KEPT_MS],
      [forgetDeletedTagsBefore, TOMBSTONES_KEPT_MS],
      [forgetSessionsBefore, 0],
    ]
    let rows = 0
    for (const [forget, age] of forgetters) {
      for (;;) {
        const began = steady(clock)
        const gone = await forget(db, now - age, ROWS)
        rows += gone
        if (gone < ROWS) break
        await giveWay(clock, began, signal)
      }
    }
    return rows
  }
}

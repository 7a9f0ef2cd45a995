import type { BlobStore } from '../../registry/blob-store.ts'
import { type Clock, steady } from '../../registry/clock.ts'
import { type CollectReport, type CollectState, collectGarbage, type Phase } from '../../registry/garbage/collect.ts'
import type { GarbageIndex } from '../../registry/garbage/garbage-index.ts'
import type { Log } from '../../registry/log.ts'
import type { Database } from '../../schema/database.ts'
import { type GarbageProgress, garbagePayload, garbageProgress } from '../../schema/garbage-jobs.ts'
import { giveWay } from '../../schema/give-way.ts'
import { renewLease } from '../../schema/jobs.ts'
import { readSetting, writeSetting } from '../../schema/settings.ts'
import { LEASE_MS, PROGRESS_MS, STRAYS_EVERY_MS } from '../limits.ts'
import type { JobHandler } from '../scheduler.ts'

export interface CollectGarbageOptions {
  readonly db: Database
  readonly blobs: BlobStore
  readonly index: GarbageIndex
  readonly clock: Clock
  readonly log: Log
}

/** When the whole store was last read for bytes that nobody knows, in milliseconds since the epoch. */
const STRAYS_AT = 'garbage.strays_at'
/** Lines kept of what a collection says. */
const LINES = 200

/** Collects garbage. What a process that died had come to is in the job, and the next one goes on from there. */
export function collectGarbageJobs(options: CollectGarbageOptions): JobHandler {
  const { db, blobs, index, clock, log } = options
  return {
    async run(job, signal) {
      const { untagged, dryRun } = garbagePayload(job)
      const before = garbageProgress(job)
      const lines = [...before.lines]
      let written = clock.now()
      let began = steady(clock)
      let state: CollectState | undefined = before.state
      const strays = clock.now() - Number((await readSetting(db, STRAYS_AT)) ?? 0) >= STRAYS_EVERY_MS
      const say = (level: 'INFO' | 'ERROR', text: string) => {
        if (lines.length < LINES) lines.push(`${new Date(clock.now()).toISOString()} [${level}] ${text}`)
      }
      const write = async () => {
        written = clock.now()
        const progress: GarbageProgress = { lines, ...(state && { state }) }
        await renewLease(db, { id: job.id, fence: job.fence }, LEASE_MS, progress)
      }
      say(
        'INFO',
        `${state ? 'Going on' : 'Beginning'}: manifests without a tag ${untagged ? 'go too' : 'stay'}${dryRun ? ', nothing is deleted' : ''}.`,
      )
      try {
        const report = await collectGarbage({
          index,
          blobs,
          clock,
          untagged,
          dryRun,
          strays,
          from: state,
          onProgress: async (now) => {
            const ended = now.phase !== (state?.phase ?? 'manifests')
            if (ended) say('INFO', `${TITLES[state?.phase ?? 'manifests']}: ${summary(now.report)}.`)
            state = now
            if (ended || clock.now() - written >= PROGRESS_MS) await write()
            began = await giveWay(clock, began, signal)
          },
          onFailure: (digest, error) => {
            say(
              'ERROR',
              `${digest} could not be deleted, and goes with a later collection: ${error instanceof Error ? error.message : 'no reason given'}`,
            )
            log.warn({ err: error, digest, job: job.id }, 'a blob could not be deleted')
          },
          signal,
        })
        say('INFO', `${dryRun ? 'Would have freed' : 'Freed'} ${report.bytes} bytes in ${report.blobs} blobs.`)
        if (strays && !dryRun) await writeSetting(db, STRAYS_AT, clock.now(), 'system')
      } finally {
        await write()
      }
    },
  }
}

const TITLES: Readonly<Record<Phase, string>> = {
  manifests: 'Manifests without a tag',
  links: 'What repositories hold',
  strays: 'Bytes that nobody knows',
  blobs: 'Blobs that no repository has',
  done: 'Done',
}

function summary({ manifests, links, strays, blobs, bytes, failed }: CollectReport): string {
  return `so far ${manifests} manifests, ${links} blobs let go of by repositories, ${strays} strays found, ${blobs} blobs of ${bytes} bytes, ${failed} failures`
}

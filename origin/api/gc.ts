import { z } from '@hono/zod-openapi'
import { COLLECT_GARBAGE, type GarbagePayload, garbageJob, garbageProgress } from '../../schema/garbage-jobs.ts'
import { type ApiParts, invalid, wholeNumber } from './environment.ts'
import { WORKERS_LIMIT } from './limits.ts'
import { parameterFlag, scheduledJobs } from './scheduled-jobs.ts'

/** One process collects, in batches: `workers` is kept for clients that look for it again. Other parameters of Harbor's (`redis_url_reg`) mean nothing here. */
const Parameters = z.object({
  delete_untagged: parameterFlag('delete_untagged'),
  dry_run: parameterFlag('dry_run'),
  /** Hours. Harbor has its own put in the place of whatever it is sent; here `garbage.grace` says it. */
  time_window: wholeNumber('parameters.time_window is a number of hours').optional(),
  workers: wholeNumber('parameters.workers is a whole number').pipe(z.number().min(1).max(WORKERS_LIMIT)).optional(),
})

export const garbageCollection = (parts: ApiParts) =>
  scheduledJobs<GarbagePayload>(parts, {
    tag: 'gc',
    path: '/system/gc',
    idName: 'gc_id',
    operations: {
      history: 'getGCHistory',
      one: 'getGC',
      stop: 'stopGC',
      log: 'getGCLog',
      getSchedule: 'getGCSchedule',
      createSchedule: 'createGCSchedule',
      updateSchedule: 'updateGCSchedule',
    },
    component: 'GCHistory',
    jobName: 'GARBAGE_COLLECTION',
    title: 'garbage collection',
    resource: 'garbage-collection',
    purpose: 'gc',
    kind: COLLECT_GARBAGE,
    payload: (parameters = {}, trigger) => {
      const read = Parameters.safeParse(parameters)
      if (!read.success) throw invalid(read.error)
      const { delete_untagged: untagged, dry_run: dryRun, workers } = read.data
      return { untagged, dryRun, ...(workers !== undefined && { workers }), trigger }
    },
    job: garbageJob,
    parametersText: ({ untagged, dryRun, workers }, job) => {
      const report = job && garbageProgress(job).state?.report
      return JSON.stringify({
        delete_untagged: untagged,
        dry_run: dryRun,
        ...(workers !== undefined && { workers }),
        ...(report && { freed_space: report.bytes, purged_blobs: report.blobs, purged_manifests: report.manifests }),
      })
    },
    trigger: ({ trigger }) => trigger,
    lines: (job) => garbageProgress(job).lines,
  })

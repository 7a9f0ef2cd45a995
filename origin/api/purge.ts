import { z } from '@hono/zod-openapi'
import { AUDIT_EVENT_TYPES } from '../../schema/audit/events.ts'
import { PURGE_AUDIT, type PurgePayload, purgeJob, purgeProgress } from '../../schema/audit/purge-jobs.ts'
import { type ApiParts, invalid, wholeNumber } from './environment.ts'
import { badField } from './errors.ts'
import { parameterFlag, scheduledJobs } from './scheduled-jobs.ts'

const Parameters = z.object({
  audit_retention_hour: wholeNumber('parameters.audit_retention_hour is a number of hours').pipe(z.number().max(24 * 365 * 100)),
  /** Of the API's first years: `create,delete,pull`. */
  include_operations: z.string().max(1_000).optional(),
  include_event_types: z.string().max(4_000).optional(),
  dry_run: parameterFlag('dry_run'),
})

export const auditPurges = (parts: ApiParts) =>
  scheduledJobs<PurgePayload>(parts, {
    tag: 'purge',
    path: '/system/purgeaudit',
    idName: 'purge_id',
    operations: {
      history: 'getPurgeHistory',
      one: 'getPurgeJob',
      stop: 'stopPurge',
      log: 'getPurgeJobLog',
      getSchedule: 'getPurgeSchedule',
      createSchedule: 'createPurgeSchedule',
      updateSchedule: 'updatePurgeSchedule',
    },
    component: 'ExecHistory',
    jobName: 'PURGE_AUDIT_LOG',
    title: 'purge of the audit log',
    resource: 'purge-audit',
    purpose: 'purge-audit',
    kind: PURGE_AUDIT,
    payload: (parameters = {}, trigger) => {
      const read = Parameters.safeParse(parameters)
      if (!read.success) throw invalid(read.error)
      const { audit_retention_hour, include_operations, include_event_types, dry_run } = read.data
      if (include_operations === undefined && include_event_types === undefined)
        throw badField('parameters.include_event_types', 'names the events that are purged; GET /auditlog-exts/events lists them')
      const events = eventsIn(include_operations ?? '', include_event_types ?? '')
      return { retentionHours: audit_retention_hour, events, operations: include_operations, dryRun: dry_run, trigger }
    },
    job: purgeJob,
    parametersText: ({ retentionHours, events, operations, dryRun }, job) =>
      JSON.stringify({
        audit_retention_hour: retentionHours,
        ...(operations !== undefined && { include_operations: operations }),
        include_event_types: events.join(','),
        dry_run: dryRun,
        ...(job && { purged_entries: purgeProgress(job).purged }),
      }),
    trigger: ({ trigger }) => trigger,
    lines: (job) => purgeProgress(job).lines,
  })

/** @throws ApiError BAD_REQUEST for what is no event */
function eventsIn(operations: string, types: string): string[] {
  const words = (text: string) =>
    text
      .split(',')
      .map((word) => word.trim().toLowerCase())
      .filter((word) => word !== '')
  const named = words(types)
  const unknown = named.find((type) => !AUDIT_EVENT_TYPES.includes(type))
  if (unknown !== undefined) throw badField('parameters.include_event_types', `there is no event ${unknown}; GET /auditlog-exts/events lists them`)
  const meant = words(operations).flatMap((operation) => AUDIT_EVENT_TYPES.filter((type) => type.startsWith(`${operation}_`)))
  if (words(operations).length > 0 && meant.length === 0) throw badField('parameters.include_operations', 'is of create, update, delete and pull')
  return [...new Set([...named, ...meant])]
}

import { z } from '@hono/zod-openapi'
import { parseCron } from '../../schema/cron.ts'
import type { Database } from '../../schema/database.ts'
import type { JobState, NewJob } from '../../schema/jobs.ts'
import { deleteSchedule, findSchedule, putSchedule, type Schedule as StoredSchedule } from '../../schema/schedules.ts'
import { instant } from './environment.ts'
import { ApiError, badField } from './errors.ts'

// What all of the contract's schedules have in common.

const TYPES = ['Hourly', 'Daily', 'Weekly', 'Custom', 'Manual', 'None', 'Schedule'] as const

export const ScheduleObj = z
  .object({ type: z.enum(TYPES), cron: z.string().max(128).optional(), next_scheduled_time: z.string().optional() })
  .openapi('ScheduleObj')

/** What a client asks for: now (`Manual`), at times, or never again (`None`). */
export const Schedule = z.object({ schedule: ScheduleObj, parameters: z.record(z.string(), z.unknown()).optional() }).openapi('Schedule')

/** What Harbor means by its types where no expression is given: on the hour, at midnight, at midnight between Saturday and Sunday. */
const CRON_OF: Partial<Record<(typeof TYPES)[number], string>> = { Hourly: '0 0 * * * *', Daily: '0 0 0 * * *', Weekly: '0 0 0 * * 0' }

/** Harbor's names for the states of a job. */
export const JOB_STATUS: Readonly<Record<JobState, string>> = {
  queued: 'Pending',
  running: 'Running',
  succeeded: 'Success',
  failed: 'Error',
  stopped: 'Stopped',
}

/** The state that Harbor's name means; undefined: it has no such name. */
export function jobState(status: string): JobState | undefined {
  return (Object.keys(JOB_STATUS) as JobState[]).find((state) => JOB_STATUS[state] === status)
}

/**
 * Keeps, or ends with `None`, what is done again for a purpose. `replace` false: only where there is no schedule yet.
 * @throws ApiError BAD_REQUEST for an expression that cannot be read or has no future, CONFLICT
 */
export async function applySchedule(
  db: Database,
  purpose: string,
  { type, cron }: z.infer<typeof ScheduleObj>,
  /** Asked for where there is to be one. */
  job: () => Pick<NewJob, 'kind' | 'payload'>,
  { replace }: { readonly replace: boolean },
): Promise<void> {
  if (type === 'None') {
    await deleteSchedule(db, purpose)
    return
  }
  const expression = cron || CRON_OF[type]
  if (expression === undefined || type === 'Manual') throw badField('schedule.cron', `a schedule of type ${type} needs a cron expression`)
  refuseBadCron('schedule.cron', expression, db.clock.now())
  if (!replace && (await findSchedule(db, purpose)) !== undefined) {
    throw new ApiError('CONFLICT', 'There is a schedule already; change it with PUT, or end it with the type None.')
  }
  await putSchedule(db, { purpose, type: type === 'Schedule' ? 'Custom' : type, cron: expression, job: job() })
}

/** @throws ApiError BAD_REQUEST for an expression that cannot be read or has no future */
export function refuseBadCron(field: string, cron: string, now: number): void {
  let next: number | undefined
  try {
    next = parseCron(cron).next(now)
  } catch (error) {
    throw badField(field, error instanceof Error ? error.message : 'it cannot be read')
  }
  if (next === undefined) throw badField(field, 'this never comes')
}

export function showSchedule({ type, cron, nextAt }: StoredSchedule): z.infer<typeof ScheduleObj> {
  return { type, cron, ...(nextAt !== null && { next_scheduled_time: instant(nextAt) }) }
}

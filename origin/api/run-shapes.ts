import { z } from '@hono/zod-openapi'
import type { Run, RunStatus, RunTask } from '../../schema/runs.ts'
import { instant } from './environment.ts'
import { badField } from './errors.ts'

// Executions and their tasks, as webhooks and preheating have them.

const attributes = z.record(z.string(), z.unknown())

export const Execution = z
  .object({
    id: z.number().int(),
    vendor_type: z.string(),
    vendor_id: z.number().int(),
    status: z.string(),
    status_message: z.string(),
    metrics: z.record(z.string(), z.number().int()),
    trigger: z.string(),
    extra_attrs: attributes,
    start_time: z.string(),
    end_time: z.string().optional(),
  })
  .openapi('Execution')

export const Task = z
  .object({
    id: z.number().int(),
    execution_id: z.number().int(),
    status: z.string(),
    status_message: z.string(),
    run_count: z.number().int(),
    extra_attrs: attributes,
    creation_time: z.string(),
    update_time: z.string(),
    start_time: z.string().optional(),
    end_time: z.string().optional(),
  })
  .openapi('Task')

export function showRun(run: Run, vendor: string, extra: Readonly<Record<string, unknown>>): z.infer<typeof Execution> {
  const { Pending, Running, Success, Error: failed, Stopped } = run.counts
  return {
    id: run.id,
    vendor_type: vendor,
    vendor_id: run.policyId,
    status: run.status,
    status_message: run.statusText,
    metrics: {
      task_count: Pending + Running + Success + failed + Stopped,
      success_task_count: Success,
      error_task_count: failed,
      pending_task_count: Pending,
      running_task_count: Running,
      scheduled_task_count: 0,
      stopped_task_count: Stopped,
    },
    trigger: run.trigger,
    extra_attrs: { ...extra },
    start_time: instant(run.startedAt),
    ...(run.endedAt !== null && { end_time: instant(run.endedAt) }),
  }
}

export function showRunTask(task: RunTask, extra: Readonly<Record<string, unknown>>): z.infer<typeof Task> {
  return {
    id: task.id,
    execution_id: task.runId,
    status: task.status,
    status_message: task.statusText,
    run_count: task.attempts,
    extra_attrs: { ...extra },
    creation_time: instant(task.createdAt),
    update_time: instant(task.updatedAt),
    ...(task.startedAt !== null && { start_time: instant(task.startedAt) }),
    ...(task.endedAt !== null && { end_time: instant(task.endedAt) }),
  }
}

const STATUSES = ['Pending', 'Running', 'Success', 'Error', 'Stopped'] as const satisfies readonly RunStatus[]

/** @throws ApiError BAD_REQUEST */
export function readStatus(text: string): RunStatus {
  const status = STATUSES.find((each) => each.toLowerCase() === text.trim().toLowerCase())
  if (status === undefined) throw badField('status', `is one of ${STATUSES.join(', ')}`)
  return status
}

/** What a list is narrowed to. @throws ApiError BAD_REQUEST */
export const runStatus = (text: string | undefined): readonly RunStatus[] | undefined => (text === undefined ? undefined : [readStatus(text)])

import { createRoute, z } from '@hono/zod-openapi'
import type { CollectReport } from '../../registry/garbage/collect.ts'
import { COLLECT_GARBAGE, type GarbagePayload, garbageJob, garbagePayload, garbageProgress } from '../../schema/garbage-jobs.ts'
import { enqueueJob, findJob, type Job, listJobs, stopJob } from '../../schema/jobs.ts'
import { findSchedule } from '../../schema/schedules.ts'
import { empty, json, refusals } from './answers.ts'
import { type ApiParts, created, id, instant, invalid, plainText, routes } from './environment.ts'
import { ApiError, badField, notFound } from './errors.ts'
import { exactCondition, listingOf, listQuery } from './lists.ts'
import { describePage } from './paging.ts'
import { parseQuery } from './query.ts'
import { applySchedule, JOB_STATUS, jobState, Schedule, ScheduleObj, showSchedule } from './schedules.ts'

const tags = ['gc']
const params = z.object({ gc_id: id })
/** Collections have one order: these keys are taken so that clients which name them get an answer. */
const IN_ORDER = ['id', 'creation_time', 'update_time'] as const
const PURPOSE = 'gc'

const History = z
  .object({
    id: z.number().int(),
    job_name: z.string(),
    job_kind: z.string(),
    job_parameters: z.string(),
    job_status: z.string(),
    deleted: z.boolean(),
    schedule: ScheduleObj,
    creation_time: z.string(),
    update_time: z.string(),
  })
  .openapi('GCHistory')

export const garbageCollection = ({ services, guard }: ApiParts) => {
  const { db } = services

  const history = createRoute({
    method: 'get',
    path: '/system/gc',
    tags,
    operationId: 'getGCHistory',
    summary: 'The collections that ran, and those to come, newest first',
    middleware: guard.system('garbage-collection', 'list'),
    request: { query: z.object(listQuery) },
    responses: { 200: json(z.array(History), 'One page of them.'), ...refusals(400, 401, 403) },
  })

  const one = createRoute({
    method: 'get',
    path: '/system/gc/{gc_id}',
    tags,
    operationId: 'getGC',
    summary: 'One collection',
    middleware: guard.system('garbage-collection', 'read'),
    request: { params },
    responses: { 200: json(History, 'How it stands.'), ...refusals(401, 403, 404) },
  })

  const stop = createRoute({
    method: 'put',
    path: '/system/gc/{gc_id}',
    tags,
    operationId: 'stopGC',
    summary: 'Stops a collection; what it has deleted stays deleted',
    middleware: guard.system('garbage-collection', 'stop'),
    request: { params },
    responses: { 200: empty('It takes up nothing more.'), ...refusals(401, 403, 404) },
  })

  const log = createRoute({
    method: 'get',
    path: '/system/gc/{gc_id}/log',
    tags,
    operationId: 'getGCLog',
    summary: 'What a collection said',
    middleware: guard.system('garbage-collection', 'read'),
    request: { params },
    responses: { 200: { description: 'Its lines.', content: { 'text/plain': { schema: z.string() } } }, ...refusals(401, 403, 404) },
  })

  const getSchedule = createRoute({
    method: 'get',
    path: '/system/gc/schedule',
    tags,
    operationId: 'getGCSchedule',
    summary: 'When garbage is collected by itself',
    middleware: guard.system('garbage-collection', 'read'),
    responses: { 200: json(History.partial(), 'Empty without a schedule.'), ...refusals(401, 403) },
  })

  const createSchedule = createRoute({
    method: 'post',
    path: '/system/gc/schedule',
    tags,
    operationId: 'createGCSchedule',
    summary: 'Collects now, or sets when it is done by itself',
    middleware: guard.system('garbage-collection', 'create'),
    request: { body: { required: true, content: { 'application/json': { schema: Schedule } } } },
    responses: { 201: empty('The address of a collection that begins now is in Location.'), ...refusals(400, 401, 403, 409) },
  })

  const updateSchedule = createRoute({
    method: 'put',
    path: '/system/gc/schedule',
    tags,
    operationId: 'updateGCSchedule',
    summary: 'Collects now, or changes when it is done by itself',
    middleware: guard.system('garbage-collection', 'update'),
    request: { body: { required: true, content: { 'application/json': { schema: Schedule } } } },
    responses: { 200: empty('Changed.'), ...refusals(400, 401, 403) },
  })

  /** @throws ApiError NOT_FOUND */
  async function find(number: number): Promise<Job> {
    const job = await findJob(db, number)
    if (job?.kind !== COLLECT_GARBAGE) throw notFound(`garbage collection ${number}`)
    return job
  }

  /** The id of the collection that begins now, if one does. @throws ApiError BAD_REQUEST, CONFLICT */
  async function apply(request: z.infer<typeof Schedule>, { replace }: { readonly replace: boolean }): Promise<number | undefined> {
    const { delete_untagged: untagged, dry_run: dryRun } = readParameters(request.parameters)
    if (request.schedule.type === 'Manual') {
      for (const state of ['running', 'queued'] as const) {
        const { total } = await listJobs(db, { kind: COLLECT_GARBAGE, state }, { page: 1, pageSize: 1 })
        if (total > 0)
          throw new ApiError(replace ? 'BAD_REQUEST' : 'CONFLICT', 'Garbage is being collected already; stop that collection, or wait for its end.')
      }
      return (await enqueueJob(db, garbageJob({ untagged, dryRun, trigger: 'Manual' }))).id
    }
    await applySchedule(db, PURPOSE, request.schedule, garbageJob({ untagged, dryRun, trigger: 'Schedule' }), { replace })
    return undefined
  }

  return routes()
    .openapi(getSchedule, async (c) => {
      const schedule = await findSchedule(db, PURPOSE)
      if (schedule === undefined) return c.json({}, 200)
      return c.json(
        {
          id: 1,
          job_name: 'GARBAGE_COLLECTION',
          job_kind: 'SCHEDULE',
          job_parameters: parametersText(schedule.payload as GarbagePayload),
          job_status: 'Scheduled',
          deleted: false,
          schedule: showSchedule(schedule),
          creation_time: instant(schedule.createdAt),
          update_time: instant(schedule.updatedAt),
        },
        200,
      )
    })
    .openapi(createSchedule, async (c) => {
      const job = await apply(c.req.valid('json'), { replace: false })
      return created(c, job === undefined ? '/system/gc/schedule' : `/system/gc/${job}`)
    })
    .openapi(updateSchedule, async (c) => {
      await apply(c.req.valid('json'), { replace: true })
      return c.body(null, 200)
    })
    .openapi(history, async (c) => {
      const query = c.req.valid('query')
      const listing = listingOf(query, IN_ORDER)
      const status = exactCondition(parseQuery(query.q, ['job_status']), 'job_status')
      const state = status === undefined ? undefined : jobState(status)
      if (status !== undefined && state === undefined) throw badField('q', `job_status is one of ${Object.values(JOB_STATUS).join(', ')}`)
      const { items, total } = await listJobs(db, { kind: COLLECT_GARBAGE, state }, listing)
      describePage(c, query, total)
      return c.json(items.map(show), 200)
    })
    .openapi(one, async (c) => c.json(show(await find(c.req.valid('param').gc_id)), 200))
    .openapi(stop, async (c) => {
      const { id: number } = await find(c.req.valid('param').gc_id)
      await stopJob(db, number)
      return c.body(null, 200)
    })
    .openapi(log, async (c) => {
      const { lines } = garbageProgress(await find(c.req.valid('param').gc_id))
      return plainText(c, lines.map((line) => `${line}\n`).join(''))
    })
}

const Parameters = z.object({ delete_untagged: flag('delete_untagged'), dry_run: flag('dry_run') })

/** Yes or no, as clients write it: also as text. */
function flag(name: string) {
  return z
    .union([z.boolean(), z.enum(['true', 'false'])], { error: `parameters.${name} is true or false` })
    .default(false)
    .transform((value) => value === true || value === 'true')
}

/** Other parameters of Harbor's (`workers`, `redis_url_reg`) mean nothing here. @throws ApiError BAD_REQUEST */
function readParameters(given: Readonly<Record<string, unknown>> = {}): z.infer<typeof Parameters> {
  const read = Parameters.safeParse(given)
  if (!read.success) throw invalid(read.error)
  return read.data
}

/** What it was asked for and what has come of it, as Harbor writes both: JSON in a text. */
function parametersText({ untagged, dryRun }: GarbagePayload, report?: CollectReport): string {
  return JSON.stringify({
    delete_untagged: untagged,
    dry_run: dryRun,
    ...(report && { freed_space: report.bytes, purged_blobs: report.blobs, purged_manifests: report.manifests }),
  })
}

function show(job: Job): z.infer<typeof History> {
  const payload = garbagePayload(job)
  return {
    id: job.id,
    job_name: 'GARBAGE_COLLECTION',
    job_kind: payload.trigger === 'Manual' ? 'MANUAL' : 'SCHEDULE',
    job_parameters: parametersText(payload, garbageProgress(job).state?.report),
    job_status: JOB_STATUS[job.state],
    deleted: false,
    schedule: { type: payload.trigger },
    creation_time: instant(job.createdAt),
    update_time: instant(job.updatedAt),
  }
}

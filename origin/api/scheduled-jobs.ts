import { createRoute, z } from '@hono/zod-openapi'
import { enqueueJob, findJob, type Job, listJobs, type NewJob, stopJob } from '../../schema/jobs.ts'
import { findSchedule } from '../../schema/schedules.ts'
import { empty, json, refusals } from './answers.ts'
import { type ApiParts, created, id, instant, plainText, routes } from './environment.ts'
import { ApiError, badField, notFound } from './errors.ts'
import { describePage } from './paging.ts'
import { applySchedule, JOB_STATUS, jobState, Schedule, ScheduleObj, showSchedule } from './schedules.ts'
import { SEARCHES } from './searches.ts'

/** Jobs have one order: these keys are taken so that clients which name them get an answer. */

/** What the contract calls a job that can be asked for and comes by itself: garbage collection, the purge of the audit log. */
export interface ScheduledJobs<P> {
  readonly tag: string
  /** Below the API's own path: `/system/gc`. */
  readonly path: `/system/${string}`
  /** What the id is called in a path: `gc_id`. */
  readonly idName: string
  /** The contract's names of the operations. */
  readonly operations: Readonly<Record<'history' | 'one' | 'stop' | 'log' | 'getSchedule' | 'createSchedule' | 'updateSchedule', string>>
  /** What an answer's shape is called there. */
  readonly component: string
  /** Harbor's name of the job, and ours for people. */
  readonly jobName: string
  readonly title: string
  /** What a right to it is called. */
  readonly resource: string
  /** Of its schedule, and of its jobs in the queue. */
  readonly purpose: string
  readonly kind: string
  /** @throws ApiError BAD_REQUEST */
  payload(parameters: Readonly<Record<string, unknown>> | undefined, trigger: 'Manual' | 'Schedule'): P
  job(payload: P): Pick<NewJob, 'kind' | 'payload'>
  /** What it was asked for and what has come of it, as Harbor writes both: JSON in a text. */
  parametersText(payload: P, job?: Job): string
  trigger(payload: P): 'Manual' | 'Schedule'
  /** What it has said. */
  lines(job: Job): readonly string[]
}

/** The seven operations that the contract has for each of them. */
export function scheduledJobs<P>({ services: { db }, guard }: ApiParts, kind: ScheduledJobs<P>) {
  const { path, resource, operations, title } = kind
  const tags = [kind.tag]
  const params = z.object({ [kind.idName]: id })
  const oneOf = `${path}/{${kind.idName}}` as const

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
    .openapi(kind.component)

  const history = createRoute({
    method: 'get',
    path,
    tags,
    operationId: operations.history,
    summary: `Each ${title} that ran, and those to come, newest first`,
    middleware: guard.system(resource, 'list'),
    request: { query: z.object(SEARCHES.jobs.query) },
    responses: { 200: json(z.array(History), 'One page of them.'), ...refusals(400, 401, 403) },
  })

  const one = createRoute({
    method: 'get',
    path: oneOf,
    tags,
    operationId: operations.one,
    summary: `One ${title}`,
    middleware: guard.system(resource, 'read'),
    request: { params },
    responses: { 200: json(History, 'How it stands.'), ...refusals(401, 403, 404) },
  })

  const stop = createRoute({
    method: 'put',
    path: oneOf,
    tags,
    operationId: operations.stop,
    summary: `Stops a ${title}; what it has deleted stays deleted`,
    middleware: guard.system(resource, 'stop'),
    request: { params },
    responses: { 200: empty('It takes up nothing more.'), ...refusals(401, 403, 404) },
  })

  const log = createRoute({
    method: 'get',
    path: `${oneOf}/log`,
    tags,
    operationId: operations.log,
    summary: `What a ${title} said`,
    middleware: guard.system(resource, 'read'),
    request: { params },
    responses: { 200: { description: 'Its lines.', content: { 'text/plain': { schema: z.string() } } }, ...refusals(401, 403, 404) },
  })

  const getSchedule = createRoute({
    method: 'get',
    path: `${path}/schedule`,
    tags,
    operationId: operations.getSchedule,
    summary: `When a ${title} comes by itself`,
    middleware: guard.system(resource, 'read'),
    responses: { 200: json(History.partial(), 'Empty without a schedule.'), ...refusals(401, 403) },
  })

  const createSchedule = createRoute({
    method: 'post',
    path: `${path}/schedule`,
    tags,
    operationId: operations.createSchedule,
    summary: `Begins a ${title} now, or sets when it comes by itself`,
    middleware: guard.system(resource, 'create'),
    request: { body: { required: true, content: { 'application/json': { schema: Schedule } } } },
    responses: { 201: empty('The address of what begins now is in Location.'), ...refusals(400, 401, 403, 409) },
  })

  const updateSchedule = createRoute({
    method: 'put',
    path: `${path}/schedule`,
    tags,
    operationId: operations.updateSchedule,
    summary: `Begins a ${title} now, or changes when it comes by itself`,
    middleware: guard.system(resource, 'update'),
    request: { body: { required: true, content: { 'application/json': { schema: Schedule } } } },
    responses: { 200: empty('Changed.'), ...refusals(400, 401, 403) },
  })

  /** @throws ApiError NOT_FOUND */
  async function find(given: Readonly<Record<string, unknown>>): Promise<Job> {
    const number = Number(given[kind.idName])
    const job = await findJob(db, number)
    if (job?.kind !== kind.kind) throw notFound(`${title} ${number}`)
    return job
  }

  /** The id of the job that begins now, if one does. @throws ApiError BAD_REQUEST, CONFLICT */
  async function apply(request: z.infer<typeof Schedule>, { replace }: { readonly replace: boolean }): Promise<number | undefined> {
    if (request.schedule.type === 'Manual') {
      const job = kind.job(kind.payload(request.parameters, 'Manual'))
      for (const state of ['running', 'queued'] as const) {
        const { total } = await listJobs(db, { kind: kind.kind, state }, { page: 1, pageSize: 1 })
        if (total > 0) throw new ApiError(replace ? 'BAD_REQUEST' : 'CONFLICT', `A ${title} is under way already; stop it, or wait for its end.`)
      }
      return (await enqueueJob(db, job)).id
    }
    await applySchedule(db, kind.purpose, request.schedule, () => kind.job(kind.payload(request.parameters, 'Schedule')), { replace })
    return undefined
  }

  const show = (job: Job): z.infer<typeof History> => {
    const payload = job.payload as P
    const trigger = kind.trigger(payload)
    return {
      id: job.id,
      job_name: kind.jobName,
      job_kind: trigger === 'Manual' ? 'MANUAL' : 'SCHEDULE',
      job_parameters: kind.parametersText(payload, job),
      job_status: JOB_STATUS[job.state],
      deleted: false,
      schedule: { type: trigger },
      creation_time: instant(job.createdAt),
      update_time: instant(job.updatedAt),
    }
  }

  return routes()
    .openapi(getSchedule, async (c) => {
      const schedule = await findSchedule(db, kind.purpose)
      if (schedule === undefined) return c.json({}, 200)
      return c.json(
        {
          id: 1,
          job_name: kind.jobName,
          job_kind: 'SCHEDULE',
          job_parameters: kind.parametersText(schedule.payload as P),
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
      return created(c, job === undefined ? `${path}/schedule` : `${path}/${job}`)
    })
    .openapi(updateSchedule, async (c) => {
      await apply(c.req.valid('json'), { replace: true })
      return c.body(null, 200)
    })
    .openapi(history, async (c) => {
      const query = c.req.valid('query')
      const listing = SEARCHES.jobs.listing(query)
      const { job_status, status = job_status } = SEARCHES.jobs.conditions(query)
      const state = status === undefined ? undefined : jobState(status)
      if (status !== undefined && state === undefined) throw badField('q', `job_status is one of ${Object.values(JOB_STATUS).join(', ')}`)
      const { items, total } = await listJobs(db, { kind: kind.kind, state }, listing)
      describePage(c, query, total, SEARCHES.jobs)
      return c.json(items.map(show), 200)
    })
    .openapi(one, async (c) => c.json(show(await find(c.req.valid('param'))), 200))
    .openapi(stop, async (c) => {
      const { id: number } = await find(c.req.valid('param'))
      await stopJob(db, number)
      return c.body(null, 200)
    })
    .openapi(log, async (c) =>
      plainText(
        c,
        kind
          .lines(await find(c.req.valid('param')))
          .map((line) => `${line}\n`)
          .join(''),
      ),
    )
}

/** Yes or no, as clients write it: also as text. */
export function parameterFlag(name: string) {
  return z
    .union([z.boolean(), z.enum(['true', 'false'])], { error: `parameters.${name} is true or false` })
    .default(false)
    .transform((value) => value === true || value === 'true')
}

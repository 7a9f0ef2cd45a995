import { createRoute, z } from '@hono/zod-openapi'
import { listJobQueues, listRunningJobs, pausedQueues, pauseQueues, SCHEDULES, stopWaiting } from '../../schema/job-queues.ts'
import type { Job } from '../../schema/jobs.ts'
import { findJob, stopJob } from '../../schema/jobs.ts'
import { stopExecution } from '../../schema/replication-executions.ts'
import { PLAN_REPLICATION, REPLICATE } from '../../schema/replication-jobs.ts'
import { stopRetention } from '../../schema/retention.ts'
import { RETAIN } from '../../schema/retention-jobs.ts'
import { listWorkerPools } from '../../schema/worker-pools.ts'
import { empty, json, refusals } from './answers.ts'
import { type ApiParts, instant, plainText, routes } from './environment.ts'
import { notFound } from './errors.ts'
import { POOL_SILENT_MS } from './limits.ts'
import { jobKindOf, VENDORS } from './vendors.ts'

const tags = ['jobservice']
const ofJob = z.object({ job_id: z.string().max(64) })
/** Harbor's name of what makes scheduled jobs. */
const SCHEDULER = 'SCHEDULER'

const Pool = z
  .object({
    pid: z.number().int(),
    worker_pool_id: z.string(),
    start_at: z.string(),
    heartbeat_at: z.string(),
    concurrency: z.number().int(),
    host: z.string(),
  })
  .openapi('WorkerPool')

const Worker = z.object({ id: z.string(), pool_id: z.string(), job_name: z.string(), job_id: z.string(), start_at: z.string() }).openapi('Worker')

const Queue = z.object({ job_type: z.string(), count: z.number().int(), latency: z.number().int(), paused: z.boolean() }).openapi('JobQueue')

export const jobService = ({ services: { db, clock }, guard }: ApiParts) => {
  const pools = createRoute({
    method: 'get',
    path: '/jobservice/pools',
    tags,
    operationId: 'getWorkerPools',
    summary: 'The processes that do jobs',
    middleware: guard.system('jobservice-monitor', 'list'),
    responses: { 200: json(z.array(Pool), 'Those that are there.'), ...refusals(401, 403) },
  })

  const workers = createRoute({
    method: 'get',
    path: '/jobservice/pools/{pool_id}/workers',
    tags,
    operationId: 'getWorkers',
    summary: 'What a process, or with `all` every one, does at present',
    middleware: guard.system('jobservice-monitor', 'list'),
    request: { params: z.object({ pool_id: z.string().max(512) }) },
    responses: { 200: json(z.array(Worker), 'A worker for each job.'), ...refusals(401, 403, 404) },
  })

  const stop = createRoute({
    method: 'put',
    path: '/jobservice/jobs/{job_id}',
    tags,
    operationId: 'stopRunningJob',
    summary: 'Stops a job',
    middleware: guard.system('jobservice-monitor', 'stop'),
    request: { params: ofJob },
    responses: { 200: empty('Stopped.'), ...refusals(401, 403, 404) },
  })

  const log = createRoute({
    method: 'get',
    path: '/jobservice/jobs/{job_id}/log',
    tags,
    operationId: 'actionGetJobLog',
    summary: 'What a job has said',
    middleware: guard.system('jobservice-monitor', 'list'),
    request: { params: ofJob },
    responses: { 200: { description: 'Its lines.', content: { 'text/plain': { schema: z.string() } } }, ...refusals(401, 403, 404) },
  })

  const queues = createRoute({
    method: 'get',
    path: '/jobservice/queues',
    tags,
    operationId: 'listJobQueues',
    summary: 'How many jobs of each kind wait, and for how long',
    middleware: guard.system('jobservice-monitor', 'list'),
    responses: { 200: json(z.array(Queue), 'An entry for each kind.'), ...refusals(401, 403) },
  })

  const act = createRoute({
    method: 'put',
    path: '/jobservice/queues/{job_type}',
    tags,
    operationId: 'actionPendingJobs',
    summary: 'Stops all jobs of a kind that wait, or pauses and resumes the kind; `all` for every kind',
    middleware: guard.system('jobservice-monitor', 'stop'),
    request: {
      params: z.object({ job_type: z.string().max(64) }),
      body: {
        required: true,
        content: { 'application/json': { schema: z.object({ action: z.enum(['stop', 'pause', 'resume']) }).openapi('ActionRequest') } },
      },
    },
    responses: { 200: empty('Done.'), ...refusals(400, 401, 403, 404) },
  })

  /** @throws ApiError NOT_FOUND */
  const found = async (text: string): Promise<Job> => {
    const job = /^[1-9]\d{0,14}$/.test(text) ? await findJob(db, Number(text)) : undefined
    if (job === undefined) throw notFound(`job ${text.slice(0, 64)}`)
    return job
  }

  return routes()
    .openapi(pools, async (c) => {
      const there = await listWorkerPools(db, clock.now() - POOL_SILENT_MS)
      return c.json(
        there.map(({ id, pid, host, concurrency, startedAt, seenAt }) => ({
          pid,
          worker_pool_id: id,
          start_at: instant(startedAt),
          heartbeat_at: instant(seenAt),
          concurrency,
          host,
        })),
        200,
      )
    })
    .openapi(workers, async (c) => {
      const { pool_id } = c.req.valid('param')
      const all = pool_id.toLowerCase() === 'all'
      if (!all && !(await listWorkerPools(db, clock.now() - POOL_SILENT_MS)).some(({ id }) => id === pool_id)) throw notFound(`pool ${pool_id}`)
      const running = await listRunningJobs(db, all ? undefined : pool_id)
      return c.json(
        running.map((job) => ({
          id: `${job.leaseOwner}/${job.id}`,
          pool_id: job.leaseOwner ?? '',
          job_name: VENDORS[job.kind] ?? job.kind,
          job_id: String(job.id),
          start_at: instant(job.updatedAt),
        })),
        200,
      )
    })
    .openapi(stop, async (c) => {
      const job = await found(c.req.valid('param').job_id)
      const { executionId } = job.payload as { readonly executionId?: number }
      // What belongs to an execution is stopped with it: nothing of it would ever end it otherwise.
      if (executionId !== undefined && (job.kind === REPLICATE || job.kind === PLAN_REPLICATION)) await stopExecution(db, executionId)
      else if (executionId !== undefined && job.kind === RETAIN) await stopRetention(db, executionId)
      else await stopJob(db, job.id)
      return c.body(null, 200)
    })
    .openapi(log, async (c) => {
      const { progress, error, state } = await found(c.req.valid('param').job_id)
      const { lines = [] } = (progress ?? {}) as { readonly lines?: readonly string[] }
      return plainText(c, [...lines, ...(error === null ? [] : [`${state}: ${error}`])].map((line) => `${line}\n`).join(''))
    })
    .openapi(queues, async (c) => {
      const paused = await pausedQueues(db)
      const waiting = new Map((await listJobQueues(db)).map((queue) => [queue.kind, queue]))
      const now = clock.now()
      const kinds = [...new Set([...Object.keys(VENDORS), ...waiting.keys()])]
      const shown = kinds.map((kind) => {
        const since = waiting.get(kind)?.since
        return {
          job_type: VENDORS[kind] ?? kind,
          count: waiting.get(kind)?.waiting ?? 0,
          latency: since === undefined ? 0 : Math.max(0, Math.round((now - since) / 1000)),
          paused: paused.has(kind),
        }
      })
      return c.json([...shown, { job_type: SCHEDULER, count: 0, latency: 0, paused: paused.has(SCHEDULES) }], 200)
    })
    .openapi(act, async (c) => {
      const { job_type } = c.req.valid('param')
      const { action } = c.req.valid('json')
      const all = job_type.toLowerCase() === 'all'
      const scheduler = job_type.toUpperCase() === SCHEDULER
      const kind = jobKindOf(job_type)
      if (!all && !scheduler && kind === undefined) throw notFound(`job queue ${job_type}`)
      const kinds = all ? Object.keys(VENDORS) : kind === undefined ? [] : [kind]
      if (action === 'stop') await stopWaiting(db, kinds)
      else await pauseQueues(db, [...kinds, ...(all || scheduler ? [SCHEDULES] : [])], action === 'pause', c.var.principal.id)
      return c.body(null, 200)
    })
}

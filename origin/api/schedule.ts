import { createRoute, z } from '@hono/zod-openapi'
import { listSchedules, schedulesPaused } from '../../schema/schedules.ts'
import { json, refusals } from './answers.ts'
import { type ApiParts, instant, routes } from './environment.ts'
import { badField } from './errors.ts'
import { describePage, pageQuery } from './paging.ts'
import { vendorOfSchedule } from './vendors.ts'

const tags = ['schedule']

const ScheduleTask = z
  .object({ id: z.number().int(), vendor_type: z.string(), vendor_id: z.number().int(), cron: z.string(), update_time: z.string() })
  .openapi('ScheduleTask')

export const schedules = ({ services: { db }, guard }: ApiParts) => {
  const list = createRoute({
    method: 'get',
    path: '/schedules',
    tags,
    operationId: 'listSchedules',
    summary: 'Everything that comes by itself',
    middleware: guard.system('jobservice-monitor', 'list'),
    request: { query: z.object(pageQuery) },
    responses: { 200: json(z.array(ScheduleTask), 'One page of it.'), ...refusals(400, 401, 403) },
  })

  const paused = createRoute({
    method: 'get',
    path: '/schedules/{job_type}/paused',
    tags,
    operationId: 'getSchedulePaused',
    summary: 'Whether nothing comes by itself at present',
    middleware: guard.account,
    request: { params: z.object({ job_type: z.string().max(64) }) },
    responses: { 200: json(z.object({ paused: z.boolean() }).openapi('SchedulerStatus'), 'Whether it is so.'), ...refusals(400, 401) },
  })

  return routes()
    .openapi(list, async (c) => {
      const query = c.req.valid('query')
      const { items, total } = await listSchedules(db, { page: query.page, pageSize: query.page_size })
      describePage(c, query, total)
      return c.json(
        items.map(({ id, purpose, cron, jobKind, updatedAt }) => ({
          id,
          vendor_type: vendorOfSchedule(jobKind),
          vendor_id: Number(/:(\d+)$/.exec(purpose)?.[1] ?? -1),
          cron,
          update_time: instant(updatedAt),
        })),
        200,
      )
    })
    .openapi(paused, async (c) => {
      if (c.req.valid('param').job_type.toLowerCase() !== 'all') throw badField('job_type', 'is all: schedules are paused together')
      return c.json({ paused: await schedulesPaused(db) }, 200)
    })
}

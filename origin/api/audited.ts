import type { MiddlewareHandler } from 'hono'
import { type AuditEvent, JOB_STARTED, JOB_STOPPED, REFUSED, SCHEDULE_CHANGED } from '../../schema/audit/events.ts'
import { tellOfRequest } from '../audit/answered-request.ts'
import type { OriginServices } from '../services.ts'
import { BASE_PATH } from './environment.ts'
import type { ProjectEnv } from './variables.ts'

/** What somebody who has logged in was refused. A wish that makes no sense, or names nothing, is not worth an entry. */
const REFUSALS: readonly number[] = [403, 409, 412]
const SAFE: readonly string[] = ['GET', 'HEAD', 'OPTIONS']

/** Operations that change no row which the feed tells of: jobs and what comes by itself. */
const UNTOLD: readonly (readonly [string, RegExp, AuditEvent])[] = [
  ['POST', /^\/system\/(gc|purgeaudit)\/schedule$/, SCHEDULE_CHANGED],
  ['PUT', /^\/system\/(gc|purgeaudit)\/schedule$/, SCHEDULE_CHANGED],
  ['PUT', /^\/system\/(gc|purgeaudit)\/\d+$/, JOB_STOPPED],
  ['PUT', /^\/jobservice\/(jobs|queues)\//, JOB_STOPPED],
  ['POST', /^\/replication\/executions$/, JOB_STARTED],
  ['PUT', /^\/replication\/executions\/\d+$/, JOB_STOPPED],
  ['POST', /^\/retentions\/\d+\/executions$/, JOB_STARTED],
  ['PATCH', /^\/retentions\/\d+\/executions\/\d+$/, JOB_STOPPED],
  ['POST', /^\/projects\/[^/]+\/preheat\/policies\/[^/]+$/, JOB_STARTED],
  ['PATCH', /^\/projects\/[^/]+\/preheat\/policies\/[^/]+\/executions\/\d+$/, JOB_STOPPED],
]

/** Tells the audit log what no change tells it: jobs begun and stopped, schedules, and refusals. Durable before the answer goes out, as changes are. */
export function audited({ db }: Pick<OriginServices, 'db'>): MiddlewareHandler<ProjectEnv> {
  return async (c, next) => {
    await next()
    const { method } = c.req
    const { principal, project } = c.var
    if (SAFE.includes(method) || principal.kind === 'anonymous') return
    const { status } = c.res
    const path = c.req.path.slice(c.req.path.indexOf(BASE_PATH) < 0 ? 0 : BASE_PATH.length)
    const event =
      status < 400 ? UNTOLD.find(([verb, pattern]) => verb === method && pattern.test(path))?.[2] : REFUSALS.includes(status) ? REFUSED : undefined
    if (event === undefined) return
    await tellOfRequest(db, event, { actor: principal.id, method, path, projectId: project?.id, status })
  }
}

import { createRoute, z } from '@hono/zod-openapi'
import { decideSystem } from '../../policy/decide.ts'
import type { Principal } from '../../policy/facts.ts'
import { AUDIT_EVENT_TYPES, CONFLICT } from '../../schema/audit/events.ts'
import { type AuditFilter, type AuditRow, listAudit } from '../../schema/audit/read.ts'
import { listProjects } from '../../schema/projects.ts'
import { json, refusals } from './answers.ts'
import { type ApiParts, instant, routes } from './environment.ts'
import { describePage } from './paging.ts'
import { userNumber } from './principals.ts'
import { PROJECTS_LIMIT } from './repository.ts'
import { SEARCHES } from './searches.ts'

const query = z.object(SEARCHES.auditLog.query)
const params = z.object({ project_name: z.string().max(255) })

const AuditLog = z
  .object({
    id: z.number().int(),
    username: z.string(),
    resource: z.string(),
    resource_type: z.string(),
    operation: z.string(),
    op_time: z.string(),
  })
  .openapi('AuditLog')

const AuditLogExt = AuditLog.extend({ operation_description: z.string(), operation_result: z.boolean() }).openapi('AuditLogExt')

const show = (row: AuditRow): z.infer<typeof AuditLog> => ({
  id: row.id,
  username: row.username,
  resource: row.resource,
  resource_type: row.resourceType,
  operation: row.operation,
  op_time: instant(row.time),
})

const showExt = (row: AuditRow): z.infer<typeof AuditLogExt> => ({
  ...show(row),
  operation_description: describe(row),
  operation_result: row.succeeded,
})

function describe({ operation, resourceType, resource, address, count, detail }: AuditRow): string {
  const from = address === '' ? '' : ` from ${address}`
  const times = count > 1 ? `, ${count} times` : ''
  // Whoever looks for what was lost needs its digest, and this API has no other place for it.
  const pair = operation === CONFLICT.operation ? `: ${detail}` : ''
  return `${operation} ${resourceType} ${resource}${from}${times}${pair}`
}

/** The audit log: of the system for administrators, of their projects for everybody else. */
export const auditLogs = ({ services: { db, clock }, guard }: ApiParts) => {
  const all = createRoute({
    method: 'get',
    path: '/audit-logs',
    tags: ['auditlog'],
    operationId: 'listAuditLogs',
    summary: 'Who did what, the newest first',
    middleware: guard.account,
    request: { query },
    responses: { 200: json(z.array(AuditLog), 'One page of it.'), ...refusals(400, 401, 403) },
  })

  const allExt = createRoute({
    method: 'get',
    path: '/auditlog-exts',
    tags: ['auditlog'],
    operationId: 'listAuditLogExts',
    summary: 'Who did what and how it ended, the newest first',
    middleware: guard.account,
    request: { query },
    responses: { 200: json(z.array(AuditLogExt), 'One page of it.'), ...refusals(400, 401, 403) },
  })

  const events = createRoute({
    method: 'get',
    path: '/auditlog-exts/events',
    tags: ['auditlog'],
    operationId: 'listAuditLogEventTypes',
    summary: 'The kinds of entries',
    middleware: guard.account,
    responses: { 200: json(z.array(z.object({ event_type: z.string() }).openapi('AuditLogEventType')), 'All of them.'), ...refusals(401, 403) },
  })

  const ofProject = createRoute({
    method: 'get',
    path: '/projects/{project_name}/logs',
    tags: ['project'],
    operationId: 'getLogs',
    summary: 'Who did what in a project, the newest first',
    middleware: guard.project('log', 'list'),
    request: { params, query },
    responses: { 200: json(z.array(AuditLog), 'One page of it.'), ...refusals(400, 401, 403, 404) },
  })

  const ofProjectExt = createRoute({
    method: 'get',
    path: '/projects/{project_name}/auditlog-exts',
    tags: ['project'],
    operationId: 'getLogExts',
    summary: 'Who did what in a project and how it ended, the newest first',
    middleware: guard.project('log', 'list'),
    request: { params, query },
    responses: { 200: json(z.array(AuditLogExt), 'One page of it.'), ...refusals(400, 401, 403, 404) },
  })

  /** undefined: everything. */
  const projectsOf = async (principal: Principal): Promise<readonly number[] | undefined> => {
    if (decideSystem(principal, { resource: 'audit-log', action: 'list' }, clock.now()).allow) return undefined
    const userId = userNumber(principal)
    const listing = { page: 1, pageSize: PROJECTS_LIMIT }
    const mine = userId === undefined ? [] : (await listProjects(db, { memberOf: { userId, groups: principal.groups } }, listing)).items
    const readable: number[] = []
    for (const { id } of mine) if (await guard.allows(principal, { resource: 'log', action: 'list' }, id)) readable.push(id)
    const granted = principal.permissions.flatMap(({ scope, resource, action }) =>
      'projectId' in scope && (resource === 'log' || resource === '*') && (action === 'list' || action === '*') ? [scope.projectId] : [],
    )
    return [...readable, ...granted]
  }

  const read = (given: z.infer<typeof query>, projectIds: readonly number[] | undefined) =>
    listAudit(db, filterOf(given, projectIds), SEARCHES.auditLog.listing(given))

  return routes()
    .openapi(events, (c) =>
      c.json(
        AUDIT_EVENT_TYPES.map((event_type) => ({ event_type })),
        200,
      ),
    )
    .openapi(all, async (c) => {
      const given = c.req.valid('query')
      const { items, total } = await read(given, await projectsOf(c.var.principal))
      describePage(c, given, total, SEARCHES.auditLog)
      return c.json(items.map(show), 200)
    })
    .openapi(allExt, async (c) => {
      const given = c.req.valid('query')
      const { items, total } = await read(given, await projectsOf(c.var.principal))
      describePage(c, given, total, SEARCHES.auditLog)
      return c.json(items.map(showExt), 200)
    })
    .openapi(ofProject, async (c) => {
      const given = c.req.valid('query')
      const { items, total } = await read(given, [c.var.project.id])
      describePage(c, given, total, SEARCHES.auditLog)
      return c.json(items.map(show), 200)
    })
    .openapi(ofProjectExt, async (c) => {
      const given = c.req.valid('query')
      const { items, total } = await read(given, [c.var.project.id])
      describePage(c, given, total, SEARCHES.auditLog)
      return c.json(items.map(showExt), 200)
    })
}

/** `projectIds`: what whoever asks may see; undefined: everything. */
function filterOf(given: z.infer<typeof query>, projectIds: readonly number[] | undefined): AuditFilter {
  const { username, operation, resource, resource_type, operation_result, op_result, project_id } = SEARCHES.auditLog.conditions(given)
  const only = project_id === undefined ? projectIds : (projectIds ?? [project_id]).filter((id) => id === project_id)
  return { username, operation, resource, resourceType: resource_type, succeeded: operation_result ?? op_result, projectIds: only }
}

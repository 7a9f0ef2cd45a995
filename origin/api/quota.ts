import { createRoute, z } from '@hono/zod-openapi'
import { findProjectById, listProjects, type Project, updateProject } from '../../schema/projects.ts'
import { empty, json, refusals } from './answers.ts'
import { type ApiParts, id, instant, routes } from './environment.ts'
import { badField, notFound } from './errors.ts'
import { describePage, pageQuery } from './paging.ts'
import { QUOTA_SORTS, SEARCHES } from './searches.ts'

// A quota is a project's, and has its id.

const tags = ['quota']
/** Here it is what is asked for: 0 is no size that somebody left out. */
const QuotaLimit = z
  .number()
  .int()
  .max(Number.MAX_SAFE_INTEGER)
  .refine((bytes) => bytes > 0 || bytes === -1, 'is a number of bytes above 0, or -1 for no limit')
const params = z.object({ id })
const Resources = z.record(z.string(), z.number().int()).openapi('ResourceList')
const Quota = z
  .object({
    id: z.number().int(),
    ref: z.object({ id: z.number().int(), name: z.string(), owner_name: z.string() }).openapi('QuotaRefObject'),
    hard: Resources,
    used: Resources,
    creation_time: z.string(),
    update_time: z.string(),
  })
  .openapi('Quota')

const show = (row: Project): z.infer<typeof Quota> => ({
  id: row.id,
  ref: { id: row.id, name: row.name, owner_name: row.ownerName },
  hard: { storage: row.storageLimit },
  used: { storage: row.storageUsed },
  creation_time: instant(row.createdAt),
  update_time: instant(row.updatedAt),
})

export const quotas = ({ services: { db }, guard }: ApiParts) => {
  const list = createRoute({
    method: 'get',
    path: '/quotas',
    tags,
    operationId: 'listQuotas',
    summary: 'What each project may hold, and holds',
    middleware: guard.system('quota', 'list'),
    request: {
      query: z.object({
        ...pageQuery,
        sort: SEARCHES.quotas.query.sort,
        reference: z.string().max(64).optional(),
        reference_id: z.string().max(32).optional(),
      }),
    },
    responses: { 200: json(z.array(Quota), 'One page of them, in bytes.'), ...refusals(400, 401, 403) },
  })

  const get = createRoute({
    method: 'get',
    path: '/quotas/{id}',
    tags,
    operationId: 'getQuota',
    summary: 'One quota',
    middleware: guard.system('quota', 'read'),
    request: { params },
    responses: { 200: json(Quota, 'The quota, in bytes.'), ...refusals(401, 403, 404) },
  })

  const update = createRoute({
    method: 'put',
    path: '/quotas/{id}',
    tags,
    operationId: 'updateQuota',
    summary: 'Sets what a project may hold',
    middleware: guard.system('quota', 'update'),
    request: {
      params,
      body: {
        required: true,
        content: { 'application/json': { schema: z.object({ hard: z.strictObject({ storage: QuotaLimit }) }).openapi('QuotaUpdateReq') } },
      },
    },
    responses: { 200: empty('Set.'), ...refusals(400, 401, 403, 404) },
  })

  const found = async (projectId: number): Promise<Project> => {
    const row = await findProjectById(db, projectId)
    if (row === undefined) throw notFound(`quota ${projectId}`)
    return row
  }

  return routes()
    .openapi(list, async (c) => {
      const query = c.req.valid('query')
      if (query.reference !== undefined && query.reference !== 'project') throw badField('reference', 'is project: nothing else has a quota')
      if (query.reference_id !== undefined && !/^\d{1,15}$/.test(query.reference_id)) throw badField('reference_id', 'is the id of a project')
      const { sort = [], ...listing } = SEARCHES.quotas.listing(query)
      const fields = sort.map(({ field, descending }) => ({ field: QUOTA_SORTS[field] ?? field, descending }))
      const ids = query.reference_id === undefined ? undefined : [Number(query.reference_id)]
      const { items, total } = await listProjects(db, { ids }, { ...listing, sort: fields })
      describePage(c, query, total, SEARCHES.quotas)
      return c.json(items.map(show), 200)
    })
    .openapi(get, async (c) => c.json(show(await found(c.req.valid('param').id)), 200))
    .openapi(update, async (c) => {
      const row = await found(c.req.valid('param').id)
      await updateProject(db, row.id, { storageLimit: c.req.valid('json').hard.storage }, c.var.principal.id)
      return c.body(null, 200)
    })
}

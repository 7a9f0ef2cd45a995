import { createRoute, z } from '@hono/zod-openapi'
import type { MiddlewareHandler } from 'hono'
import type { Principal } from '../../policy/facts.ts'
import { createLabel, deleteLabel, findLabel, listLabels, type Label as Row, updateLabel } from '../../schema/labels.ts'
import { empty, json, refusals } from './answers.ts'
import { type ApiParts, created, id, instant, routes } from './environment.ts'
import { ApiError, badField, notFound } from './errors.ts'
import { describePage } from './paging.ts'
import { SEARCHES } from './searches.ts'
import type { ApiEnv } from './variables.ts'

const tags = ['label']
const params = z.object({ label_id: id })
const SCOPE = { system: 'g', project: 'p' } as const

export const Label = z
  .object({
    id: z.number().int(),
    name: z.string(),
    description: z.string(),
    color: z.string(),
    scope: z.string(),
    project_id: z.number().int(),
    creation_time: z.string(),
    update_time: z.string(),
  })
  .openapi('Label')

const Scope = z.enum(['g', 'p'], { error: 'is g for labels of the system, p for those of a project' })

const Given = z
  .object({
    name: z.string().trim().min(1).max(128),
    description: z.string().max(1_000).nullish(),
    color: z
      .string()
      .regex(/^(#[0-9a-fA-F]{3,8})?$/, 'is written #rrggbb')
      .nullish(),
    scope: Scope.optional(),
    project_id: z.number().int().min(0).optional(),
  })
  .openapi('NewLabel')
/** A label stays where it was made: only then it is asked where that is. */
const New = Given.extend({ scope: Scope })

export const showLabel = (row: Row): z.infer<typeof Label> => ({
  id: row.id,
  name: row.name,
  description: row.description,
  color: row.color,
  scope: row.projectId === null ? SCOPE.system : SCOPE.project,
  project_id: row.projectId ?? 0,
  creation_time: instant(row.createdAt),
  update_time: instant(row.updatedAt),
})

export const labels = ({ services: { db }, guard }: ApiParts) => {
  const list = createRoute({
    method: 'get',
    path: '/labels',
    tags,
    operationId: 'ListLabels',
    summary: 'The labels of the system, or of a project',
    middleware: guard.account,
    request: {
      query: z.object({
        ...SEARCHES.labels.query,
        name: z.string().max(128).optional(),
        scope: Scope,
        project_id: z.coerce.number().int().min(0).optional(),
      }),
    },
    responses: { 200: json(z.array(Label), 'One page of them.'), ...refusals(400, 401, 403, 404) },
  })

  const create = createRoute({
    method: 'post',
    path: '/labels',
    tags,
    operationId: 'CreateLabel',
    summary: 'Makes a label of the system, or of a project',
    middleware: guard.account,
    request: { body: { required: true, content: { 'application/json': { schema: New } } } },
    responses: { 201: empty('Its address is in Location.'), ...refusals(400, 401, 403, 404, 409) },
  })

  const require = async (principal: Principal, action: string, projectId: number | null): Promise<void> => {
    const target = { resource: 'label', action }
    if (projectId !== null) await guard.requireProject(principal, target, projectId)
    // Whoever can mark artifacts must be able to find what with.
    else if (action !== 'read' && action !== 'list') guard.requireSystem(principal, target)
  }

  /** The label in the path. Whoever may not know of its project is told that there is no label. */
  const found = async (principal: Principal, labelId: number, action: string): Promise<Row> => {
    const label = await findLabel(db, labelId)
    if (label === undefined) throw notFound(`label ${labelId}`)
    try {
      await require(principal, action, label.projectId)
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) throw notFound(`label ${labelId}`)
      throw error
    }
    return label
  }

  /** Before the body is read: whoever may not change a label is not told what is wrong with his wish. */
  const may =
    (action: string): MiddlewareHandler<ApiEnv> =>
    async (c, next) => {
      const { principal } = c.var
      await guard.account(c, async () => {
        const { success, data } = params.safeParse({ label_id: c.req.param('label_id') })
        if (success) await found(principal, data.label_id, action)
        await next()
      })
    }

  const get = createRoute({
    method: 'get',
    path: '/labels/{label_id}',
    tags,
    operationId: 'GetLabelByID',
    summary: 'One label',
    middleware: may('read'),
    request: { params },
    responses: { 200: json(Label, 'The label.'), ...refusals(400, 401, 403, 404) },
  })

  const update = createRoute({
    method: 'put',
    path: '/labels/{label_id}',
    tags,
    operationId: 'UpdateLabel',
    summary: 'Changes name, description and color',
    middleware: may('update'),
    request: { params, body: { required: true, content: { 'application/json': { schema: Given } } } },
    responses: { 200: empty('Changed.'), ...refusals(400, 401, 403, 404, 409) },
  })

  const remove = createRoute({
    method: 'delete',
    path: '/labels/{label_id}',
    tags,
    operationId: 'DeleteLabel',
    summary: 'Deletes a label, and takes it off all that carries it',
    middleware: may('delete'),
    request: { params },
    responses: { 200: empty('Deleted.'), ...refusals(400, 401, 403, 404) },
  })

  return routes()
    .openapi(list, async (c) => {
      const query = c.req.valid('query')
      const projectId = scopeOf(query)
      await require(c.var.principal, 'list', projectId)
      const { items, total } = await listLabels(db, { projectId, name: query.name }, SEARCHES.labels.listing(query))
      describePage(c, query, total, SEARCHES.labels)
      return c.json(items.map(showLabel), 200)
    })
    .openapi(create, async (c) => {
      const { principal } = c.var
      const { name, description, color, ...scope } = c.req.valid('json')
      const projectId = scopeOf(scope)
      await require(principal, 'create', projectId)
      const made = await createLabel(db, { name, description: description ?? '', color: color ?? '', projectId }, principal.id)
      return created(c, `/labels/${made}`)
    })
    .openapi(get, async (c) => c.json(showLabel(await found(c.var.principal, c.req.valid('param').label_id, 'read')), 200))
    .openapi(update, async (c) => {
      const { name, description, color } = c.req.valid('json')
      await updateLabel(db, c.req.valid('param').label_id, { name, description: description ?? '', color: color ?? '' }, c.var.principal.id)
      return c.body(null, 200)
    })
    .openapi(remove, async (c) => {
      await deleteLabel(db, c.req.valid('param').label_id, c.var.principal.id)
      return c.body(null, 200)
    })
}

/** The project that is meant; null: the system. */
function scopeOf({ scope, project_id = 0 }: { readonly scope: 'g' | 'p'; readonly project_id?: number | undefined }): number | null {
  if (scope === 'g') return null
  if (project_id === 0) throw badField('project_id', 'labels of scope p belong to a project; say which')
  return project_id
}

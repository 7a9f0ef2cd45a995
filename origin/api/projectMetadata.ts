import { createRoute, z } from '@hono/zod-openapi'
import { findProjectById, updateProject } from '../../schema/projects.ts'
import { empty, json, refusals } from './answers.ts'
import { type ApiParts, routes } from './environment.ts'
import { ApiError, badField, notFound } from './errors.ts'
import { isSettingName, OneSetting, RETENTION_ID } from './project-settings.ts'

const tags = ['projectMetadata']
const params = z.object({ project_name_or_id: z.string().max(255) })
const one = params.extend({ meta_name: z.string().max(64) })
const Settings = z.record(z.string(), z.string())
const body = { required: true, content: { 'application/json': { schema: OneSetting } } } as const
const PATH = '/projects/{project_name_or_id}/metadatas/'

export const projectMetadata = ({ services: { db }, guard }: ApiParts) => {
  const list = createRoute({
    method: 'get',
    path: PATH,
    tags,
    operationId: 'listProjectMetadatas',
    summary: 'The settings of a project',
    middleware: guard.project('metadata', 'list'),
    request: { params },
    responses: { 200: json(Settings, 'Those that are set.'), ...refusals(400, 401, 403, 404) },
  })

  const add = createRoute({
    method: 'post',
    path: PATH,
    tags,
    operationId: 'addProjectMetadatas',
    summary: 'Sets a setting that is not set yet',
    middleware: guard.project('metadata', 'create'),
    request: { params, body },
    responses: { 200: empty('Set.'), ...refusals(400, 401, 403, 404, 409) },
  })

  const get = createRoute({
    method: 'get',
    path: `${PATH}{meta_name}`,
    tags,
    operationId: 'getProjectMetadata',
    summary: 'One setting',
    middleware: guard.project('metadata', 'read'),
    request: { params: one },
    responses: { 200: json(Settings, 'It, under its name.'), ...refusals(400, 401, 403, 404) },
  })

  const update = createRoute({
    method: 'put',
    path: `${PATH}{meta_name}`,
    tags,
    operationId: 'updateProjectMetadata',
    summary: 'Changes a setting',
    middleware: guard.project('metadata', 'update'),
    request: { params: one, body },
    responses: { 200: empty('Changed.'), ...refusals(400, 401, 403, 404, 409) },
  })

  const remove = createRoute({
    method: 'delete',
    path: `${PATH}{meta_name}`,
    tags,
    operationId: 'deleteProjectMetadata',
    summary: 'Takes a setting away',
    middleware: guard.project('metadata', 'delete'),
    request: { params: one },
    responses: { 200: empty('Taken away.'), ...refusals(400, 401, 403, 404, 409) },
  })

  const settings = async (projectId: number): Promise<ReadonlyMap<string, string>> => {
    const project = await findProjectById(db, projectId)
    if (project === undefined) throw notFound(`project ${projectId}`)
    // What only Atoll knows is set and shown elsewhere.
    const known = Object.entries(project.metadata).filter(([name]) => isSettingName(name))
    return new Map([...known, ['public', String(project.public)]])
  }

  /** The one setting of a body. */
  const given = (body: z.infer<typeof OneSetting>): [string, string] => {
    const [entry] = Object.entries(body)
    if (entry?.[1] === undefined) throw badField('metadata', 'holds exactly one setting')
    return [entry[0], entry[1]]
  }

  const set = (projectId: number, name: string, value: string, actor: string) =>
    updateProject(db, projectId, name === 'public' ? { public: value === 'true' } : { metadata: { [name]: value } }, actor)

  return routes()
    .openapi(list, async (c) => c.json(Object.fromEntries(await settings(c.var.project.id)), 200))
    .openapi(add, async (c) => {
      const { project, principal } = c.var
      const [name, value] = given(c.req.valid('json'))
      if ((await settings(project.id)).has(name)) throw new ApiError('CONFLICT', `${name} is set already; change it with PUT.`)
      await set(project.id, name, value, principal.id)
      return c.body(null, 200)
    })
    .openapi(get, async (c) => {
      const name = c.req.valid('param').meta_name
      const value = (await settings(c.var.project.id)).get(name)
      if (value === undefined) throw notFound(`metadata ${name}`)
      return c.json({ [name]: value }, 200)
    })
    .openapi(update, async (c) => {
      const { project, principal } = c.var
      const [name, value] = given(c.req.valid('json'))
      const { meta_name } = c.req.valid('param')
      if (name !== meta_name) throw badField(name, `the path names ${meta_name}`)
      if (!(await settings(project.id)).has(name)) throw notFound(`metadata ${name}`)
      await set(project.id, name, value, principal.id)
      return c.body(null, 200)
    })
    .openapi(remove, async (c) => {
      const { project, principal } = c.var
      const { meta_name } = c.req.valid('param')
      if (meta_name === 'public') throw badField('meta_name', 'whether a project is public can be changed and not taken away')
      if (meta_name === RETENTION_ID) throw badField('meta_name', 'goes with the retention policy; delete that')
      if (!isSettingName(meta_name) || !(await settings(project.id)).has(meta_name)) throw notFound(`metadata ${meta_name}`)
      await updateProject(db, project.id, { metadata: { [meta_name]: null } }, principal.id)
      return c.body(null, 200)
    })
}

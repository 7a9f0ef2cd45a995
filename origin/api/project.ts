import { createRoute, z } from '@hono/zod-openapi'
import { findEndpointById } from '../../schema/endpoints.ts'
import { createProject, deleteProject, findProjectById, listProjects, type Project as Row, updateProject } from '../../schema/projects.ts'
import { empty, json, refusals } from './answers.ts'
import { type ApiParts, created, routes } from './environment.ts'
import { ApiError, badField, notFound } from './errors.ts'
import { flag } from './lists.ts'
import { describePage } from './paging.ts'
import { userNumber, visibleProjects } from './principals.ts'
import { RETENTION_ID } from './project-settings.ts'
import { NewProject, Project, ProjectChange, settingsOf, showProject } from './project-shapes.ts'
import { SEARCHES } from './searches.ts'

const tags = ['project']
const params = z.object({ project_name_or_id: z.string().max(255) })

export const projects = ({ services, guard }: ApiParts) => {
  const { db, live } = services

  const list = createRoute({
    method: 'get',
    path: '/projects',
    tags,
    operationId: 'listProjects',
    summary: 'The projects that you may know of',
    request: {
      query: z.object({
        ...SEARCHES.projects.query,
        name: z.string().max(255).optional(),
        public: flag,
        owner: z.string().max(255).optional(),
        with_detail: flag,
      }),
    },
    responses: { 200: json(z.array(Project), 'One page of them.'), ...refusals(400, 401) },
  })

  const head = createRoute({
    method: 'head',
    path: '/projects',
    tags,
    operationId: 'headProject',
    summary: 'Whether there is a project of this name that you may know of',
    request: { query: z.object({ project_name: z.string() }) },
    responses: { 200: empty('There is.'), ...refusals(400, 404) },
  })

  const create = createRoute({
    method: 'post',
    path: '/projects',
    tags,
    operationId: 'createProject',
    summary: 'Creates a project, whose administrator you become',
    middleware: guard.account,
    request: { body: { required: true, content: { 'application/json': { schema: NewProject } } } },
    responses: { 201: empty('Its address is in Location.'), ...refusals(400, 401, 403, 409) },
  })

  const get = createRoute({
    method: 'get',
    path: '/projects/{project_name_or_id}',
    tags,
    operationId: 'getProject',
    summary: 'One project',
    middleware: guard.project('project', 'read'),
    request: { params },
    responses: { 200: json(Project, 'The project.'), ...refusals(401, 403, 404) },
  })

  const update = createRoute({
    method: 'put',
    path: '/projects/{project_name_or_id}',
    tags,
    operationId: 'updateProject',
    summary: 'Changes the settings that the body names',
    middleware: guard.project('project', 'update'),
    request: { params, body: { required: true, content: { 'application/json': { schema: ProjectChange } } } },
    responses: { 200: empty('Changed.'), ...refusals(400, 401, 403, 404) },
  })

  const remove = createRoute({
    method: 'delete',
    path: '/projects/{project_name_or_id}',
    tags,
    operationId: 'deleteProject',
    summary: 'Deletes a project that holds no repository',
    middleware: guard.project('project', 'delete'),
    request: { params },
    responses: { 200: empty('Deleted.'), ...refusals(400, 401, 403, 404, 412) },
  })

  const deletable = createRoute({
    method: 'get',
    path: '/projects/{project_name_or_id}/_deletable',
    tags,
    operationId: 'getProjectDeletable',
    summary: 'Whether the project could be deleted now',
    middleware: guard.project('project', 'delete'),
    request: { params },
    responses: {
      200: json(z.object({ deletable: z.boolean(), message: z.string().optional() }).openapi('ProjectDeletable'), 'Whether, and why not.'),
      ...refusals(401, 403, 404),
    },
  })

  const row = async (id: number): Promise<Row> => {
    const found = await findProjectById(db, id)
    if (found === undefined) throw notFound(`project ${id}`)
    return found
  }

  const app = routes()
  app.openAPIRegistry.registerPath(head)
  // The framework hands HEAD to the routes of GET.
  app.get('/projects', async (c, next) => {
    if (c.req.method !== 'HEAD') return next()
    const name = c.req.query('project_name')
    if (name === undefined || name === '') throw badField('project_name', 'is missing')
    const visible =
      (await services.projectFacts(name)) !== undefined && (await guard.allows(c.var.principal, { resource: 'project', action: 'read' }, name))
    if (!visible) throw notFound(`project ${name}`)
    return c.body(null, 200)
  })

  return app
    .openapi(list, async (c) => {
      const query = c.req.valid('query')
      const q = SEARCHES.projects.conditions(query)
      const { principal } = c.var
      const isPublic = query.public ?? q.public
      const ownerName = query.owner ?? q.owner
      const { public: onlyPublic, ...visible } = visibleProjects(principal)
      if (onlyPublic === true && isPublic === false) {
        // Who sees public projects only is told that there are no others, as anybody who may not know of them.
        describePage(c, query, 0)
        return c.json([], 200)
      }
      const { items, total } = await listProjects(
        db,
        {
          ...visible,
          name: query.name,
          public: onlyPublic ?? isPublic,
          ownerName,
        },
        SEARCHES.projects.listing(query),
      )
      describePage(c, query, total, SEARCHES.projects)
      return c.json(await Promise.all(items.map((item) => showProject(services, principal, item))), 200)
    })
    .openapi(create, async (c) => {
      const { principal } = c.var
      const body = c.req.valid('json')
      const everybody = (await live.get('project_creation_restriction')) === 'everyone'
      const toCreate = { resource: 'project', action: 'create' }
      if (!everybody || principal.kind !== 'user') guard.requireSystem(principal, toCreate)
      const endpointId = body.registry_id ?? undefined
      const settings = settingsOf(body, { proxy: endpointId !== undefined })
      // Clients send one along with every project; whoever sets no quotas gets the standard one.
      const wish = guard.allowsSystem(principal, toCreate) ? body.storage_limit : undefined
      const storageLimit = wish ?? (await live.get('storage_per_project'))
      if (endpointId !== undefined) {
        if (!principal.admin) throw new ApiError('FORBIDDEN', 'registry_id: only a system administrator makes proxy caches.')
        const endpoint = await findEndpointById(db, endpointId)
        if (endpoint === undefined) throw badField('registry_id', `there is no registry ${endpointId}`)
        if (endpoint.projectId !== null) throw badField('registry_id', `${endpoint.name} is a customer of a project, and nobody's upstream`)
      }
      const project = await createProject(
        db,
        {
          name: body.project_name,
          // What a robot makes belongs to the first administrator.
          ownerId: userNumber(principal) ?? FIRST_ADMINISTRATOR,
          public: settings.public ?? false,
          storageLimit,
          endpointId,
          metadata: settings.metadata,
        },
        principal.id,
      )
      const byName = c.req.header('X-Resource-Name-In-Location')?.toLowerCase() === 'true'
      return created(c, `/projects/${byName ? project.name : project.id}`)
    })
    .openapi(get, async (c) => c.json(await showProject(services, c.var.principal, await row(c.var.project.id)), 200))
    .openapi(update, async (c) => {
      const { project, principal } = c.var
      const body = c.req.valid('json')
      if (typeof body.project_name === 'string' && body.project_name !== '' && body.project_name !== project.name) {
        throw badField('project_name', 'a project cannot be renamed')
      }
      const before = await row(project.id)
      if (typeof body.registry_id === 'number' && body.registry_id !== (before.endpointId ?? 0)) {
        throw badField('registry_id', 'what a project is a cache of is said when it is made')
      }
      const settings = settingsOf(body, { id: project.id, proxy: before.endpointId !== null, retentionId: before.metadata[RETENTION_ID] })
      const maySetQuota = guard.allowsSystem(principal, { resource: 'quota', action: 'update' })
      const storageLimit = (maySetQuota ? body.storage_limit : undefined) ?? undefined
      await updateProject(db, project.id, { ...settings, storageLimit }, principal.id)
      return c.body(null, 200)
    })
    .openapi(remove, async (c) => {
      await deleteProject(db, c.var.project.id, c.var.principal.id)
      return c.body(null, 200)
    })
    .openapi(deletable, async (c) => {
      const { repositoryCount } = await row(c.var.project.id)
      if (repositoryCount === 0) return c.json({ deletable: true }, 200)
      return c.json({ deletable: false, message: `the project holds ${repositoryCount} repositories; delete them first` }, 200)
    })
}

/** The id of the account that the first start makes. */
const FIRST_ADMINISTRATOR = 1

import { createRoute, z } from '@hono/zod-openapi'
import type { ProjectFacts } from '../../policy/facts.ts'
import { isRepositoryName, type RepositoryName } from '../../registry/spec/names.ts'
import { deleteRepository } from '../../schema/delete-repository.ts'
import { describeRepository, findRepositorySummary, listRepositorySummaries, type RepositorySummary } from '../../schema/repositories.ts'
import { empty, json, refusals } from './answers.ts'
import { Repository, showRepository } from './artifact-shapes.ts'
import { type ApiParts, routes } from './environment.ts'
import { notFound } from './errors.ts'
import { describePage } from './paging.ts'
import { visibleProjects } from './principals.ts'
import { SEARCHES } from './searches.ts'

const tags = ['repository']
const params = z.object({ project_name: z.string().max(255) })
const one = params.extend({ repository_name: z.string().max(1024) })
/** How many projects one list of repositories reaches into. */
export const PROJECTS_LIMIT = 10_000

/**
 * The repository that a path names. Clients encode the slashes in its name twice; by the time it comes here, once is undone.
 * @throws ApiError NOT_FOUND for what can be no name
 */
export function repositoryIn(project: ProjectFacts, text: string): RepositoryName {
  const name = `${project.name}/${decoded(text)}`
  if (!isRepositoryName(name)) throw notFound(`repository ${name.slice(0, 300)}`)
  return name
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch (error) {
    if (error instanceof URIError) return text
    throw error
  }
}

export const repositories = ({ services: { db }, guard }: ApiParts) => {
  const listAll = createRoute({
    method: 'get',
    path: '/repositories',
    tags,
    operationId: 'listAllRepositories',
    summary: 'The repositories that you may know of',
    request: { query: z.object(SEARCHES.repositories.query) },
    responses: { 200: json(z.array(Repository), 'One page of them.'), ...refusals(400) },
  })

  const list = createRoute({
    method: 'get',
    path: '/projects/{project_name}/repositories',
    tags,
    operationId: 'listRepositories',
    summary: 'The repositories of a project',
    middleware: guard.project('repository', 'list'),
    request: { params, query: z.object(SEARCHES.repositories.query) },
    responses: { 200: json(z.array(Repository), 'One page of them.'), ...refusals(400, 401, 403, 404) },
  })

  const get = createRoute({
    method: 'get',
    path: '/projects/{project_name}/repositories/{repository_name}',
    tags,
    operationId: 'getRepository',
    summary: 'One repository',
    middleware: guard.project('repository', 'read'),
    request: { params: one },
    responses: { 200: json(Repository, 'The repository.'), ...refusals(400, 401, 403, 404) },
  })

  const update = createRoute({
    method: 'put',
    path: '/projects/{project_name}/repositories/{repository_name}',
    tags,
    operationId: 'updateRepository',
    summary: 'Changes the description',
    middleware: guard.project('repository', 'update'),
    request: {
      params: one,
      body: {
        required: true,
        content: {
          'application/json': {
            schema: z.object({
              description: z
                .string()
                .max(64 * 1024)
                .nullish(),
            }),
          },
        },
      },
    },
    responses: { 200: empty('Changed.'), ...refusals(400, 401, 403, 404) },
  })

  const remove = createRoute({
    method: 'delete',
    path: '/projects/{project_name}/repositories/{repository_name}',
    tags,
    operationId: 'deleteRepository',
    summary: 'Deletes a repository with all that is in it',
    middleware: guard.project('repository', 'delete'),
    request: { params: one },
    responses: { 200: empty('Deleted.'), ...refusals(400, 401, 403, 404, 412) },
  })

  const found = async (name: RepositoryName): Promise<RepositorySummary> => {
    const row = await findRepositorySummary(db, name)
    if (row === undefined) throw notFound(`repository ${name}`)
    return row
  }

  return routes()
    .openapi(listAll, async (c) => {
      const query = c.req.valid('query')
      const name = SEARCHES.repositories.conditions(query).name
      const filter = { visible: visibleProjects(c.var.principal), name }
      const { items, total } = await listRepositorySummaries(db, filter, SEARCHES.repositories.listing(query))
      describePage(c, query, total, SEARCHES.repositories)
      return c.json(items.map(showRepository), 200)
    })
    .openapi(list, async (c) => {
      const query = c.req.valid('query')
      const name = SEARCHES.repositories.conditions(query).name
      const filter = { projectId: c.var.project.id, name }
      const { items, total } = await listRepositorySummaries(db, filter, SEARCHES.repositories.listing(query))
      describePage(c, query, total, SEARCHES.repositories)
      return c.json(items.map(showRepository), 200)
    })
    .openapi(get, async (c) => c.json(showRepository(await found(repositoryIn(c.var.project, c.req.valid('param').repository_name))), 200))
    .openapi(update, async (c) => {
      const { name } = await found(repositoryIn(c.var.project, c.req.valid('param').repository_name))
      const { description } = c.req.valid('json')
      if (typeof description === 'string') await describeRepository(db, name, description, c.var.principal.id)
      return c.body(null, 200)
    })
    .openapi(remove, async (c) => {
      const name = repositoryIn(c.var.project, c.req.valid('param').repository_name)
      if (!(await deleteRepository(db, name, c.var.principal.id))) throw notFound(`repository ${name}`)
      return c.body(null, 200)
    })
}

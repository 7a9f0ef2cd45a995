import { createRoute, z } from '@hono/zod-openapi'
import { listProjects } from '../../schema/projects.ts'
import { findRepositorySummaries } from '../../schema/repositories.ts'
import { json, refusals } from './answers.ts'
import { type ApiParts, routes } from './environment.ts'
import { visibleProjects } from './principals.ts'
import { Project, showProject } from './project-shapes.ts'

/** How many of each kind are found. */
const FOUND_LIMIT = 100

const Search = z
  .object({
    project: z.array(Project),
    repository: z.array(
      z.object({
        project_id: z.number().int(),
        project_name: z.string(),
        project_public: z.boolean(),
        repository_name: z.string(),
        pull_count: z.number().int(),
        artifact_count: z.number().int(),
      }),
    ),
  })
  .openapi('Search')

const find = createRoute({
  method: 'get',
  path: '/search',
  tags: ['search'],
  operationId: 'search',
  summary: 'Projects and repositories that you may know of, by a part of their names',
  request: { query: z.object({ q: z.string().max(255) }) },
  responses: { 200: json(Search, `Up to ${FOUND_LIMIT} of each.`), ...refusals(400) },
})

export const search = ({ services }: ApiParts) =>
  routes().openapi(find, async (c) => {
    const { db } = services
    const { q } = c.req.valid('query')
    const { principal } = c.var
    const visible = visibleProjects(principal)
    const { items: named } = await listProjects(db, { ...visible, name: q }, { page: 1, pageSize: FOUND_LIMIT })
    const repositories = await findRepositorySummaries(db, { visible, name: { match: 'part', text: q } }, FOUND_LIMIT)
    const ids = [...new Set(repositories.map(({ projectId }) => projectId))]
    const byId = new Map((await listProjects(db, { ids }, { page: 1, pageSize: FOUND_LIMIT })).items.map((project) => [project.id, project]))
    return c.json(
      {
        project: await Promise.all(named.map((project) => showProject(services, principal, project))),
        repository: repositories.flatMap(({ projectId, name, pullCount, artifactCount }) => {
          const project = byId.get(projectId)
          if (project === undefined) return []
          return [
            {
              project_id: projectId,
              project_name: project.name,
              project_public: project.public,
              repository_name: name,
              pull_count: pullCount,
              artifact_count: artifactCount,
            },
          ]
        }),
      },
      200,
    )
  })

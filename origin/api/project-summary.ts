import { createRoute, z } from '@hono/zod-openapi'
import { ROLES, type RoleId } from '../../policy/facts.ts'
import { findEndpointById } from '../../schema/endpoints.ts'
import { findProjectById } from '../../schema/projects.ts'
import { json, refusals } from './answers.ts'
import { type ApiParts, routes } from './environment.ts'
import { notFound } from './errors.ts'
import { Registry, showRegistry } from './registry-shapes.ts'

const Resources = z.record(z.string(), z.number().int())
const Summary = z
  .object({
    repo_count: z.number().int(),
    project_admin_count: z.number().int().optional(),
    maintainer_count: z.number().int().optional(),
    developer_count: z.number().int().optional(),
    guest_count: z.number().int().optional(),
    limited_guest_count: z.number().int().optional(),
    quota: z.object({ hard: Resources, used: Resources }).optional(),
    registry: Registry.partial().optional(),
  })
  .openapi('ProjectSummary')

export const projectSummary = ({ services: { db }, guard }: ApiParts) => {
  const get = createRoute({
    method: 'get',
    path: '/projects/{project_name_or_id}/summary',
    tags: ['project'],
    operationId: 'getProjectSummary',
    summary: 'What a project holds, and for whom',
    middleware: guard.project('project', 'read'),
    request: { params: z.object({ project_name_or_id: z.string().max(255) }) },
    responses: { 200: json(Summary, 'As much of it as you may know.'), ...refusals(400, 401, 403, 404) },
  })

  return routes().openapi(get, async (c) => {
    const { project, principal } = c.var
    const row = await findProjectById(db, project.id)
    if (row === undefined) throw notFound(`project ${project.id}`)
    const endpoint = row.endpointId === null ? undefined : await findEndpointById(db, row.endpointId)
    const members = await guard.allows(principal, { resource: 'member', action: 'list' }, project.id)
    const quota = await guard.allows(principal, { resource: 'quota', action: 'read' }, project.id)
    const count = (role: RoleId) => project.members.filter((member) => member.role === role).length
    // Who may not see endpoints learns which one it is, and not how it is reached.
    const known =
      endpoint && (principal.admin ? showRegistry(endpoint) : { id: endpoint.id, name: endpoint.name, type: endpoint.type, url: endpoint.url })
    return c.json(
      {
        repo_count: row.repositoryCount,
        ...(members && {
          project_admin_count: count(ROLES.projectAdmin),
          maintainer_count: count(ROLES.maintainer),
          developer_count: count(ROLES.developer),
          guest_count: count(ROLES.guest),
          limited_guest_count: count(ROLES.limitedGuest),
        }),
        ...(quota && { quota: { hard: { storage: row.storageLimit }, used: { storage: row.storageUsed } } }),
        ...(known && { registry: known }),
      },
      200,
    )
  })
}

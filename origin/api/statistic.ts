import { createRoute, z } from '@hono/zod-openapi'
import { readStatistics } from '../../schema/statistics.ts'
import { json, refusals } from './answers.ts'
import { type ApiParts, routes } from './environment.ts'
import { userNumber } from './principals.ts'

const count = z.number().int()
const Statistic = z
  .object({
    private_project_count: count,
    private_repo_count: count,
    public_project_count: count,
    public_repo_count: count,
    total_project_count: count,
    total_repo_count: count,
    total_storage_consumption: count,
  })
  .openapi('Statistic')

export const statistics = ({ services, guard }: ApiParts) => {
  const get = createRoute({
    method: 'get',
    path: '/statistics',
    tags: ['statistic'],
    operationId: 'getStatistic',
    summary: 'How many projects and repositories there are for you; totals for administrators',
    middleware: guard.account,
    responses: { 200: json(Statistic, 'The counts, and bytes.'), ...refusals(401) },
  })

  return routes().openapi(get, async (c) => {
    const { principal } = c.var
    const { projects, repositories, storageUsed } = await readStatistics(services.db, userNumber(principal))
    const all = principal.admin
    return c.json(
      {
        private_project_count: all ? projects.total - projects.public : projects.member,
        private_repo_count: all ? repositories.total - repositories.public : repositories.member,
        public_project_count: projects.public,
        public_repo_count: repositories.public,
        total_project_count: all ? projects.total : 0,
        total_repo_count: all ? repositories.total : 0,
        total_storage_consumption: all ? storageUsed : 0,
      },
      200,
    )
  })
}

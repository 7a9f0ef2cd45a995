import { createRoute, z } from '@hono/zod-openapi'
import { empty, json, refusals } from './answers.ts'
import { type ApiParts, routes } from './environment.ts'
import { notFound } from './errors.ts'
import { describePage } from './paging.ts'
import { SEARCHES } from './searches.ts'

const tags = ['project']
const params = z.object({ project_name_or_id: z.string().max(255) })
const path = '/projects/{project_name_or_id}/scanner' as const
const Scanner = z.object({ uuid: z.string(), name: z.string() }).partial().openapi('ScannerRegistration')

/** What a project is scanned with. No scanner can be registered yet, so a project has none and none to choose from. */
export const projectScanner = ({ guard }: ApiParts) => {
  const get = createRoute({
    method: 'get',
    path,
    tags,
    operationId: 'getScannerOfProject',
    summary: 'The scanner of a project; an empty object: it has none',
    middleware: guard.project('scanner', 'read'),
    request: { params },
    responses: { 200: json(Scanner, 'The scanner.'), ...refusals(400, 401, 403, 404) },
  })

  const set = createRoute({
    method: 'put',
    path,
    tags,
    operationId: 'setScannerOfProject',
    summary: 'Chooses the scanner of a project',
    middleware: guard.project('scanner', 'create'),
    request: {
      params,
      body: { required: true, content: { 'application/json': { schema: z.object({ uuid: z.string().max(64) }).openapi('ProjectScanner') } } },
    },
    responses: { 200: empty('Chosen.'), ...refusals(400, 401, 403, 404) },
  })

  const candidates = createRoute({
    method: 'get',
    path: `${path}/candidates`,
    tags,
    operationId: 'listScannerCandidatesOfProject',
    summary: 'The scanners to choose from',
    middleware: guard.project('scanner', 'create'),
    request: { params, query: z.object(SEARCHES.scanners.query) },
    responses: { 200: json(z.array(Scanner), 'One page of them.'), ...refusals(400, 401, 403, 404) },
  })

  return routes()
    .openapi(get, (c) => c.json({}, 200))
    .openapi(set, (c) => {
      throw notFound(`scanner ${c.req.valid('json').uuid}`)
    })
    .openapi(candidates, (c) => {
      const query = c.req.valid('query')
      SEARCHES.scanners.listing(query)
      describePage(c, query, 0, SEARCHES.scanners)
      return c.json([], 200)
    })
}

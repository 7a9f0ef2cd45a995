import { createRoute, z } from '@hono/zod-openapi'
import { listAccessories } from '../../schema/accessories.ts'
import { Accessory, showAccessory } from './accessory-shapes.ts'
import { json, refusals } from './answers.ts'
import { ARTIFACT, artifactAt, inArtifact } from './artifact-lookup.ts'
import { type ApiParts, routes } from './environment.ts'
import { describePage } from './paging.ts'
import { repositoryIn } from './repository.ts'
import { SEARCHES } from './searches.ts'

/** What belongs to an artifact: signatures, SBOMs. */
export const accessories = ({ services: { db }, guard }: ApiParts) => {
  const list = createRoute({
    method: 'get',
    path: `${ARTIFACT}/accessories`,
    tags: ['artifact'],
    operationId: 'listAccessories',
    summary: 'The signatures, SBOMs and other companions of an artifact',
    middleware: guard.project('accessory', 'list'),
    request: { params: inArtifact, query: z.object(SEARCHES.accessories.query) },
    responses: { 200: json(z.array(Accessory), 'One page of them.'), ...refusals(400, 401, 403, 404) },
  })

  return routes().openapi(list, async (c) => {
    const query = c.req.valid('query')
    const { repository_name, reference } = c.req.valid('param')
    const name = repositoryIn(c.var.project, repository_name)
    const { repositoryId, digest } = await artifactAt(db, name, reference)
    const { items, total } = await listAccessories(db, repositoryId, digest, SEARCHES.accessories.listing(query))
    describePage(c, query, total, SEARCHES.accessories)
    return c.json(
      items.map((row) => showAccessory(row, name)),
      200,
    )
  })
}

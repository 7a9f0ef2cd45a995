import { createRoute, z } from '@hono/zod-openapi'
import { addLabel, removeLabel } from '../../schema/labels.ts'
import { empty, refusals } from './answers.ts'
import { ARTIFACT, artifactAt, inArtifact } from './artifact-lookup.ts'
import { type ApiParts, id, routes } from './environment.ts'
import { repositoryIn } from './repository.ts'

const tags = ['artifact']

/** Marks artifacts with labels, and takes those off again. */
export const artifactLabels = ({ services: { db }, guard }: ApiParts) => {
  const add = createRoute({
    method: 'post',
    path: `${ARTIFACT}/labels`,
    tags,
    operationId: 'addLabel',
    summary: 'Marks an artifact with a label',
    middleware: guard.project('artifact-label', 'create'),
    request: {
      params: inArtifact,
      body: { required: true, content: { 'application/json': { schema: z.object({ id: z.number().int().min(1) }).openapi('LabelId') } } },
    },
    responses: { 200: empty('It carries the label.'), ...refusals(400, 401, 403, 404, 409) },
  })

  const remove = createRoute({
    method: 'delete',
    path: `${ARTIFACT}/labels/{label_id}`,
    tags,
    operationId: 'removeLabel',
    summary: 'Takes a label off an artifact',
    middleware: guard.project('artifact-label', 'delete'),
    request: { params: inArtifact.extend({ label_id: id }) },
    responses: { 200: empty('Taken off.'), ...refusals(400, 401, 403, 404) },
  })

  return routes()
    .openapi(add, async (c) => {
      const { repository_name, reference } = c.req.valid('param')
      const repository = repositoryIn(c.var.project, repository_name)
      const { digest } = await artifactAt(db, repository, reference)
      await addLabel(db, { repository, digest }, c.req.valid('json').id, c.var.principal.id)
      return c.body(null, 200)
    })
    .openapi(remove, async (c) => {
      const { repository_name, reference, label_id } = c.req.valid('param')
      const repository = repositoryIn(c.var.project, repository_name)
      const { digest } = await artifactAt(db, repository, reference)
      await removeLabel(db, { repository, digest }, label_id, c.var.principal.id)
      return c.body(null, 200)
    })
}

import { createRoute, z } from '@hono/zod-openapi'
import { json } from './answers.ts'
import { type ApiParts, routes } from './environment.ts'

const Component = z
  .object({ name: z.string(), status: z.enum(['healthy', 'unhealthy']), error: z.string().optional() })
  .openapi('ComponentHealthStatus')
const Overall = z.object({ status: z.enum(['healthy', 'unhealthy']), components: z.array(Component) }).openapi('OverallHealthStatus')

const getHealth = createRoute({
  method: 'get',
  path: '/health',
  tags: ['health'],
  operationId: 'getHealth',
  summary: 'How each part of this site is',
  responses: { 200: json(Overall, 'Healthy only when every part is.') },
})

const status = (healthy: boolean) => (healthy ? 'healthy' : 'unhealthy')

export const health = ({ services }: ApiParts) =>
  routes().openapi(getHealth, async (c) => {
    const { healthy, components } = await services.health()
    return c.json(
      {
        status: status(healthy),
        components: components.map(({ name, healthy, error }) => ({ name, status: status(healthy), ...(error !== undefined && { error }) })),
      },
      200,
    )
  })

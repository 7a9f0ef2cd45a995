import { createRoute, z } from '@hono/zod-openapi'
import { routes } from './environment.ts'

const getPing = createRoute({
  method: 'get',
  path: '/ping',
  tags: ['ping'],
  operationId: 'getPing',
  summary: 'Whether this process answers, whatever the rest does',
  responses: { 200: { description: 'Pong', content: { 'text/plain': { schema: z.string() } } } },
})

export const ping = () => routes().openapi(getPing, (c) => c.text('Pong', 200))

import { createRoute, z } from '@hono/zod-openapi'
import { json, refusals } from './answers.ts'
import { routes } from './environment.ts'
import { notFound } from './errors.ts'
import { iconOf } from './icons.ts'

const Icon = z.object({ 'content-type': z.string(), content: z.string() }).openapi('Icon')

const get = createRoute({
  method: 'get',
  path: '/icons/{digest}',
  tags: ['icon'],
  operationId: 'getIcon',
  summary: 'The picture of a kind of artifacts',
  request: { params: z.object({ digest: z.string().max(256) }) },
  responses: { 200: json(Icon, 'Its media type, and its bytes in base64.'), ...refusals(400, 404) },
})

export const icons = () =>
  routes().openapi(get, (c) => {
    const { digest } = c.req.valid('param')
    const icon = iconOf(digest)
    if (icon === undefined) throw notFound(`icon ${digest}`)
    // What has a digest for a name never changes.
    c.header('Cache-Control', 'public, max-age=31536000, immutable')
    return c.json({ 'content-type': icon.contentType, content: icon.content }, 200)
  })

import { createRoute, z } from '@hono/zod-openapi'
import { optionalUrl } from '../../runtime/settings/kinds.ts'
import { empty, refusals } from './answers.ts'
import { type ApiParts, routes } from './environment.ts'
import { badField } from './errors.ts'

export const oidc = ({ guard }: ApiParts) => {
  const ping = createRoute({
    method: 'post',
    path: '/system/oidc/ping',
    tags: ['oidc'],
    operationId: 'pingOIDC',
    summary: 'Whether there is an OpenID provider at an address',
    middleware: guard.system('configuration', 'read'),
    request: {
      body: {
        required: true,
        content: {
          'application/json': { schema: z.object({ url: z.string().max(2_000), verify_cert: z.boolean().default(true) }).openapi('OidcEndpoint') },
        },
      },
    },
    responses: { 200: empty('There is one.'), ...refusals(400, 401, 403) },
  })

  return routes().openapi(ping, async (c) => {
    const { url, verify_cert } = c.req.valid('json')
    const endpoint = optionalUrl.read(url)
    if (endpoint === undefined) throw badField('url', `is ${optionalUrl.expected}`)
    const { discover, ProviderError } = await import('../identity/oidc/provider.ts')
    try {
      await discover({ oidc_endpoint: endpoint, oidc_client_id: undefined, oidc_client_secret: undefined, oidc_verify_cert: verify_cert })
    } catch (error) {
      if (error instanceof ProviderError) throw badField('url', error.message)
      throw error
    }
    return c.body(null, 200)
  })
}

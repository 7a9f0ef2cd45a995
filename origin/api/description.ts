import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { OpenAPIHono } from '@hono/zod-openapi'
import { Hono } from 'hono'
import { BASE_PATH } from './environment.ts'
import type { ApiEnv } from './variables.ts'

const TITLE = 'Atoll'
/** What the page needs of swagger-ui-dist. */
const FILES: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
}
const PAGE = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>${TITLE} API</title><link rel="stylesheet" href="swagger-ui.css"></head>
<body><div id="api"></div><script src="swagger-ui-bundle.js"></script><script src="start.js"></script></body>
</html>
`
const START = `SwaggerUIBundle({ url: '../openapi.json', dom_id: '#api', deepLinking: true, docExpansion: 'none' })\n`
/** Everything from here; the viewer writes styles into its elements. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'"

/** The API in its own words: `/openapi.json` from the routes themselves, and a page to browse it at `/docs/`. */
export function description(api: OpenAPIHono<ApiEnv>): Hono {
  let document: string | undefined
  const folder = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'))
  const page = (body: string | Uint8Array<ArrayBuffer>, type: string) =>
    new Response(body, { headers: { 'Content-Type': type, 'Content-Security-Policy': POLICY, 'Cache-Control': 'public, max-age=3600' } })
  return new Hono()
    .get('/openapi.json', (c) => {
      document ??= JSON.stringify(
        api.getOpenAPI31Document({
          openapi: '3.1.0',
          info: { title: TITLE, version: '2.0', description: 'Harbor’s API, as this registry answers it.' },
          servers: [{ url: BASE_PATH }],
          security: [{ basic: [] }, { session: [] }],
          components: {
            securitySchemes: { basic: { type: 'http', scheme: 'basic' }, session: { type: 'apiKey', in: 'cookie', name: 'sid' } },
          },
        } as Parameters<typeof api.getOpenAPI31Document>[0]),
      )
      return c.body(document, 200, { 'Content-Type': 'application/json', 'Cache-Control': 'public, max-age=3600' })
    })
    .get('/docs', (c) => c.redirect(`${BASE_PATH}/docs/`, 302))
    .get('/docs/', () => page(PAGE, 'text/html; charset=utf-8'))
    .get('/docs/start.js', () => page(START, 'text/javascript; charset=utf-8'))
    .get('/docs/:file', async (c, next) => {
      const file = c.req.param('file')
      const type = Object.hasOwn(FILES, file) ? FILES[file] : undefined
      if (type === undefined) return await next()
      return page(new Uint8Array(await readFile(join(folder, file))), type)
    })
}

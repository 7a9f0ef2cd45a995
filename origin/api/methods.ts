import type { OpenAPIHono } from '@hono/zod-openapi'
import type { ApiEnv } from './variables.ts'

/** Which methods there are at a path of this API, in capitals; none: there is no such path. `path`: without BASE_PATH, as it was sent. */
export function methodsAt(api: OpenAPIHono<ApiEnv>): (path: string) => readonly string[] {
  const served = Map.groupBy(
    api.openAPIRegistry.definitions.flatMap((definition) => (definition.type === 'route' ? [definition.route] : [])),
    ({ path }) => path,
  )
  const places = [...served].map(([template, all]) => ({
    pattern: new RegExp(`^${template.replaceAll(/\{\w+\}/g, '[^/]+')}$`),
    methods: all.map(({ method }) => method.toUpperCase()),
  }))
  return (path) => {
    const methods = new Set(places.filter(({ pattern }) => pattern.test(path)).flatMap((place) => place.methods))
    if (methods.has('GET')) methods.add('HEAD')
    return [...methods].sort()
  }
}

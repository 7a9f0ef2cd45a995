import { createRoute, z } from '@hono/zod-openapi'
import { createFetch } from '../../runtime/fetch.ts'
import { listEdges } from '../../schema/edges.ts'
import {
  createPreheatInstance,
  deletePreheatInstance,
  findPreheatInstance,
  listPreheatInstances,
  type PreheatInstance,
  updatePreheatInstance,
} from '../../schema/preheat.ts'
import { empty, json, refusals } from './answers.ts'
import { type ApiParts, created, routes } from './environment.ts'
import { ApiError, badField, notFound } from './errors.ts'
import { ICONS } from './icons.ts'
import { EDGE_SEEN_MS, EDGES_LIMIT, PING_TIME_MS } from './limits.ts'
import { describePage } from './paging.ts'
import { GivenInstance, Instance, Provider, showInstance, VENDOR } from './preheat-shapes.ts'
import { SEARCHES } from './searches.ts'

const tags = ['preheat']
const PATH = '/p2p/preheat/instances'
const params = z.object({ preheat_instance_name: z.string().max(255) })

/** Which edges projects may warm: Harbor's preheat instances, each an edge that is enrolled here. */
export const preheatInstances = ({ services: { db, clock }, guard }: ApiParts) => {
  const providers = createRoute({
    method: 'get',
    path: '/p2p/preheat/providers',
    tags,
    operationId: 'ListProviders',
    summary: 'The kinds of instances there are',
    middleware: guard.system('preheat-instance', 'list'),
    responses: { 200: json(z.array(Provider), 'Our own edges.'), ...refusals(401, 403) },
  })

  const ping = createRoute({
    method: 'post',
    path: `${PATH}/ping`,
    tags,
    operationId: 'PingInstances',
    summary: 'Whether an edge answers: one that is known by its id, or any enrolled one by its endpoint',
    middleware: guard.system('preheat-instance', 'read'),
    request: { body: { required: true, content: { 'application/json': { schema: GivenInstance } } } },
    responses: { 200: empty('It answers.'), ...refusals(400, 401, 403, 404) },
  })

  const list = createRoute({
    method: 'get',
    path: PATH,
    tags,
    operationId: 'ListInstances',
    summary: 'The edges that projects may warm',
    middleware: guard.system('preheat-instance', 'list'),
    request: { query: z.object(SEARCHES.preheatInstances.query) },
    responses: { 200: json(z.array(Instance), 'One page of them.'), ...refusals(400, 401, 403) },
  })

  const create = createRoute({
    method: 'post',
    path: PATH,
    tags,
    operationId: 'CreateInstance',
    summary: 'Lets projects warm an edge',
    middleware: guard.system('preheat-instance', 'create'),
    request: { body: { required: true, content: { 'application/json': { schema: GivenInstance } } } },
    responses: { 201: empty('Its address is in Location.'), ...refusals(400, 401, 403, 409) },
  })

  const get = createRoute({
    method: 'get',
    path: `${PATH}/{preheat_instance_name}`,
    tags,
    operationId: 'GetInstance',
    summary: 'One of them',
    middleware: guard.system('preheat-instance', 'read'),
    request: { params },
    responses: { 200: json(Instance, 'The instance.'), ...refusals(401, 403, 404) },
  })

  const update = createRoute({
    method: 'put',
    path: `${PATH}/{preheat_instance_name}`,
    tags,
    operationId: 'UpdateInstance',
    summary: 'Changes one; its name stays',
    middleware: guard.system('preheat-instance', 'update'),
    request: { params, body: { required: true, content: { 'application/json': { schema: GivenInstance } } } },
    responses: { 200: empty('Changed.'), ...refusals(400, 401, 403, 404) },
  })

  const remove = createRoute({
    method: 'delete',
    path: `${PATH}/{preheat_instance_name}`,
    tags,
    operationId: 'DeleteInstance',
    summary: 'Lets projects warm an edge no more',
    middleware: guard.system('preheat-instance', 'delete'),
    request: { params },
    responses: { 200: empty('Deleted.'), ...refusals(401, 403, 404, 412) },
  })

  /** Tokens are sent there, so it is one of our edges and nothing else. @throws ApiError BAD_REQUEST */
  const edgeAt = async (endpoint: string | undefined): Promise<string> => {
    if (endpoint === undefined || !URL.canParse(endpoint)) throw badField('endpoint', 'is the URL of an enrolled edge')
    const wanted = new URL(endpoint).origin
    const edges = await listEdges(db, { limit: EDGES_LIMIT })
    if (!edges.some(({ url }) => URL.canParse(url) && new URL(url).origin === wanted)) {
      throw badField('endpoint', `no enrolled edge is at ${wanted}; atoll edge ls shows where they are`)
    }
    return wanted
  }

  const healthy = async ({ endpoint }: PreheatInstance): Promise<boolean> => {
    const edges = await listEdges(db, { limit: EDGES_LIMIT })
    const edge = edges.find(({ url }) => URL.canParse(url) && new URL(url).origin === endpoint)
    return edge?.lastSeenAt != null && clock.now() - edge.lastSeenAt < EDGE_SEEN_MS
  }

  const found = async (name: string): Promise<PreheatInstance> => {
    const instance = await findPreheatInstance(db, { name })
    if (instance === undefined) throw notFound(`preheat instance ${name}`)
    return instance
  }

  return routes()
    .openapi(providers, (c) =>
      c.json([{ id: VENDOR, name: 'Atoll edge', icon: ICONS.image.digest, maintainers: [] as string[], version: '1.0.0', source: '' }], 200),
    )
    .openapi(ping, async (c) => {
      const { id, endpoint, insecure } = c.req.valid('json')
      const known = id === undefined ? undefined : await findPreheatInstance(db, { id })
      if (id !== undefined && known === undefined) throw notFound(`preheat instance ${id}`)
      const url = known?.endpoint ?? (await edgeAt(endpoint))
      const answer = await createFetch({ verifyTls: !(known?.insecure ?? insecure) })(new URL('/readyz', url), {
        signal: AbortSignal.timeout(PING_TIME_MS),
      }).catch((error: unknown) => {
        throw new ApiError('BAD_REQUEST', `The edge at ${url} does not answer.`, { cause: error })
      })
      await answer.body?.cancel()
      if (!answer.ok) throw new ApiError('BAD_REQUEST', `The edge at ${url} is not ready: it answered ${answer.status}.`)
      return c.body(null, 200)
    })
    .openapi(list, async (c) => {
      const query = c.req.valid('query')
      const { items, total } = await listPreheatInstances(db, SEARCHES.preheatInstances.listing(query))
      describePage(c, query, total, SEARCHES.preheatInstances)
      return c.json(await Promise.all(items.map(async (row) => showInstance(row, await healthy(row)))), 200)
    })
    .openapi(create, async (c) => {
      const { name, vendor = VENDOR, auth_mode = 'NONE', ...given } = c.req.valid('json')
      if (name === undefined) throw badField('name', 'is missing')
      if (vendor !== VENDOR) throw badField('vendor', `is ${VENDOR}: no other provider is needed`)
      if (auth_mode !== 'NONE' && auth_mode !== '') throw badField('auth_mode', 'is NONE: an edge knows its origin')
      const endpoint = await edgeAt(given.endpoint)
      const wanted = {
        name,
        description: given.description ?? '',
        endpoint,
        enabled: given.enabled,
        standard: given.default,
        insecure: given.insecure,
      }
      await createPreheatInstance(db, wanted, c.var.principal.id)
      return created(c, `${PATH}/${name}`)
    })
    .openapi(get, async (c) => {
      const row = await found(c.req.valid('param').preheat_instance_name)
      return c.json(showInstance(row, await healthy(row)), 200)
    })
    .openapi(update, async (c) => {
      const { name } = await found(c.req.valid('param').preheat_instance_name)
      const { description, endpoint, enabled, default: standard, insecure } = c.req.valid('json')
      const patch = {
        enabled,
        standard,
        insecure,
        ...(description != null && { description }),
        ...(endpoint !== undefined && { endpoint: await edgeAt(endpoint) }),
      }
      await updatePreheatInstance(db, name, patch, c.var.principal.id)
      return c.body(null, 200)
    })
    .openapi(remove, async (c) => {
      await deletePreheatInstance(db, c.req.valid('param').preheat_instance_name, c.var.principal.id)
      return c.body(null, 200)
    })
}

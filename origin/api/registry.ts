import { createRoute, z } from '@hono/zod-openapi'
import { isRepositoryName, type RepositoryName } from '../../registry/spec/names.ts'
import { sameSecret } from '../../runtime/credentials/same.ts'
import { createFetch } from '../../runtime/fetch.ts'
import { proxyFor } from '../../runtime/settings/proxy.ts'
import {
  createEndpoint,
  deleteEndpoint,
  type Endpoint,
  findEndpointById,
  listEndpoints,
  recordEndpointStatus,
  updateEndpoint,
} from '../../schema/endpoints.ts'
import { sameServer } from '../config/same-server.ts'
import { endpointPurpose } from '../proxy-caches.ts'
import { empty, json, refusals } from './answers.ts'
import { type ApiParts, created, id, routes } from './environment.ts'
import { ApiError, badField, notFound } from './errors.ts'
import { pausesOf } from './held-back.ts'
import { describePage } from './paging.ts'
import { pingEndpoint } from './registry-ping.ts'
import { NewRegistry, Registry, RegistryChange, RegistryPing, secretOf, showRegistry } from './registry-shapes.ts'
import { formOf, REGISTRY_TYPES, resourceFilters, TRIGGERS } from './registry-types.ts'
import { SEARCHES } from './searches.ts'

const tags = ['registry']
const params = z.object({ id })

const RegistryInfo = z
  .object({
    type: z.string(),
    description: z.string(),
    supported_resource_filters: z.array(z.object({ type: z.string(), style: z.string(), values: z.array(z.string()).optional() })),
    supported_triggers: z.array(z.string()),
    supported_copy_by_chunk: z.boolean(),
  })
  .openapi('RegistryInfo')

const ProviderInfo = z
  .object({
    endpoint_pattern: z.object({ endpoint_type: z.string(), endpoints: z.array(z.object({ key: z.string(), value: z.string() })) }),
    credential_pattern: z.object({
      access_key_type: z.string(),
      access_key_data: z.string(),
      access_secret_type: z.string(),
      access_secret_data: z.string(),
    }),
  })
  .openapi('RegistryProviderInfo')

const RightState = z.enum(['allowed', 'denied', 'unknown'])
const PingAnswer = z
  .object({
    rights: z.object({ list: RightState, pull: RightState, push: RightState }),
    notes: z.array(z.string()).describe('What does not keep it from working, and is good to know'),
  })
  .openapi('RegistryPingAnswer')

export const registries = ({ services, guard }: ApiParts) => {
  const { db, secrets } = services

  const types = createRoute({
    method: 'get',
    path: '/replication/adapters',
    tags,
    operationId: 'listRegistryProviderTypes',
    summary: 'The kinds of registries that an endpoint may be',
    middleware: guard.system('replication-adapter', 'list'),
    responses: { 200: json(z.array(z.string()), 'Their names.'), ...refusals(401, 403) },
  })

  const infos = createRoute({
    method: 'get',
    path: '/replication/adapterinfos',
    tags,
    operationId: 'listRegistryProviderInfos',
    summary: 'Where registries of each kind are, and what their credentials are called',
    middleware: guard.system('replication-adapter', 'list'),
    responses: { 200: json(z.record(z.string(), ProviderInfo), 'By their names.'), ...refusals(401, 403) },
  })

  const list = createRoute({
    method: 'get',
    path: '/registries',
    tags,
    operationId: 'listRegistries',
    summary: 'The endpoints',
    middleware: guard.system('registry', 'list'),
    request: { query: z.object({ ...SEARCHES.registries.query, name: z.string().max(255).optional() }) },
    responses: { 200: json(z.array(Registry), 'One page of them.'), ...refusals(400, 401, 403) },
  })

  const create = createRoute({
    method: 'post',
    path: '/registries',
    tags,
    operationId: 'createRegistry',
    summary: 'Adds an endpoint; its secret is sealed and never answered',
    middleware: guard.system('registry', 'create'),
    request: { body: { required: true, content: { 'application/json': { schema: NewRegistry } } } },
    responses: { 201: empty('Its address is in Location.'), ...refusals(400, 401, 403, 409) },
  })

  const ping = createRoute({
    method: 'post',
    path: '/registries/ping',
    tags,
    operationId: 'pingRegistry',
    summary: 'Whether a registry answers and takes the credential; what is wrong, if not',
    middleware: guard.system('registry', 'read'),
    request: { body: { required: true, content: { 'application/json': { schema: RegistryPing } } } },
    responses: { 200: json(PingAnswer, 'It answers and takes it.'), ...refusals(400, 401, 403, 404) },
  })

  const get = createRoute({
    method: 'get',
    path: '/registries/{id}',
    tags,
    operationId: 'getRegistry',
    summary: 'One endpoint',
    middleware: guard.system('registry', 'read'),
    request: { params },
    responses: { 200: json(Registry, 'The endpoint.'), ...refusals(401, 403, 404) },
  })

  const info = createRoute({
    method: 'get',
    path: '/registries/{id}/info',
    tags,
    operationId: 'getRegistryInfo',
    summary: 'What replication can do with an endpoint; 0 is this registry',
    middleware: guard.system('registry', 'read'),
    request: { params: z.object({ id: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER) }) },
    responses: { 200: json(RegistryInfo, 'What it can do.'), ...refusals(401, 403, 404) },
  })

  const update = createRoute({
    method: 'put',
    path: '/registries/{id}',
    tags,
    operationId: 'updateRegistry',
    summary: 'Changes what the body names',
    middleware: guard.system('registry', 'update'),
    request: { params, body: { required: true, content: { 'application/json': { schema: RegistryChange } } } },
    responses: { 200: empty('Changed.'), ...refusals(400, 401, 403, 404, 409) },
  })

  const remove = createRoute({
    method: 'delete',
    path: '/registries/{id}',
    tags,
    operationId: 'deleteRegistry',
    summary: 'Takes an endpoint away that nothing uses',
    middleware: guard.system('registry', 'delete'),
    request: { params },
    responses: { 200: empty('Taken away.'), ...refusals(401, 403, 404, 412) },
  })

  const found = async (endpointId: number): Promise<Endpoint> => {
    const endpoint = await findEndpointById(db, endpointId)
    if (endpoint === undefined) throw notFound(`registry ${endpointId}`)
    return endpoint
  }

  return routes()
    .openapi(types, (c) => c.json(Object.keys(REGISTRY_TYPES), 200))
    .openapi(infos, (c) => {
      const entries = Object.entries(REGISTRY_TYPES).map(([type, known]) => [type, formOf(known)])
      return c.json(Object.fromEntries(entries), 200)
    })
    .openapi(list, async (c) => {
      const query = c.req.valid('query')
      const { items, total } = await listEndpoints(db, { name: query.name }, SEARCHES.registries.listing(query))
      describePage(c, query, total, SEARCHES.registries)
      const paused = await pausesOf(db)
      return c.json(
        items.map((row) => showRegistry(row, paused(row))),
        200,
      )
    })
    .openapi(create, async (c) => {
      const { name, url, type, description, insecure, ca_certificate, credential, jobs_at_once, speed } = c.req.valid('json')
      const actor = c.var.principal.id
      const secret = secretOf(credential?.access_secret)
      const endpoint = await createEndpoint(
        db,
        {
          name,
          url,
          type,
          description: description ?? undefined,
          insecure: insecure ?? undefined,
          caCertificate: ca_certificate ?? undefined,
          credentialType: credential?.access_key ? (credential.type ?? 'basic') : undefined,
          accessKey: credential?.access_key || undefined,
          jobsAtOnce: jobs_at_once ?? undefined,
          speed: speed ?? undefined,
        },
        actor,
      )
      // What is sealed is bound to the endpoint's id, which there is only now.
      if (secret !== undefined)
        await updateEndpoint(db, endpoint.id, { sealedSecret: await secrets.seal(secret, endpointPurpose(endpoint.id)) }, actor)
      return created(c, `/registries/${endpoint.id}`)
    })
    .openapi(ping, async (c) => {
      const body = c.req.valid('json')
      const known = typeof body.id === 'number' && body.id > 0 ? await found(body.id) : undefined
      const url = body.url ?? known?.url
      const type = body.type ?? known?.type ?? 'docker-registry'
      if (url === undefined) throw badField('url', 'is missing')
      // A secret that is kept goes to the host it was given for and to no other.
      const sealed = known !== undefined && sameServer(known.url, url) ? known.sealedSecret : null
      const kept = known !== undefined && sealed !== null ? await secrets.unseal(sealed, endpointPurpose(known.id)) : undefined
      const username = body.access_key ?? known?.accessKey ?? undefined
      const password = secretOf(body.access_secret) ?? kept
      const insecure = body.insecure ?? known?.insecure ?? false
      const caCertificate = body.ca_certificate ?? known?.caCertificate ?? null
      const asKept =
        known !== undefined &&
        url === known.url &&
        type === known.type &&
        username === (known.accessKey ?? undefined) &&
        sameSecret(kept ?? '', password ?? '') &&
        insecure === known.insecure &&
        caCertificate === known.caCertificate
      try {
        const answer = await pingEndpoint(services, {
          url: new URL(url),
          type,
          username,
          password,
          fetch: createFetch({ verifyTls: !insecure, ca: caCertificate || undefined, proxy: proxyFor(services.config, 'core') }),
          repository: repositoryOf(body.repository),
          signal: c.req.raw.signal,
        })
        if (asKept) await recordEndpointStatus(db, known, 'healthy', '')
        return c.json({ rights: answer.rights, notes: [...answer.notes] }, 200)
      } catch (error) {
        // That the account lacks a right for one repository says nothing of the endpoint.
        if (asKept && error instanceof ApiError && !error.message.startsWith('rights:')) {
          await recordEndpointStatus(db, known, 'unhealthy', error.message)
        }
        throw error
      }
    })
    .openapi(get, async (c) => {
      const row = await found(c.req.valid('param').id)
      return c.json(showRegistry(row, (await pausesOf(db))(row)), 200)
    })
    .openapi(info, async (c) => {
      const registryId = c.req.valid('param').id
      const type = registryId === 0 ? 'atoll' : (await found(registryId)).type
      return c.json(
        {
          type,
          description: REGISTRY_TYPES[type]?.description ?? type,
          supported_resource_filters: [...resourceFilters()],
          supported_triggers: [...TRIGGERS],
          supported_copy_by_chunk: true,
        },
        200,
      )
    })
    .openapi(update, async (c) => {
      const endpoint = await found(c.req.valid('param').id)
      const body = c.req.valid('json')
      const secret = secretOf(body.access_secret)
      const moved = body.url !== undefined && body.url !== null && !sameServer(body.url, endpoint.url)
      if (moved && secret === undefined && endpoint.sealedSecret !== null && body.access_secret !== '') {
        throw badField('access_secret', 'give it again for the new host: the one that is kept goes to the old host only')
      }
      const dropped = body.access_secret === ''
      await updateEndpoint(
        db,
        endpoint.id,
        {
          name: body.name ?? undefined,
          url: body.url ?? undefined,
          description: body.description ?? undefined,
          insecure: body.insecure ?? undefined,
          jobsAtOnce: body.jobs_at_once ?? undefined,
          speed: body.speed ?? undefined,
          ...(body.ca_certificate !== undefined && { caCertificate: body.ca_certificate || null }),
          ...(body.access_key !== undefined && body.access_key !== null && { accessKey: body.access_key || null }),
          ...(body.credential_type && { credentialType: body.credential_type }),
          ...(secret !== undefined && { sealedSecret: await secrets.seal(secret, endpointPurpose(endpoint.id)) }),
          ...(dropped && { sealedSecret: null }),
        },
        c.var.principal.id,
      )
      return c.body(null, 200)
    })
    .openapi(remove, async (c) => {
      const endpoint = await found(c.req.valid('param').id)
      await deleteEndpoint(db, endpoint.id, c.var.principal.id).catch((error: unknown) => {
        throw isInUse(error) ? new ApiError('VIOLATE_FOREIGN_KEY_CONSTRAINT', error.message, { cause: error }) : error
      })
      return c.body(null, 200)
    })
}

function repositoryOf(name: string | null | undefined): RepositoryName | undefined {
  if (name === undefined || name === null || name === '') return undefined
  if (!isRepositoryName(name)) throw badField('repository', 'is a repository such as team/app')
  return name
}

function isInUse(error: unknown): error is Error {
  return error instanceof Error && 'status' in error && error.status === 412
}

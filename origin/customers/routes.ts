import { Hono } from 'hono'
import { z } from 'zod'
import { refuseExpired } from '../../control-plane/replication/expiry.ts'
import { readFilters } from '../../control-plane/replication/filters.ts'
import type { Principal } from '../../policy/facts.ts'
import { vendorOf } from '../../registry/remote/index.ts'
import { probe } from '../../registry/remote/probe.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import { isRepositoryName, parseRepositoryName } from '../../registry/spec/names.ts'
import { type Customer, createCustomer, deleteCustomer, findCustomer, listCustomers } from '../../schema/customers.ts'
import { type Endpoint, findEndpointById, recordEndpointStatus, updateEndpoint } from '../../schema/endpoints.ts'
import { findProjectByName, type Project } from '../../schema/projects.ts'
import { listExecutions, startExecution } from '../../schema/replication-executions.ts'
import { planReplication } from '../../schema/replication-jobs.ts'
import { PING_TIME_MS } from '../api/limits.ts'
import { csvRow, streamed } from '../exports.ts'
import { readBody } from '../mesh/bodies.ts'
import { endpointCredentials, endpointPurpose, type FetchFor } from '../proxy-caches.ts'
import type { OriginServices } from '../services.ts'
import { type ReportLine, report } from './report.ts'
import { CustomerChangeBody, NewCustomerBody, showCustomer } from './shapes.ts'

const PATH = '/api/atoll/v1/projects/:project/customers'
const ONE = `${PATH}/:name`
const PINGED = z.object({ repository: z.string().refine(isRepositoryName, 'is a repository such as team/app').optional() })
const COLUMNS = [
  'repository',
  'destination',
  'tag',
  'digest',
  'delivered_at',
  'bytes',
  'now',
  'digest_there',
  'why',
] as const satisfies readonly (keyof ReportLine)[]

type Services = Pick<OriginServices, 'db' | 'clock' | 'secrets' | 'authenticate' | 'authorize'>

/** Registries of customers that a project is delivered to; for the project's administrators. And for the system's, what any endpoint got. */
export function customersApi({ db, clock, secrets, authenticate, authorize }: Services, fetchFor: FetchFor): Hono {
  const open = async (request: Request, name: string): Promise<{ principal: Principal; project: Project }> => {
    const principal = await authenticate(request)
    await authorize(principal, { resource: 'customer', action: 'manage' }, name)
    const project = await findProjectByName(db, name)
    if (project === undefined) throw missing(`project ${name}`)
    return { principal, project }
  }
  const openOne = async (request: Request, projectName: string, name: string) => {
    const { principal, project } = await open(request, projectName)
    const customer = await findCustomer(db, project, name)
    if (customer === undefined) throw missing(`customer ${name} of ${project.name}`)
    return { principal, project, customer }
  }
  const shown = async (customer: Customer, project: Project) => {
    const { items } = await listExecutions(db, { policyId: customer.rule.id }, { page: 1, pageSize: 1 })
    return showCustomer(customer, project.name, clock.now(), items[0])
  }
  const reported = (endpoint: Endpoint, request: Request) => {
    const query = new URL(request.url).searchParams
    const csv = query.get('format') === 'csv'
    const verify = query.get('verify') !== 'false'
    const lines = () => report(endpoint, { db, clock, secrets, fetchFor, verify, signal: request.signal })
    return streamed(csv ? 'text/csv; charset=utf-8' : 'application/jsonl', async function* () {
      if (csv) yield csvRow(COLUMNS)
      for await (const page of lines())
        yield page.map((line) => (csv ? csvRow(COLUMNS.map((name) => line[name])) : `${JSON.stringify(line)}\n`)).join('')
    })
  }
  return new Hono()
    .get(PATH, async (c) => {
      const { project } = await open(c.req.raw, c.req.param('project'))
      return c.json(await Promise.all((await listCustomers(db, project.id)).map((customer) => shown(customer, project))))
    })
    .post(PATH, async (c) => {
      const { principal, project } = await open(c.req.raw, c.req.param('project'))
      if (project.endpointId !== null)
        throw new RegistryError('UNSUPPORTED', `${project.name} is a proxy cache: what is in it is others’.`, undefined, { status: 412 })
      const body = await readBody(c.req.raw, NewCustomerBody)
      if (body.repositories !== undefined && !body.repositories.startsWith(`${project.name}/`)) {
        throw new RegistryError('UNSUPPORTED', `repositories: begins with ${project.name}/, as nothing else is delivered.`, undefined, {
          status: 400,
        })
      }
      const filters = [
        ...(body.repositories === undefined ? [] : [{ type: 'name', value: body.repositories }]),
        ...(body.tags === undefined ? [] : [{ type: 'tag', value: body.tags, decoration: 'matches' }]),
      ]
      readFilters(filters)
      const { secret } = body
      const customer = await createCustomer(
        db,
        {
          project,
          name: body.name,
          endpoint: {
            url: body.url.replace(/\/+$/, ''),
            type: body.type,
            insecure: body.insecure,
            caCertificate: body.ca_certificate,
            expiresAt: body.expires_at,
            ...(body.username !== '' && { credentialType: 'basic', accessKey: body.username }),
          },
          seal: secret === '' ? undefined : (id) => secrets.seal(secret, endpointPurpose(id)),
          rule: {
            filters,
            destinationNamespace: body.namespace,
            destinationReplaceCount: 1,
            replicateDeletion: body.deletions,
            trigger: body.on_push ? 'event_based' : 'manual',
          },
        },
        principal.id,
      )
      return c.json(await shown(customer, project), 201, { Location: `/api/atoll/v1/projects/${project.name}/customers/${body.name}` })
    })
    .get(ONE, async (c) => {
      const { customer, project } = await openOne(c.req.raw, c.req.param('project'), c.req.param('name'))
      return c.json(await shown(customer, project))
    })
    .patch(ONE, async (c) => {
      const { principal, customer, project } = await openOne(c.req.raw, c.req.param('project'), c.req.param('name'))
      const { expires_at, username, secret } = await readBody(c.req.raw, CustomerChangeBody)
      const { id } = customer.endpoint
      await updateEndpoint(
        db,
        id,
        {
          ...(expires_at !== undefined && { expiresAt: expires_at }),
          ...(username !== undefined && { accessKey: username === '' ? null : username }),
          ...(secret !== undefined && { sealedSecret: await secrets.seal(secret, endpointPurpose(id)) }),
        },
        principal.id,
      )
      const changed = await findCustomer(db, project, c.req.param('name'))
      return c.json(await shown(changed ?? customer, project))
    })
    .delete(ONE, async (c) => {
      const { principal, customer } = await openOne(c.req.raw, c.req.param('project'), c.req.param('name'))
      await deleteCustomer(db, customer, principal.id)
      return c.body(null, 204)
    })
    .post(`${ONE}/ping`, async (c) => {
      const { customer } = await openOne(c.req.raw, c.req.param('project'), c.req.param('name'))
      const { endpoint } = customer
      const { repository } = await readBody(c.req.raw, PINGED)
      refuseExpired(endpoint, clock.now())
      const result = await probe({
        url: new URL(endpoint.url),
        vendor: vendorOf(endpoint.type),
        fetch: fetchFor(endpoint),
        clock,
        credentials: await endpointCredentials(endpoint, secrets),
        repository: repository === undefined ? undefined : parseRepositoryName(repository),
        timeMs: PING_TIME_MS,
        signal: c.req.raw.signal,
      })
      if (result.ok || result.step !== 'rights')
        await recordEndpointStatus(db, endpoint, result.ok ? 'healthy' : 'unhealthy', result.ok ? '' : result.message)
      if (!result.ok) throw new RegistryError('UNSUPPORTED', result.message, undefined, { status: 400, cause: result.cause })
      return c.json({ rights: result.rights, notes: result.notes })
    })
    .post(`${ONE}/deliveries`, async (c) => {
      const { principal, customer } = await openOne(c.req.raw, c.req.param('project'), c.req.param('name'))
      refuseExpired(customer.endpoint, clock.now())
      const { rule } = customer
      if (!rule.enabled) throw new RegistryError('UNSUPPORTED', `The rule ${rule.name} is disabled.`, undefined, { status: 412 })
      const execution = { policyId: rule.id, trigger: 'manual' as const, operator: principal.id }
      const id = await startExecution(db, execution, (executionId) => planReplication({ executionId }, rule.sourceEndpointId))
      return c.json({ execution_id: id }, 202)
    })
    .get(`${ONE}/deliveries`, async (c) => {
      const { customer } = await openOne(c.req.raw, c.req.param('project'), c.req.param('name'))
      return reported(customer.endpoint, c.req.raw)
    })
    .get('/api/atoll/v1/endpoints/:id{[0-9]{1,15}}/deliveries', async (c) => {
      await authorize(await authenticate(c.req.raw), { resource: 'registry', action: 'read' }, undefined)
      const endpoint = await findEndpointById(db, Number(c.req.param('id')))
      if (endpoint === undefined) throw missing(`endpoint ${c.req.param('id')}`)
      return reported(endpoint, c.req.raw)
    })
}

function missing(what: string): RegistryError {
  return new RegistryError('NAME_UNKNOWN', `There is no ${what}.`)
}

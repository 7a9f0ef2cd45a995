import { and, asc, eq } from 'drizzle-orm'
import type { Database } from './database.ts'
import { createEndpoint, deleteEndpoint, type Endpoint, type NewEndpoint, updateEndpoint } from './endpoints.ts'
import { notFound } from './errors.ts'
import { createReplicationPolicy, deleteReplicationPolicy, type NewReplicationPolicy, type ReplicationPolicy } from './replication.ts'
import { endpoints } from './tables/endpoints.ts'
import { replicationPolicies } from './tables/replication.ts'

/** One project delivered to one registry: an endpoint of the project, with its rule. */
export interface Customer {
  readonly endpoint: Endpoint
  readonly rule: ReplicationPolicy
}

export interface NewCustomer {
  readonly project: { readonly id: number; readonly name: string }
  /** Within the project. */
  readonly name: string
  readonly endpoint: Omit<NewEndpoint, 'name' | 'projectId' | 'sealedSecret'>
  /** Seals the secret, once it is known where it belongs. */
  readonly seal?: ((endpointId: number) => Promise<string>) | undefined
  readonly rule: Pick<NewReplicationPolicy, 'destinationNamespace' | 'destinationReplaceCount' | 'filters' | 'replicateDeletion' | 'trigger' | 'cron'>
}

/** Endpoints of a project, and their rules, are named after it: another project's customers have other names. */
const fullName = (project: string, name: string) => `${project}/${name}`

/** The filter that keeps a rule to its project; it stands before all others, which can only let less through. */
export function filterOfProject(project: string): { readonly type: 'name'; readonly value: string } {
  return { type: 'name', value: `${project}/**` }
}

/** @throws RegistryError 409 there is one of this name */
export async function createCustomer(db: Database, customer: NewCustomer, actor: string): Promise<Customer> {
  const { project, rule, seal } = customer
  const name = fullName(project.name, customer.name)
  const endpoint = await createEndpoint(db, { ...customer.endpoint, name, projectId: project.id }, actor)
  try {
    if (seal !== undefined) await updateEndpoint(db, endpoint.id, { sealedSecret: await seal(endpoint.id) }, actor)
    const filters = [filterOfProject(project.name), ...rule.filters]
    const made = await createReplicationPolicy(
      db,
      { ...rule, filters, name, creator: actor, destinationEndpointId: endpoint.id, override: true, enabled: true },
      actor,
    )
    return { endpoint, rule: made }
  } catch (error) {
    await deleteEndpoint(db, endpoint.id, actor)
    throw error
  }
}

/** Sorted by name. */
export async function listCustomers(db: Database, projectId: number): Promise<Customer[]> {
  const rows = await db.read.sql
    .select({ endpoint: endpoints, rule: replicationPolicies })
    .from(endpoints)
    .innerJoin(replicationPolicies, eq(replicationPolicies.destinationEndpointId, endpoints.id))
    .where(eq(endpoints.projectId, projectId))
    .orderBy(asc(endpoints.name), asc(replicationPolicies.id))
  // An administrator may have made more rules to it: its own came first.
  return rows.filter(({ endpoint }, at) => rows.findIndex((row) => row.endpoint.id === endpoint.id) === at)
}

export async function findCustomer(
  db: Database,
  project: { readonly id: number; readonly name: string },
  name: string,
): Promise<Customer | undefined> {
  return await db.read.sql
    .select({ endpoint: endpoints, rule: replicationPolicies })
    .from(endpoints)
    .innerJoin(replicationPolicies, eq(replicationPolicies.destinationEndpointId, endpoints.id))
    .where(and(eq(endpoints.projectId, project.id), eq(endpoints.name, fullName(project.name, name))))
    .orderBy(asc(replicationPolicies.id))
    .limit(1)
    .get()
}

/** Removes the endpoint with its rule and the record of what was delivered. @throws RegistryError 404, 412 something is being delivered, or another rule goes there */
export async function deleteCustomer(db: Database, { endpoint, rule }: Customer, actor: string): Promise<void> {
  if (endpoint.projectId === null) throw notFound(`${endpoint.name} is no customer.`)
  await deleteReplicationPolicy(db, rule.id, actor)
  await deleteEndpoint(db, endpoint.id, actor)
}

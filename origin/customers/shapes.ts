import { z } from 'zod'
import { expiryOf } from '../../control-plane/replication/expiry.ts'
import { isRepositoryName } from '../../registry/spec/names.ts'
import type { Customer } from '../../schema/customers.ts'
import type { ReplicationExecution } from '../../schema/replication-executions.ts'
import { REGISTRY_TYPES } from '../api/registry-types.ts'

const Key = z.string().max(4096)
const Pattern = z.string().min(1).max(256)
/** An end that is in the past is one: what is set so ends now. null: none. */
const Ends = z.iso
  .datetime({ offset: true, error: 'is a time such as 2027-01-31T00:00:00Z' })
  .or(z.iso.date())
  .transform((text) => Date.parse(text))
  .nullable()

export const NewCustomerBody = z.strictObject({
  name: z
    .string()
    .max(100)
    .regex(/^[a-z0-9]+(?:[._-][a-z0-9]+)*$/, 'is lower-case letters and digits, with . _ - between them'),
  url: z
    .url({ protocol: /^https?$/, error: 'is an address such as https://registry.example.com' })
    .max(2048)
    .refine((text) => {
      const { username, password, search, hash } = new URL(text)
      return `${username}${password}${search}${hash}` === ''
    }, 'has no user, query or fragment'),
  type: z
    .string()
    .refine((type) => Object.hasOwn(REGISTRY_TYPES, type), `is one of ${Object.keys(REGISTRY_TYPES).join(', ')}`)
    .default('docker-registry'),
  username: Key.default(''),
  secret: Key.default(''),
  insecure: z.boolean().default(false),
  ca_certificate: z
    .string()
    .max(256 * 1024)
    .nullable()
    .default(null),
  expires_at: Ends.default(null),
  repositories: Pattern.optional().describe('only these of the project, as in team/app-*'),
  tags: Pattern.optional(),
  namespace: z
    .string()
    .refine((text) => text === '' || isRepositoryName(text), 'is lower-case path components')
    .default(''),
  on_push: z.boolean().default(true),
  deletions: z.boolean().default(false),
})

export const CustomerChangeBody = z.strictObject({
  expires_at: Ends.optional(),
  username: Key.optional(),
  secret: Key.min(1).optional(),
})

/** What administrators of the project see of a customer. The secret is not among it. */
export function showCustomer({ endpoint, rule }: Customer, project: string, now: number, last: ReplicationExecution | undefined) {
  return {
    name: endpoint.name.slice(project.length + 1),
    project,
    endpoint_id: endpoint.id,
    url: endpoint.url,
    type: endpoint.type,
    username: endpoint.accessKey ?? '',
    expires_at: endpoint.expiresAt === null ? null : new Date(endpoint.expiresAt).toISOString(),
    expired: expiryOf(endpoint, now) !== undefined,
    status: endpoint.status,
    status_text: endpoint.statusText,
    rule: { id: rule.id, trigger: rule.trigger, filters: rule.filters, namespace: rule.destinationNamespace, deletions: rule.replicateDeletion },
    last: last === undefined ? null : { id: last.id, status: last.status, text: last.statusText, started_at: new Date(last.startedAt).toISOString() },
  }
}

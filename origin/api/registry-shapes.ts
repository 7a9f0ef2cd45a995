import { z } from '@hono/zod-openapi'
import type { Endpoint } from '../../schema/endpoints.ts'
import { instant } from './environment.ts'
import { REGISTRY_TYPES } from './registry-types.ts'

const Name = z.string().min(1, 'is missing').max(255, 'has 255 characters at most')
const Type = z.string().refine((type) => Object.hasOwn(REGISTRY_TYPES, type), `is one of ${Object.keys(REGISTRY_TYPES).join(', ')}`)

/** An address with http or https and without credentials; `https://` is filled in. */
const Address = z
  .string()
  .min(1, 'is missing')
  .max(2048)
  .transform((text) => (/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `https://${text}`).replace(/\/+$/, ''))
  .refine((text) => {
    if (!URL.canParse(text)) return false
    const { protocol, username, password, search, hash } = new URL(text)
    return (protocol === 'https:' || protocol === 'http:') && `${username}${password}${search}${hash}` === ''
  }, 'is an address such as https://registry.example.com, without a user, a query or a fragment')

const Certificate = z
  .string()
  .max(256 * 1024)
  .refine((text) => text.trim() === '' || text.includes('-----BEGIN CERTIFICATE-----'), 'is no certificate in PEM')
const Key = z.string().max(4096)
const Description = z.string().max(1024, 'has 1024 characters at most')
const CredentialType = z.string().max(32)
const JobsAtOnce = z.number().int().min(0).max(1024).describe('Jobs that use it at once, over all processes; 0: as many as those do. Atoll’s own')
const Speed = z
  .number()
  .int()
  .min(-1)
  .max(2 ** 31 - 1)
  .describe('KiB a second, over all rules that use it; 0 or -1: as fast as it goes. Atoll’s own')

const Credential = z
  .object({ type: CredentialType.nullish(), access_key: Key.nullish(), access_secret: Key.nullish() })
  .openapi('RegistryCredentialRequest')

export const NewRegistry = z.object({
  name: Name,
  url: Address,
  type: Type,
  description: Description.nullish(),
  insecure: z.boolean().nullish(),
  ca_certificate: Certificate.nullish(),
  credential: Credential.nullish(),
  jobs_at_once: JobsAtOnce.nullish(),
  speed: Speed.nullish(),
})

export const RegistryChange = z
  .object({
    name: Name.nullish(),
    url: Address.nullish(),
    description: Description.nullish(),
    credential_type: CredentialType.nullish(),
    access_key: Key.nullish(),
    access_secret: Key.nullish(),
    insecure: z.boolean().nullish(),
    ca_certificate: Certificate.nullish(),
    jobs_at_once: JobsAtOnce.nullish(),
    speed: Speed.nullish(),
  })
  .openapi('RegistryUpdate')

export const RegistryPing = z
  .object({
    id: z.number().int().max(Number.MAX_SAFE_INTEGER).nullish(),
    type: Type.nullish(),
    url: Address.nullish(),
    credential_type: CredentialType.nullish(),
    access_key: Key.nullish(),
    access_secret: Key.nullish(),
    insecure: z.boolean().nullish(),
    ca_certificate: Certificate.nullish(),
    repository: z.string().max(255).nullish().describe('A repository there whose rights are looked at: an upload is begun, and called off'),
  })
  .openapi('RegistryPing')

export const Registry = z
  .object({
    id: z.number().int(),
    name: z.string(),
    url: z.string(),
    type: z.string(),
    description: z.string(),
    insecure: z.boolean(),
    ca_certificate: z.string().optional(),
    credential: z.object({ type: z.string(), access_key: z.string(), access_secret: z.string().optional() }).optional(),
    jobs_at_once: JobsAtOnce.optional(),
    speed: Speed.optional(),
    status: z.string(),
    status_text: z.string().optional().describe('What is wrong with it'),
    creation_time: z.string(),
    update_time: z.string(),
  })
  .openapi('Registry')

/** What stands where a secret is kept, as Harbor shows it; sent back, it means the secret that is kept. */
const KEPT = '*****'

/** The secret that a request gives, if it gives one. */
export function secretOf(text: string | null | undefined): string | undefined {
  return text === undefined || text === null || text === '' || text === KEPT ? undefined : text
}

/** `paused`: why it is not asked now. */
export function showRegistry(row: Endpoint, paused?: string): z.infer<typeof Registry> {
  const wrong = row.statusText || paused
  return {
    id: row.id,
    name: row.name,
    url: row.url,
    type: row.type,
    description: row.description,
    insecure: row.insecure,
    ...(row.caCertificate !== null && { ca_certificate: row.caCertificate }),
    ...(row.accessKey !== null && {
      credential: { type: row.credentialType ?? 'basic', access_key: row.accessKey, ...(row.sealedSecret !== null && { access_secret: KEPT }) },
    }),
    jobs_at_once: row.jobsAtOnce,
    speed: row.speed,
    status: row.status,
    ...(wrong && { status_text: wrong }),
    creation_time: instant(row.createdAt),
    update_time: instant(row.updatedAt),
  }
}

import { z } from '@hono/zod-openapi'
import { WEBHOOK_EVENTS } from '../../control-plane/webhooks/events.ts'
import type { WebhookPolicy as Row } from '../../schema/webhooks.ts'
import { instant } from './environment.ts'

/** What stands in the place of a header that is kept: sent back, it stays. */
export const KEPT = '***'

const address = z
  .string()
  .max(2_000)
  .refine((text) => /^https?:\/\//i.test(text) && URL.canParse(text), 'is an http or https URL')
  .refine(
    (text) => !URL.canParse(text) || (new URL(text).username === '' && new URL(text).password === ''),
    'has no credentials in it; use auth_header',
  )

const Target = z
  .object({
    type: z.enum(['http', 'slack', 'teams']),
    address,
    auth_header: z
      .string()
      .max(4_000)
      .regex(/^[\x20-\x7e]*$/, 'is printable ASCII')
      .optional(),
    skip_cert_verify: z.boolean().default(false),
    payload_format: z.enum(['Default', 'CloudEvents']).or(z.literal('')).optional(),
  })
  .openapi('WebhookTargetObject')

export const NewPolicy = z
  .object({
    name: z.string().trim().min(1).max(255),
    description: z.string().max(1_000).nullish(),
    targets: z.array(Target).min(1, 'has at least one target').max(10),
    event_types: z.array(z.enum(WEBHOOK_EVENTS)).min(1, 'has at least one event').max(100),
    enabled: z.boolean().default(false),
  })
  .openapi('NewWebhookPolicy')

export const Policy = z
  .object({
    id: z.number().int(),
    name: z.string(),
    description: z.string(),
    project_id: z.number().int(),
    targets: z.array(
      z.object({
        type: z.string(),
        address: z.string(),
        auth_header: z.string().optional(),
        skip_cert_verify: z.boolean(),
        payload_format: z.string().optional(),
      }),
    ),
    event_types: z.array(z.string()),
    creator: z.string(),
    creation_time: z.string(),
    update_time: z.string(),
    enabled: z.boolean(),
  })
  .openapi('WebhookPolicy')

export const showPolicy = (row: Row): z.infer<typeof Policy> => ({
  id: row.id,
  name: row.name,
  description: row.description,
  project_id: row.projectId,
  targets: row.targets.map(({ type, address, sealedAuthHeader, skipCertVerify, payloadFormat }) => ({
    type,
    address,
    ...(sealedAuthHeader !== undefined && { auth_header: KEPT }),
    skip_cert_verify: skipCertVerify,
    ...(type === 'http' && { payload_format: payloadFormat }),
  })),
  event_types: [...row.events],
  creator: row.creator,
  creation_time: instant(row.createdAt),
  update_time: instant(row.updatedAt),
  enabled: row.enabled,
})

export const LastTrigger = z
  .object({
    policy_name: z.string(),
    event_type: z.string(),
    enabled: z.boolean(),
    creation_time: z.string(),
    last_trigger_time: z.string().optional(),
  })
  .openapi('WebhookLastTrigger')

export const EventTypes = z
  .object({
    event_type: z.array(z.string()),
    notify_type: z.array(z.string()),
    payload_formats: z.array(z.object({ notify_type: z.string(), formats: z.array(z.string()) })),
  })
  .openapi('SupportedWebhookEventTypes')

export const Job = z
  .object({
    id: z.number().int(),
    policy_id: z.number().int(),
    event_type: z.string(),
    notify_type: z.string(),
    status: z.string(),
    job_detail: z.string(),
    creation_time: z.string(),
    update_time: z.string(),
  })
  .openapi('WebhookJob')

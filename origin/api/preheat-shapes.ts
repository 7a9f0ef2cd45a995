import { z } from '@hono/zod-openapi'
import type { PreheatFilters, PreheatInstance, PreheatPolicy } from '../../schema/preheat.ts'
import { instant } from './environment.ts'
import { badField } from './errors.ts'

/** The one kind of provider: our own edges. */
export const VENDOR = 'atoll-edge'

export const Provider = z
  .object({ id: z.string(), name: z.string(), icon: z.string(), maintainers: z.array(z.string()), version: z.string(), source: z.string() })
  .openapi('Metadata')

const name = z
  .string()
  .trim()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$/, 'is up to 255 letters, digits, dots, dashes and underscores')

export const GivenInstance = z
  .object({
    id: z.number().int().optional(),
    name: name.optional(),
    description: z.string().max(1_000).nullish(),
    vendor: z.string().max(255).optional(),
    endpoint: z.string().max(2_000).optional(),
    auth_mode: z.string().max(64).optional(),
    auth_info: z.record(z.string(), z.string()).nullish(),
    enabled: z.boolean().default(false),
    default: z.boolean().default(false),
    insecure: z.boolean().default(false),
  })
  .openapi('NewInstance')

export const Instance = z
  .object({
    id: z.number().int(),
    name: z.string(),
    description: z.string(),
    vendor: z.string(),
    endpoint: z.string(),
    auth_mode: z.string(),
    status: z.string(),
    enabled: z.boolean(),
    default: z.boolean(),
    insecure: z.boolean(),
    setup_timestamp: z.number().int(),
  })
  .openapi('Instance')

export const showInstance = (row: PreheatInstance, healthy: boolean): z.infer<typeof Instance> => ({
  id: row.id,
  name: row.name,
  description: row.description,
  vendor: VENDOR,
  endpoint: row.endpoint,
  auth_mode: 'NONE',
  status: healthy ? 'Healthy' : 'Unhealthy',
  enabled: row.enabled,
  default: row.standard,
  insecure: row.insecure,
  setup_timestamp: Math.floor(row.createdAt / 1000),
})

export const ProjectProvider = z
  .object({ id: z.number().int(), provider: z.string(), enabled: z.boolean(), default: z.boolean() })
  .openapi('ProviderUnderProject')

export const GivenPolicy = z
  .object({
    name,
    description: z.string().max(1_000).nullish(),
    provider_id: z.number().int().min(1),
    /** JSON in a text, as Harbor has it. */
    filters: z.string().max(8_000).default('[]'),
    trigger: z.string().max(1_000).default(''),
    enabled: z.boolean().default(false),
    extra_attrs: z.string().max(4_000).optional(),
  })
  .openapi('NewPreheatPolicy')

export const Policy = z
  .object({
    id: z.number().int(),
    name: z.string(),
    description: z.string(),
    project_id: z.number().int(),
    provider_id: z.number().int(),
    provider_name: z.string(),
    filters: z.string(),
    trigger: z.string(),
    enabled: z.boolean(),
    extra_attrs: z.string(),
    creation_time: z.string(),
    update_time: z.string(),
  })
  .openapi('PreheatPolicy')

export const showPolicy = (row: PreheatPolicy, provider: string): z.infer<typeof Policy> => ({
  id: row.id,
  name: row.name,
  description: row.description,
  project_id: row.projectId,
  provider_id: row.instanceId,
  provider_name: provider,
  filters: JSON.stringify([
    { type: 'repository', value: row.filters.repository },
    { type: 'tag', value: row.filters.tag },
    ...(row.filters.labels.length === 0 ? [] : [{ type: 'label', value: row.filters.labels.join(',') }]),
  ]),
  trigger: JSON.stringify({ type: row.trigger, trigger_setting: row.cron === null ? {} : { cron: row.cron } }),
  enabled: row.enabled,
  extra_attrs: row.extraAttributes,
  creation_time: instant(row.createdAt),
  update_time: instant(row.updatedAt),
})

const Filters = z.array(z.object({ type: z.string(), value: z.unknown() })).max(20)
const Trigger = z.object({
  type: z.enum(['manual', 'scheduled', 'event_based']).default('manual'),
  trigger_setting: z
    .object({ cron: z.string().max(128).default('') })
    .partial()
    .nullish(),
})

/** @throws ApiError BAD_REQUEST. What asks for scans or signatures (`vulnerability`, `signature`) is refused: there is nothing yet to ask. */
export function readFilters(text: string): PreheatFilters {
  const read = Filters.safeParse(json('filters', text))
  if (!read.success) throw badField('filters', 'is a JSON list like [{"type":"repository","value":"**"},{"type":"tag","value":"v*"}]')
  const filters = { repository: '**', tag: '**', labels: [] as string[] }
  for (const { type, value } of read.data) {
    if (type === 'repository' || type === 'tag') filters[type] = String(value)
    else if (type === 'label') {
      filters.labels = String(value)
        .split(',')
        .map((label) => label.trim())
        .filter((label) => label !== '')
    } else if (!((type === 'signature' && value === false) || (type === 'vulnerability' && Number(value) >= 5))) {
      throw badField('filters', `${type} cannot be asked for: there are repository, tag and label`)
    }
  }
  return filters
}

/** @throws ApiError BAD_REQUEST */
export function readTrigger(text: string): { readonly type: PreheatPolicy['trigger']; readonly cron: string | null } {
  const read = Trigger.safeParse(text === '' ? {} : json('trigger', text))
  if (!read.success) throw badField('trigger', 'is a JSON object like {"type":"scheduled","trigger_setting":{"cron":"0 0 3 * * *"}}')
  const { type, trigger_setting } = read.data
  const cron = trigger_setting?.cron ?? ''
  if (type === 'scheduled' && cron === '') throw badField('trigger', 'a scheduled policy needs trigger_setting.cron')
  return { type, cron: type === 'scheduled' ? cron : null }
}

function json(field: string, text: string): unknown {
  try {
    return JSON.parse(text === '' ? '[]' : text)
  } catch (error) {
    if (error instanceof SyntaxError) throw badField(field, 'is no JSON')
    throw error
  }
}

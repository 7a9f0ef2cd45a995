import { z } from '@hono/zod-openapi'

// A project's settings, which Harbor calls its metadata: strings by name, each with its own grammar.

const flag = z.enum(['true', 'false'])
const count = (least: number) =>
  z
    .string()
    .regex(/^-?\d{1,12}$/, 'is a whole number in a string')
    .refine((text) => Number(text) >= least, `is ${least} or more`)

/** The settings of a project other than `public`, each a string as Harbor writes it. */
export const SETTINGS = {
  enable_content_trust: flag,
  enable_content_trust_cosign: flag,
  prevent_vul: flag,
  severity: z.enum(['none', 'low', 'medium', 'high', 'critical']),
  auto_scan: flag,
  auto_sbom_generation: flag,
  reuse_sys_cve_allowlist: flag,
  retention_id: count(1),
  proxy_speed_kb: count(-1),
  max_upstream_conn: count(-1),
  proxy_cache_local_on_not_found: flag,
  proxy_referrer_api: flag,
  proxy_cache_filter_pattern: z.string().max(1024),
  proxy_cache_filter_kind: z.enum(['doublestar', 'regex']),
} as const

export type SettingName = keyof typeof SETTINGS

/** What a project's `metadata` holds in answers. */
export const ProjectSettings = z
  .object({ public: flag, ...SETTINGS })
  .partial()
  .openapi('ProjectMetadata')

/** Set with the policy that it names, and by nothing else: a client that could change it would hide the policy from all others. */
export const RETENTION_ID = 'retention_id'

const { [RETENTION_ID]: _, ...ofClients } = SETTINGS
const nullable = Object.fromEntries(Object.entries(ofClients).map(([name, schema]) => [name, schema.nullish()]))

/** What a project's `metadata` may hold in requests; null stands for absent, as clients send it. Names that nobody knows are refused. */
export const ProjectSettingsChange = z.strictObject({ public: flag.nullish(), ...nullable, [RETENTION_ID]: z.string().max(32).nullish() })

/** One setting by name, as the metadata operations take it. */
export const OneSetting = z
  .strictObject({ public: flag, ...ofClients })
  .partial()
  .refine((settings) => Object.keys(settings).length === 1, 'holds exactly one setting')

/** What means something for a proxy cache only; Harbor passes it over in the requests of other projects. */
export const PROXY_SETTINGS: ReadonlySet<string> = new Set<SettingName>([
  'proxy_speed_kb',
  'max_upstream_conn',
  'proxy_cache_filter_pattern',
  'proxy_cache_filter_kind',
])

export function isSettingName(name: string): name is SettingName {
  return Object.hasOwn(SETTINGS, name)
}

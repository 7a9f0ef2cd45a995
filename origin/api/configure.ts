import { createRoute, z } from '@hono/zod-openapi'
import { dropAdminsByGroup } from '../../schema/users.ts'
import { BadSetting } from '../config/live.ts'
import { type LiveKey, type LiveValues, liveSettings } from '../config/live-settings.ts'
import type { OriginServices } from '../services.ts'
import { empty, json, refusals } from './answers.ts'
import { type ApiParts, routes } from './environment.ts'
import { badField } from './errors.ts'

const tags = ['configure']
const KEYS = Object.keys(liveSettings) as LiveKey[]

const Item = z.object({ value: z.union([z.string(), z.number(), z.boolean()]), editable: z.boolean() })
const Configurations = z.record(z.string(), Item).openapi('ConfigurationsResponse')
const Wishes = z.record(z.string().max(128), z.unknown()).openapi('Configurations')

type Shown = z.infer<typeof Configurations>

/** What Harbor can set and Atoll cannot: its one value here. A client that sends back what it was shown changes nothing. */
function constants({ config }: Pick<OriginServices, 'config'>): Readonly<Record<string, string | number | boolean>> {
  return {
    robot_name_prefix: 'robot$',
    quota_per_project_enable: true,
    token_expiration: Math.ceil(config['token.lifetime'] / 60),
    // Garbage is collected online, and nothing else needs it.
    read_only: false,
    skip_audit_log_database: false,
    audit_log_forward_endpoint: config['audit.syslog.url']?.replace(/^\w+:\/\//, '') ?? '',
    disabled_audit_log_event_types: '',
    uaa_client_id: '',
    uaa_endpoint: '',
    uaa_verify_cert: true,
    http_authproxy_endpoint: '',
    http_authproxy_tokenreview_endpoint: '',
    http_authproxy_admin_groups: '',
    http_authproxy_admin_usernames: '',
    http_authproxy_verify_cert: true,
    http_authproxy_skip_search: false,
    http_authproxy_server_certificate: '',
  }
}

/** What Harbors of long ago could set, and clients that have known them still send. Today's Harbor takes no notice of them either. */
const FORGOTTEN =
  /^(email_\w+|scan_all_policy|count_per_project|ldap_group_g?id|ldap_group_uid|verify_remote_cert|cfg_expiration|chart_repository_url)$/

export const configurations = ({ services, guard }: ApiParts) => {
  const { live } = services

  const get = createRoute({
    method: 'get',
    path: '/configurations',
    tags,
    operationId: 'getConfigurations',
    summary: 'What can be set while the origin runs, and what is fixed; no secret among it',
    middleware: guard.system('configuration', 'read'),
    responses: { 200: json(Configurations, 'Each setting with its value.'), ...refusals(401, 403) },
  })

  const internal = createRoute({
    method: 'get',
    path: '/internalconfig',
    tags,
    operationId: 'getInternalconfig',
    summary: 'The same',
    middleware: guard.system('configuration', 'read'),
    responses: { 200: json(Configurations, 'Each setting with its value.'), ...refusals(401, 403) },
  })

  const update = createRoute({
    method: 'put',
    path: '/configurations',
    tags,
    operationId: 'updateConfigurations',
    summary: 'Changes some settings; those that are not named stay',
    middleware: guard.system('configuration', 'update'),
    request: { body: { required: true, content: { 'application/json': { schema: Wishes } } } },
    responses: { 200: empty('Changed.'), ...refusals(400, 401, 403) },
  })

  const show = async (): Promise<Shown> => {
    const values = await live.all()
    const shown: Shown = {}
    for (const key of KEYS) {
      if (liveSettings[key].secret !== true) shown[key] = { value: plain(values[key]), editable: !live.isFixed(key) }
    }
    for (const [key, value] of Object.entries(constants(services))) shown[key] = { value, editable: false }
    return shown
  }

  return routes()
    .openapi(get, async (c) => c.json(await show(), 200))
    .openapi(internal, async (c) => c.json(await show(), 200))
    .openapi(update, async (c) => {
      const given = c.req.valid('json')
      // Which is checked without it: what a check builds cannot have a key of this name.
      if (Object.hasOwn(await c.req.json(), '__proto__')) throw badField('__proto__', 'there is no such setting')
      const fixed = constants(services)
      const wishes = new Map<LiveKey, unknown>()
      for (const [key, wish] of Object.entries(given)) {
        if (isLive(key)) wishes.set(key, wish)
        else if (FORGOTTEN.test(key)) continue
        else if (!Object.hasOwn(fixed, key) && key !== 'uaa_client_secret') throw badField(key, 'there is no such setting')
        else if (wish !== null && wish !== '' && wish !== fixed[key]) throw badField(key, `is always ${JSON.stringify(fixed[key] ?? '')} here`)
      }
      try {
        await live.change(wishes, c.var.principal.id)
        // A right that a group gave holds no longer than that group does.
        if (GROUPS_OF_ADMINS.some((key) => wishes.has(key))) await dropAdminsByGroup(services.db, c.var.principal.id)
      } catch (error) {
        if (error instanceof BadSetting) throw badField(error.key, error.message)
        throw error
      }
      return c.body(null, 200)
    })
}

/** What decides by which group somebody is an administrator. */
const GROUPS_OF_ADMINS = ['auth_mode', 'ldap_url', 'ldap_group_admin_dn', 'oidc_endpoint', 'oidc_admin_group'] as const satisfies readonly LiveKey[]

function isLive(key: string): key is LiveKey {
  return Object.hasOwn(liveSettings, key)
}

/** Lists are texts there, with commas. */
function plain(value: LiveValues[LiveKey]): string | number | boolean {
  if (value === undefined) return ''
  return typeof value === 'object' ? value.join(',') : value
}

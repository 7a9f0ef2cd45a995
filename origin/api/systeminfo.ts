import { statfs } from 'node:fs/promises'
import { createRoute, z } from '@hono/zod-openapi'
import { json, refusals } from './answers.ts'
import { type ApiParts, instant, routes } from './environment.ts'
import { ApiError } from './errors.ts'

/** The release of Harbor whose contract this is: clients choose their ways by it. */
const CONTRACT_VERSION = 'v2.16.0-atoll'

const GeneralInfo = z
  .object({
    auth_mode: z.string(),
    primary_auth_mode: z.boolean(),
    self_registration: z.boolean(),
    banner_message: z.string(),
    oidc_provider_name: z.string(),
    harbor_version: z.string().optional(),
    current_time: z.string().optional(),
    registry_url: z.string().optional(),
    external_url: z.string().optional(),
    project_creation_restriction: z.string().optional(),
    has_ca_root: z.boolean().optional(),
    read_only: z.boolean().optional(),
    notification_enable: z.boolean().optional(),
    registry_storage_provider_name: z.string().optional(),
  })
  .openapi('GeneralInfo')

const SystemVolumes = z.object({ storage: z.array(z.object({ total: z.number(), free: z.number() })) }).openapi('SystemInfo')

const getSystemInfo = createRoute({
  method: 'get',
  path: '/systeminfo',
  tags: ['systeminfo'],
  operationId: 'getSystemInfo',
  summary: 'What this system is; more of it for whoever has logged in',
  responses: { 200: json(GeneralInfo, 'What this system is.') },
})

export const systemInfo = ({ services, guard }: ApiParts) => {
  const getVolumes = createRoute({
    method: 'get',
    path: '/systeminfo/volumes',
    tags: ['systeminfo'],
    operationId: 'getVolumes',
    summary: 'Room on the disk that holds the data folder',
    middleware: guard.system('system-volumes', 'read'),
    responses: { 200: json(SystemVolumes, 'Room in bytes.'), ...refusals(401, 403) },
  })

  const getCert = createRoute({
    method: 'get',
    path: '/systeminfo/getcert',
    tags: ['systeminfo'],
    operationId: 'getCert',
    summary: 'The certificate of the authority that signed ours',
    responses: { 200: { description: 'The certificate.' }, ...refusals(404) },
  })

  return routes()
    .openapi(getSystemInfo, async (c) => {
      const { config } = services
      const live = await services.live.all()
      const forEverybody = {
        auth_mode: live.auth_mode,
        primary_auth_mode: live.primary_auth_mode,
        self_registration: live.self_registration,
        banner_message: live.banner_message,
        oidc_provider_name: live.oidc_name ?? '',
      }
      if (c.var.principal.kind === 'anonymous') return c.json(forEverybody, 200)
      const url = services.baseUrl(c.req.raw)
      return c.json(
        {
          ...forEverybody,
          harbor_version: CONTRACT_VERSION,
          current_time: instant(services.clock.now()),
          registry_url: new URL(url).host,
          external_url: url,
          project_creation_restriction: live.project_creation_restriction,
          has_ca_root: false,
          read_only: false,
          notification_enable: live.notification_enable,
          registry_storage_provider_name: config['storage_service.kind'],
        },
        200,
      )
    })
    .openapi(getVolumes, async (c) => {
      const { blocks, bavail, bsize } = await statfs(services.config.data_volume)
      return c.json({ storage: [{ total: blocks * bsize, free: bavail * bsize }] }, 200)
    })
    .openapi(getCert, () => {
      throw new ApiError('NOT_FOUND', 'There is no certificate of our own authority to give.')
    })
}
